"""The field sets F1–F15 that reports and reviews of the plan library ask for, in our words."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from server.domain.rules.publications import FieldRule
from server.domain.rules.words import Words


def _field(key: str, zh: str, en: str, kind: str = "text", *, required: bool = True) -> FieldRule:
    return FieldRule(key=key, title=Words(zh, en), kind=kind, required=required)  # type: ignore[arg-type]


_TIME = _field("time", "发生时间", "Time", "time")
_PLACE = _field("place", "发生地点", "Place", "place")
_CAUSE = _field("cause", "原因", "Cause")
_IMPACT = _field("impact", "影响范围", "Extent of the impact")
_MEASURES = _field("measures", "已采取的措施", "Measures taken")
_RESPONSIBILITY = _field("responsibility", "责任认定", "Responsibility")
_NATURE = _field("nature", "事件性质", "Nature of the incident")

FIELD_SETS: Final = MappingProxyType(
    {
        "F1": (_TIME, _PLACE, _CAUSE, _IMPACT, _field("first_handling", "初步处置情况", "First handling")),
        "F2": (
            _field("raw_record", "处置原始记录", "Raw record of the handling"),
            _field("description", "故障描述", "Description of the fault"),
            _field("handling", "处置过程", "How it was handled"),
            _field("accurate", "处置是否准确及时", "Was the handling accurate and in time", "yes_no"),
            _field("mistakes", "有无明显失误", "Any clear mistake", "yes_no"),
            _field("breaches", "有无违规行为", "Any breach of the rules", "yes_no"),
        ),
        "F3": (
            _field("caller", "报告人姓名", "Caller's name", "people"),
            _field("unit", "所在单位", "Caller's unit"),
            _field("phone", "联系电话", "Telephone number"),
            _TIME,
            _PLACE,
            _field("type", "事故类型", "Kind of accident"),
            _CAUSE,
        ),
        "F4": (
            _field("reported_at", "报告时间", "Time of the report", "time"),
            _field("caller", "对方姓名", "Name of the other side", "people"),
            _field("content", "通话要点", "What was said on both sides"),
        ),
        "F5": (
            _field("unit", "事故单位概况", "The unit in brief"),
            _TIME,
            _PLACE,
            _field("scene", "现场情况", "State of the scene"),
            _field("course", "事故简要经过", "Brief course of events"),
            _field(
                "casualties",
                "已造成或可能造成的伤亡（含失联）人数",
                "Casualties so far or feared, missing included",
                "number",
            ),
            _field("loss", "初步估计的直接经济损失", "First estimate of the direct loss", "money"),
            _MEASURES,
        ),
        "F6": (
            _field("hall", "营业厅名称及地点", "Name and place of the hall", "place"),
            _TIME,
            _field("type", "事件类型", "Kind of event"),
            _field("loss", "财产、资金、凭证损失", "Loss of property, money or vouchers"),
            _field("casualties", "人员伤亡情况", "Casualties"),
            _IMPACT,
            _field("control", "已采取的措施和控制程度", "Measures taken and degree of control"),
            _field("trend", "发展趋势和下一步安排", "Trend and next steps"),
            _field("other", "其他情况", "Anything else", required=False),
        ),
        "F7": (
            _field("time", "演练时间", "Time of the drill", "time"),
            _field("content", "演练内容", "What was practised"),
            _field("people", "参加人员", "Participants", "people"),
            _field("assessment", "评估情况", "Assessment"),
        ),
        "F8": (
            _PLACE,
            _field("type", "事故类型", "Kind of accident"),
            _field("losses", "伤亡和损失情况", "Casualties and losses"),
        ),
        "F9": (
            _CAUSE,
            _NATURE,
            _field("impact", "影响", "Impact"),
            _RESPONSIBILITY,
            _field("lessons", "教训", "Lessons"),
            _field("handling", "处置评估", "Assessment of the handling"),
            _field("improvements", "整改和预防措施", "Corrections and prevention"),
            _field("plan_changes", "预案修订建议", "Changes to the plan"),
        ),
        "F10": (
            _CAUSE,
            _NATURE,
            _field("impact", "影响", "Impact"),
            _field("consequences", "后果", "Consequences"),
            _RESPONSIBILITY,
            _field("capability", "应急处置能力", "Capability of the response"),
            _field("recovery", "恢复情况", "Recovery"),
        ),
        "F11": (
            _field("cause", "故障原因", "Cause of the fault"),
            _field("execution", "应急响应执行情况", "How the response was carried out"),
            _field("improvements", "改进建议", "Suggestions for the future"),
        ),
        "F12": (
            _field("situation", "事故情况", "The accident"),
            _field("handling", "目前处置情况", "What is being done"),
            _field("needs", "需要的支援", "Help needed"),
        ),
        "F13": (
            _field("started", "故障开始时间", "Start of the fault", "time"),
            _field("restored", "恢复时间", "Time of restoration", "time"),
            _field("form", "故障单编号", "Number of the fault form"),
        ),
        "F14": (
            _field("quantity", "数量（大写）", "Quantity in words"),
            _field("receiver", "收货人姓名", "Receiver's name", "people"),
            _field("arrived", "送达时间", "Time of arrival", "time"),
        ),
        "F15": (
            _field("hardware", "主机与存储", "Servers and storage"),
            _field("network", "网络链路", "Network links"),
            _field("database", "数据库", "Databases"),
            _field("application", "应用服务", "Applications"),
            _field("security", "安全告警", "Security alarms"),
            _field("backup", "备份结果", "Backups"),
            _field("environment", "机房环境与电源", "Machine room and power"),
        ),
    }
)
