"""Limits: one clock with two consequences (LINT-3), limits that set each other off (LINT-LOOP), limits nobody can meet
(LINT-UNMET), clocks and phases nobody is led to start (LINT-UNSTARTED)."""

from __future__ import annotations

import itertools

from server.domain.rules.actions import LimitRule
from server.domain.rules.facts import FACTS
from server.domain.rules.implied import all_limits
from server.domain.rules.lengths import shortest_seconds
from server.domain.rules.plans import Plan
from server.planning.compiler import Compiled
from server.planning.findings import Finding
from server.planning.lint.report import Report

DECIDED = frozenset(
    {
        "incident.reported", "incident.verified", "plan.warned", "plan.activated", "fallback.decided",
        "evacuation.decided", "service.restored", "response.ended", "level.set",
    }
)  # fmt: skip
"""The facts that reporting an incident and the leaders' decisions make, whatever the plan."""


def look(report: Report) -> None:
    """Every limit the plan states."""
    _same_clock(report)
    _loops(report)
    for limit in report.plan.limits:
        _unmet(report, limit)
    _unstarted(report)


def look_together(plans: list[Compiled]) -> list[Finding]:
    """LINT-3 across plans of one category that are in use side by side."""
    found: list[Finding] = []
    for one, other in itertools.combinations(plans, 2):
        if one.plan.category != other.plan.category or one.plan.key == other.plan.key:
            continue
        for first, second in itertools.product(one.plan.limits, other.plan.limits):
            if _clock(first) == _clock(second) and _kinds(first) != _kinds(second):
                report = Report(other)
                _say(report, second, f"{one.plan.key}: {first.key}")
                found += report.findings
    return found


def _same_clock(report: Report) -> None:
    by_clock: dict[tuple[object, ...], LimitRule] = {}
    for limit in report.plan.limits:
        first = by_clock.setdefault((_clock(limit), limit.ends, limit.when), limit)
        if first.then != limit.then:
            _say(report, limit, first.key)


def _say(report: Report, limit: LimitRule, other: str) -> None:
    report.add(
        "LINT-3",
        f"limits.{limit.key}",
        (
            f"与“{other}”起点和时长相同，后果却不同。",
            f"Starts and lasts as {other!r} does, yet something else follows.",
        ),
        ("合并为一条，后果取较严的一种。", "Make one limit of them, with the stricter consequence."),
        "warning",
    )


def _clock(limit: LimitRule) -> tuple[object, ...]:
    return tuple(sorted(limit.starts)), limit.length


def _kinds(limit: LimitRule) -> set[str]:
    return {consequence.kind for consequence in limit.then}


def _loops(report: Report) -> None:
    plan = report.plan
    made = {limit.key: _made(plan, limit) for limit in plan.limits}
    leads = {
        key: [other.key for other in plan.limits if not facts.isdisjoint(other.starts)] for key, facts in made.items()
    }
    for start in leads:
        seen: set[str] = set()
        ahead = list(leads[start])
        while ahead:
            key = ahead.pop()
            if key == start:
                report.add(
                    "LINT-LOOP",
                    f"limits.{start}",
                    (f"时限“{start}”到时后又会引出自己。", f"When {start!r} passes it sets itself off again."),
                    ("断开其中一环：换一个起点，或改为记录。", "Break the ring: start one of them from another fact."),
                )
                break
            if key not in seen:
                seen.add(key)
                ahead += leads[key]


def _made(plan: Plan, limit: LimitRule) -> set[str]:
    made = {f"limit.{limit.key}.passed"}
    for consequence in limit.then:
        made |= {f"order.{consequence.order}.issued"} if consequence.order else set()
        made |= {f"tier.{consequence.tier}.started"} if consequence.tier else set()
        made |= {"plan.activated"} if consequence.activate else set()
        made |= {"plan.warned"} if consequence.warn else set()
    for phase in plan.phases:
        if set(phase.starts) & made:
            made |= {f"phase.{phase.key}.started"}
            made |= {f"order.{order.key}.issued" for order in plan.orders if order.phase == phase.key}
    return made


def _unmet(report: Report, limit: LimitRule) -> None:
    plan, seconds = report.plan, shortest_seconds(limit.length)
    why = None
    owner = plan.team(limit.owner)
    if not limit.ends:
        why = ("没有写明什么算做到（ends）", "nothing says what would meet it (ends)")
    elif not any(_can_happen(plan, fact, limit) for fact in limit.ends):
        why = ("没有人能记录它的终点", "nobody can record what would end it")
    elif seconds and owner.succession and owner.succession.after.seconds >= seconds:
        why = ("责任组的接替等待时间已不短于时限", "the owner's succession waits as long as the limit lasts")
    elif seconds and set(limit.ends) <= _slow_ends(plan, seconds):
        why = ("对应指令的完成时间长于时限", "the order that would end it has more time than the limit")
    if why:
        report.add(
            "LINT-UNMET",
            f"limits.{limit.key}",
            (f"时限“{limit.title.zh}”无法做到：{why[0]}。", f"Nobody can meet “{limit.title.en}”: {why[1]}."),
            (
                "写明可记录的终点，并让时长与人员、指令相称。",
                "Name an end people can record, with a length that fits them.",
            ),
        )


def _unstarted(report: Report) -> None:
    """A trigger, an item, a decision, another rule, or somebody the plan names must bring about what starts a clock or a phase."""
    plan = report.plan
    told = {item.records for checklist in plan.checklists for item in checklist.items}
    told |= {trigger.on for trigger in plan.triggers} | {fact.key for fact in plan.facts if fact.recorded_by} | DECIDED
    waiting = [(_place(plan, limit.key), limit.title, limit.starts) for limit in all_limits(plan)]
    waiting += [(f"phases.{phase.key}", phase.title, phase.starts) for phase in plan.phases]
    for path, title, starts in waiting:
        if not any(fact in told or fact.count(".") >= 2 for fact in starts):
            named = ", ".join(starts)
            report.add(
                "LINT-UNSTARTED",
                path,
                (
                    f"“{title.zh}”的起点（{named}）没有人会记录，它永远不会开始。",
                    f"Nobody is led to record what starts “{title.en}” ({named}), so it never begins.",
                ),
                (
                    "由检查项 records、触发条件 on 或事实的 recorded_by 记录起点，或改用已有的起点。",
                    "Let an item (records), a trigger (on) or people (recorded_by) record it, or start from a fact they do record.",
                ),
            )


def _place(plan: Plan, key: str) -> str:
    """The path of the rule behind a clock."""
    if any(limit.key == key for limit in plan.limits):
        return f"limits.{key}"
    kind, _, name = key.partition("-")
    paths = {"tier": "manual.tiers", "report": "reports", "order": "orders", "level": "scales"}
    if kind == "level":
        name = next((scale.key for scale in plan.scales if name.startswith(f"{scale.key}-")), name)
    return f"{paths[kind]}.{name}" if kind in paths else "manual" if kind == "back" else "review"


def _can_happen(plan: Plan, fact: str, limit: LimitRule) -> bool:
    if fact in {f"limit.{limit.key}.passed", f"limit.{limit.key}.met"}:
        return False
    if fact in FACTS or fact.count(".") == 2:
        return True
    own = next((one for one in plan.facts if one.key == fact), None)
    marked = any(item.records == fact for checklist in plan.checklists for item in checklist.items)
    return marked or bool(own and own.recorded_by)


def _slow_ends(plan: Plan, seconds: int) -> set[str]:
    slow: set[str] = set()
    for order in plan.orders:
        if order.within and (shortest_seconds(order.within) or 0) > seconds:
            slow |= {f"order.{order.key}.done", f"checklist.{order.checklist}.done"}
    return slow
