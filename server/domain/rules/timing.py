"""Which limits a fact starts and ends, when each is due, what follows, and which paper tier an outage has reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from server.domain.rules.actions import Consequence, LimitRule
from server.domain.rules.conditions import Condition, holds
from server.domain.rules.continuity import BackEntry, Tier
from server.domain.rules.lengths import TIME_UNITS, Length, due
from server.domain.rules.plans import Plan
from server.domain.rules.publications import ReportRule
from server.domain.rules.situations import Level, MeasureRule, Scale
from server.domain.rules.words import Words

RESTORED: Final = ("service.restored", "fault.cleared", "response.ended", "incident.dismissed")
OVER: Final = frozenset(
    {"service.restored", "fault.cleared", "data.restored", "situation.controlled", "power.restored"}
)
TROUBLE: Final = frozenset({"service.interrupted", "data.lost", "power.lost"})


def all_limits(plan: Plan) -> tuple[LimitRule, ...]:
    """Every clock of the plan: the limits it states and those its tiers, ledger, levels, reports and review imply.

    The implied ones are keyed `tier-…`, `back-entry-…`, `level-…`, `report-…` and `review`.
    """
    found = list(plan.limits)
    if plan.manual:
        found += [_tier_limit(plan, tier) for tier in plan.manual.tiers]
        found += [_back_entry_limit(entry) for entry in plan.manual.back_entry]
    for scale in plan.scales:
        for level in scale.levels:
            found += _level_limits(plan, scale, level)
    found += [_report_limit(report) for report in plan.reports if report.within and report.starts]
    if plan.review:
        found.append(_review_limit(plan))
    return tuple(found)


def limits_started_by(plan: Plan, fact: str, known: Mapping[str, object] | None = None) -> tuple[LimitRule, ...]:
    """The limits whose clock this fact starts, leaving out those whose `when` is known to be false."""
    started = (limit for limit in all_limits(plan) if fact in limit.starts)
    return tuple(limit for limit in started if holds(limit.when, known or {}) is not False)


def limits_ended_by(plan: Plan, fact: str) -> tuple[LimitRule, ...]:
    """The limits this fact ends, if they run."""
    return tuple(limit for limit in all_limits(plan) if fact in limit.ends)


def limits_waiting_for(plan: Plan, measure: str) -> tuple[LimitRule, ...]:
    """The limits whose length is the value of this measure: their clock is set when it is known."""
    return tuple(limit for limit in all_limits(plan) if limit.length.measure == measure)


def may_run_again(limit: LimitRule, fact: str, before: datetime | None, happened: Mapping[str, datetime]) -> bool:
    """Whether a limit that ran already begins anew with a fact that happened `before` too.

    It does when the trouble was over in between, and for what begins with the recovery when there was trouble again: a
    second outage is counted anew. Somebody else who tells of the same outage, or another of the facts that start the
    limit, starts nothing twice. `happened` says when each fact last happened.
    """
    if before is None:
        return False
    own = frozenset(limit.ends) if limit.key.startswith("level-") else OVER & {*limit.ends}
    between = TROUBLE if fact in OVER else own
    return any(one in happened and happened[one] >= before for one in between)


def lasting(plan: Plan) -> frozenset[str]:
    """The limits the end of the response does not stop: reports, back-entry, and what begins when the trouble is over."""
    return frozenset(
        limit.key
        for limit in all_limits(plan)
        if OVER & {*limit.starts} or limit.key.startswith(("report-", "back-entry-"))
    )


def due_at(
    limit: LimitRule, started_at: datetime, timezone: str, measures: Mapping[str, object] | None = None
) -> datetime:
    """When the limit runs out (UTC). `started_at` is aware; `timezone` an IANA name. Raises LengthUnknown."""
    return due(limit.length, started_at, ZoneInfo(timezone), measures)


def consequences(limit: LimitRule) -> tuple[Consequence, ...]:
    """What follows when the limit passes, in order."""
    return limit.then


def tier_at(plan: Plan, elapsed: timedelta) -> Tier | None:
    """The farthest paper tier an outage of this length has reached; None before the first, or without a manual mode."""
    tiers = plan.manual.tiers if plan.manual else ()
    reached = [tier for tier in tiers if timedelta(seconds=tier.after.seconds) <= elapsed]
    return max(reached, key=lambda tier: tier.after.seconds, default=None)


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


def with_alarm(limit: LimitRule, seconds: int) -> LimitRule:
    """The limit with the site's own number where the plan only said "at once"."""
    if limit.length.kind != "at_once":
        return limit
    return replace(limit, length=Length("span", seconds))
