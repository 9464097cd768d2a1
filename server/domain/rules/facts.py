"""The vocabulary of facts: the named events that start limits, begin phases and end things, the same in every plan."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from server.domain.rules.words import Words

FACTS: Final = MappingProxyType(
    {
        "incident.forecast": Words("预计将发生", "Incident forecast"),
        "incident.reported": Words("事件已报告", "Incident reported"),
        "incident.verified": Words("事件已核实", "Incident verified"),
        "incident.dismissed": Words("事件不成立", "Incident dismissed"),
        "incident.classified": Words("事件已定级", "Incident classified"),
        "service.interrupted": Words("业务中断", "Service interrupted"),
        "service.restored": Words("业务恢复", "Service restored"),
        "repair.started": Words("开始抢修", "Repair started"),
        "repair.arrived": Words("抢修人员到场", "Repair crew on the scene"),
        "fault.cleared": Words("故障排除", "Fault cleared"),
        "cause.found": Words("原因查明", "Cause found"),
        "data.lost": Words("数据丢失", "Data lost"),
        "data.restored": Words("数据恢复", "Data restored"),
        "power.lost": Words("市电中断", "Mains power lost"),
        "power.restored": Words("市电恢复", "Mains power restored"),
        "people.hurt": Words("有人受伤", "People hurt"),
        "plan.warned": Words("发布预警", "Warning issued"),
        "plan.activated": Words("启动预案", "Plan activated"),
        "plan.declined": Words("决定不启动预案", "Decided not to activate the plan"),
        "fallback.decided": Words("决定启用备用方案", "Fallback decided"),
        "evacuation.decided": Words("决定疏散", "Evacuation decided"),
        "level.set": Words("级别已确定", "Level set"),
        "level.raised": Words("级别上调", "Level raised"),
        "level.lowered": Words("级别下调", "Level lowered"),
        "situation.controlled": Words("事态得到控制", "Situation under control"),
        "scene.reported": Words("现场情况已上报", "Scene reported"),
        "superior.reported": Words("已向上级报告", "Superior told"),
        "authority.reported": Words("已向主管部门报告", "Authority told"),
        "response.ended": Words("应急响应结束", "Response ended"),
        "review.delivered": Words("总结报告已提交", "Review delivered"),
        "day.ended": Words("当日结束", "Day ended"),
    }
)

# Facts the rules of a plan make themselves: first part, kind of the rule named in the middle, the possible last parts.
MADE_FACTS: Final = MappingProxyType(
    {
        "limit": ("limit", ("passed", "met")),
        "order": ("order", ("issued", "answered", "done")),
        "checklist": ("checklist", ("done",)),
        "team": ("team", ("on-scene", "answered")),
        "phase": ("phase", ("started",)),
        "tier": ("tier", ("started",)),
        "notice": ("notice", ("published",)),
        "report": ("report", ("sent",)),
    }
)

_ENDINGS: Final = MappingProxyType(
    {
        "passed": Words("已超时", "has passed"),
        "met": Words("按时完成", "was met"),
        "issued": Words("已下达", "was issued"),
        "answered": Words("已回执", "was answered"),
        "done": Words("已完成", "is done"),
        "on-scene": Words("已到位", "is on the scene"),
        "started": Words("已开始", "has started"),
        "published": Words("已发布", "was published"),
        "sent": Words("已报送", "was sent"),
    }
)


def ending_words(ending: str) -> Words:
    """How a fact made by a rule reads after that rule's title, for instance "has passed"."""
    return _ENDINGS[ending]
