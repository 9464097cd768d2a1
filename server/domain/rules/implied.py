"""The clocks a plan does not state as limits but implies: of its orders, tiers, ledger, reports, levels, and of the review."""

from __future__ import annotations

from typing import Final

from server.domain.rules.actions import Consequence, LimitRule, OrderRule
from server.domain.rules.checklists import ChecklistRule, ItemRule
from server.domain.rules.conditions import Condition
from server.domain.rules.continuity import BackEntry, Tier
from server.domain.rules.lengths import TIME_UNITS, Length, shortest_seconds
from server.domain.rules.plans import Plan
from server.domain.rules.publications import ReportRule
from server.domain.rules.situations import Level, MeasureRule, Scale
from server.domain.rules.words import Words

RESTORED: Final = ("service.restored", "fault.cleared", "response.ended", "incident.dismissed")
REMEMBERED: Final = 64
_remembered: dict[int, tuple[Plan, tuple[LimitRule, ...]]] = {}  # by the plan itself: comparing two plans costs more


def all_limits(plan: Plan) -> tuple[LimitRule, ...]:
    """Every clock of the plan: first the limits it states, then those the rest of it implies.

    The implied ones are keyed `tier-…`, `back-entry-…`, `level-…`, `report-…`, `order-…` and `review`. A plan never
    changes, so they are worked out once.
    """
    known = _remembered.get(id(plan))
    if known is None or known[0] is not plan:
        if len(_remembered) >= REMEMBERED:
            _remembered.clear()
        known = _remembered[id(plan)] = (plan, (*plan.limits, *_implied(plan)))
    return known[1]


def _implied(plan: Plan) -> list[LimitRule]:
    found = [_tier_limit(plan, tier) for tier in plan.manual.tiers] if plan.manual else []
    found += [_back_entry_limit(entry) for entry in plan.manual.back_entry] if plan.manual else []
    for scale in plan.scales:
        for level in scale.levels:
            found += _level_limits(plan, scale, level)
    found += [_report_limit(report) for report in plan.reports if report.within and report.starts]
    for order in plan.orders:
        found += _order_limits(plan, order)
    if plan.review:
        found.append(_review_limit(plan))
    return found


def _order_limits(plan: Plan, order: OrderRule) -> list[LimitRule]:
    """The clock of an order's `within`: who got it and who decides are told when it is not done by then.

    None for a team outside the organisation, which reports nothing here, and where a limit of the plan watches the same order.
    """
    outside = any(team.key == order.team and team.external for team in plan.teams)
    if order.within is None or outside or _stated(plan, order, order.within):
        return []
    words = Words(
        f"到时未完成：{order.title.zh}。请核实进展，支援或改派。",
        f"Not done in time: {order.title.en}. Find out how far it is; help, or give it to others.",
    )
    decides = plan.authority.decides
    told = [Consequence(alert=(order.team,), words=words, critical=order.critical, audience="leaders")]
    told += [Consequence(alert=(decides,), words=words, critical=order.critical)] if decides != order.team else []
    return [
        LimitRule(
            key=f"order-{order.key}",
            title=order.title,
            owner=order.team,
            starts=(f"order.{order.key}.issued",),
            length=order.within,
            ends=(f"order.{order.key}.done",),
            then=tuple(told),
            phase=order.phase,
            clause=order.clause,
        )
    ]


def checklist_of(plan: Plan, order: OrderRule) -> ChecklistRule | None:
    """The checklist that comes with an order; one with a time but without a list gets the one item that says it is done."""
    if order.checklist is not None:
        return plan.checklist(order.checklist)
    if order.within is None:
        return None
    done = ItemRule(key="done", text=Words("已完成", "Done"), clause=order.clause)
    return ChecklistRule(
        key=f"order-{order.key}", title=order.title, team=order.team, items=(done,), clause=order.clause
    )


def _stated(plan: Plan, order: OrderRule, within: Length) -> bool:
    """Whether a limit of the plan that is no longer ends with the same order and so watches it already."""
    ends = {f"order.{order.key}.done", f"checklist.{order.checklist}.done"}
    least = shortest_seconds(within)
    for limit in plan.limits:
        seconds = shortest_seconds(limit.length)
        if ends & {*limit.ends} and (limit.length == within or (least and seconds and seconds <= least)):
            return True
    return False


def _tier_limit(plan: Plan, tier: Tier) -> LimitRule:
    assert plan.manual is not None
    return LimitRule(
        key=f"tier-{tier.key}",
        title=tier.title,
        owner=plan.manual.by,
        starts=(plan.manual.since,),
        length=tier.after,
        ends=RESTORED,
        then=(Consequence(tier=tier.key, words=tier.words),),
        clause=tier.clause,
    )


def _back_entry_limit(entry: BackEntry) -> LimitRule:
    words = Words(
        f"“{entry.title.zh}”仍有未补录的{entry.unit.zh}。", f"“{entry.title.en}”: {entry.unit.en} still to enter."
    )
    return LimitRule(
        key=f"back-entry-{entry.key}",
        title=entry.title,
        owner=entry.owner,
        starts=(entry.starts,),
        length=entry.due,
        then=(Consequence(alert=(entry.owner,), words=words),),
        clause=entry.clause,
    )


def _report_limit(report: ReportRule) -> LimitRule:
    assert report.within is not None
    assert report.starts is not None
    words = Words(f"“{report.title.zh}”尚未报送。", f"“{report.title.en}” has not been sent.")
    return LimitRule(
        key=f"report-{report.key}",
        title=report.title,
        owner=report.owner,
        starts=(report.starts,),
        length=report.within,
        ends=(f"report.{report.key}.sent",),
        then=(Consequence(alert=(report.owner,), words=words, critical=True),),
        clause=report.clause,
    )


def _review_limit(plan: Plan) -> LimitRule:
    review = plan.review
    assert review is not None
    words = Words("总结报告尚未提交。", "The review has not been delivered.")
    return LimitRule(
        key="review",
        title=Words("提交总结报告", "Deliver the review"),
        owner=review.owner,
        starts=(review.starts,),
        length=review.due,
        ends=("review.delivered",),
        then=(Consequence(alert=(review.owner, plan.authority.decides), words=words),),
        clause=review.clause,
    )


def _level_limits(plan: Plan, scale: Scale, level: Level) -> list[LimitRule]:
    """A clock for every bound on a measure that counts by itself, so that a level is proposed when time alone reaches it."""
    counting = {measure.key: measure for measure in plan.measures if measure.kind == "elapsed"}
    found: dict[str, LimitRule] = {}
    for leaf in level.when.leaves() if level.when else ():
        measure = counting.get(leaf.name)
        seconds = _crossing_seconds(measure, leaf) if measure else None
        if measure is None or measure.since is None or seconds is None:
            continue
        key = f"level-{scale.key}-{level.key}-{seconds}"
        found[key] = LimitRule(
            key=key,
            title=level.title,
            owner=scale.by,
            starts=(measure.since,),
            length=Length("span", seconds),
            ends=measure.until,
            then=(Consequence(propose=scale.key, of=scale.by, words=level.action),),
            clause=level.clause,
        )
    return list(found.values())


def _crossing_seconds(measure: MeasureRule, leaf: Condition) -> int | None:
    if leaf.op not in (">", ">=") or not isinstance(leaf.value, int | float):
        return None
    return round(leaf.value * TIME_UNITS[measure.unit]) + (1 if leaf.op == ">" else 0)
