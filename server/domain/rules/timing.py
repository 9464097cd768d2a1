"""Which limits a fact starts and ends, when each is due, what follows, and which paper tier an outage has reached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from server.domain.rules.actions import Consequence, LimitRule
from server.domain.rules.conditions import holds
from server.domain.rules.continuity import Tier
from server.domain.rules.implied import all_limits
from server.domain.rules.lengths import Length, due
from server.domain.rules.plans import Plan
from server.domain.rules.words import Words

OVER: Final = frozenset(
    {"service.restored", "fault.cleared", "data.restored", "situation.controlled", "power.restored"}
)
TROUBLE: Final = frozenset({"service.interrupted", "data.lost", "power.lost"})
LATE: Final = Words("到时未完成，请核实进展并支援。", "Not done in time; find out how far it is and help.")


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
    late = {phase.key for phase in plan.phases if OVER & {*phase.starts}}
    kept = {f"order-{order.key}" for order in plan.orders if order.phase in late}
    kept |= {f"report-{report.key}" for report in plan.reports}
    kept |= {f"back-entry-{entry.key}" for entry in plan.manual.back_entry} if plan.manual else set()
    return frozenset(limit.key for limit in all_limits(plan) if OVER & {*limit.starts} or limit.key in kept)


def moot(plan: Plan, fact: str) -> frozenset[str]:
    """The clocks of orders nobody waits for any more once this fact says that the trouble is over."""
    if fact not in OVER - {"power.restored", "data.restored"}:
        return frozenset()
    kept = lasting(plan)
    own = {f"order-{order.key}" for order in plan.orders}
    return frozenset(limit.key for limit in all_limits(plan) if limit.key in own and limit.key not in kept)


def due_at(
    limit: LimitRule, started_at: datetime, timezone: str, measures: Mapping[str, object] | None = None
) -> datetime:
    """When the limit runs out (UTC). `started_at` is aware; `timezone` an IANA name. Raises LengthUnknown."""
    return due(limit.length, started_at, ZoneInfo(timezone), measures)


def consequences(limit: LimitRule) -> tuple[Consequence, ...]:
    """What follows when the limit passes, in order."""
    return limit.then


def left_to_do(plan: Plan, limit: LimitRule) -> tuple[Consequence, ...]:
    """What follows when the limit passes once the plan is activated: nobody is asked to activate it, and who would have been
    is told of the lateness alone, because the plan's words for them speak of that decision."""
    asked = {one.of or plan.authority.decides for one in limit.then if one.ask == "activate"}
    left = (one for one in limit.then if one.ask != "activate")
    return tuple(replace(one, words=LATE) if asked & {*one.alert} else one for one in left)


def in_words(follows: Iterable[Consequence]) -> Words | None:
    """What consequences say, each thing once; None where they say nothing."""
    said = list(dict.fromkeys(one.words for one in follows if one.words is not None))
    zh, en = "；".join(one.zh.rstrip("。") for one in said), "; ".join(one.en.rstrip(".") for one in said)
    return Words(zh, en) if said else None


def tier_at(plan: Plan, elapsed: timedelta) -> Tier | None:
    """The farthest paper tier an outage of this length has reached; None before the first, or without a manual mode."""
    tiers = plan.manual.tiers if plan.manual else ()
    reached = [tier for tier in tiers if timedelta(seconds=tier.after.seconds) <= elapsed]
    return max(reached, key=lambda tier: tier.after.seconds, default=None)


def with_alarm(limit: LimitRule, seconds: int) -> LimitRule:
    """The limit with the site's own number where the plan only said "at once"."""
    if limit.length.kind != "at_once":
        return limit
    return replace(limit, length=Length("span", seconds))
