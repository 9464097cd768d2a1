"""What people get from the plan at a moment: orders, reachable items, locks with their reason, and the end conditions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from zoneinfo import ZoneInfo

from server.domain.rules.actions import OrderRule, Phase
from server.domain.rules.checklists import ChecklistRule, ItemRule
from server.domain.rules.closing import EndCondition
from server.domain.rules.conditions import holds
from server.domain.rules.implied import all_limits
from server.domain.rules.plans import Plan
from server.domain.rules.publications import NoticeRule
from server.domain.rules.safeguards import Zone
from server.domain.rules.teams import Route
from server.domain.rules.words import Clause, Words

Hours = Literal["working", "night", "holiday"]


@dataclass(frozen=True)
class Lock:
    """One thing that must not be done yet: what, which interlock holds it, what is missing, and the clause."""

    target: str
    interlock: str
    words: Words
    clause: Clause


def phases_started_by(plan: Plan, fact: str) -> tuple[Phase, ...]:
    """The phases this fact begins."""
    return tuple(phase for phase in plan.phases if fact in phase.starts)


def orders_for(
    plan: Plan,
    phase: str | None = None,
    levels: Collection[str] = (),
    known: Mapping[str, object] | None = None,
    team: str | None = None,
) -> tuple[OrderRule, ...]:
    """The orders of a phase (any, if None), for the levels set so far (`scale.level`), optionally of one team.

    An order bound to levels needs one of them; one with a `when` waits until that is known to hold. One that a paper
    tier or a passed limit sends goes out then, not with its phase.
    """
    later = {order for tier in (plan.manual.tiers if plan.manual else ()) for order in tier.orders}
    later |= {consequence.order for limit in plan.limits for consequence in limit.then if consequence.order}
    return tuple(
        order
        for order in plan.orders
        if (phase is None or order.phase == phase)
        and order.key not in later
        and (team is None or order.team == team)
        and (not order.levels or any(level in levels for level in order.levels))
        and holds(order.when, known or {}) is True
    )


def hours_at(moment: datetime, timezone: str, holidays: Collection[date] = ()) -> Hours:
    """Whether a moment (aware) is a holiday (weekends and the days given), working hours (8 to 18) or night."""
    local = moment.astimezone(ZoneInfo(timezone))
    if local.date() in holidays or local.weekday() >= 5:
        return "holiday"
    return "working" if 8 <= local.hour < 18 else "night"


def routes_for(plan: Plan, fact: str, hours: Hours) -> tuple[Route, ...]:
    """The reporting routes this fact sets off at these hours; one made for the hours replaces those made for always."""
    on = [route for route in plan.routes if route.on == fact]
    own = tuple(route for route in on if route.hours == hours)
    return own or tuple(route for route in on if route.hours == "always")


def notices_for(plan: Plan, phase: str) -> tuple[NoticeRule, ...]:
    """The notices to prepare in a phase."""
    return tuple(notice for notice in plan.notices if notice.phase == phase)


def locked_items(plan: Plan, measures: Mapping[str, object]) -> tuple[Lock, ...]:
    """Everything interlocks hold back now. Locked is the rule: what is not known to be safe stays locked."""
    return tuple(
        Lock(target, interlock.key, interlock.words, interlock.clause)
        for interlock in plan.interlocks
        if holds(interlock.needs, measures) is not True
        for target in interlock.locks
    )


def listens_to(plan: Plan) -> frozenset[str]:
    """The facts that anything in the plan waits for: limits, phases, routes, triggers and conditions."""
    heard = {fact for limit in all_limits(plan) for fact in (*limit.starts, *limit.ends)}
    heard |= {fact for phase in plan.phases for fact in phase.starts}
    heard |= {route.on for route in plan.routes} | {trigger.on for trigger in plan.triggers}
    for measure in plan.measures:
        heard |= {*measure.until, *((measure.since,) if measure.since else ())}
    conditions = [
        *(order.when for order in plan.orders),
        *(limit.when for limit in plan.limits),
        *(trigger.when for trigger in plan.triggers),
        *(zone.when for zone in plan.zones),
        *(level.when for scale in plan.scales for level in scale.levels),
        *(item.when for checklist in plan.checklists for item in checklist.items),
        *(one.when for one in (plan.end.conditions if plan.end else ())),
        *(interlock.needs for interlock in plan.interlocks),
    ]
    return frozenset(heard | {leaf.name for one in conditions if one for leaf in one.leaves() if leaf.op == "fact"})


def zones_in_force(plan: Plan, measures: Mapping[str, object]) -> tuple[Zone, ...]:
    """The zones that apply: a zone counts until it is known not to."""
    return tuple(zone for zone in plan.zones if holds(zone.when, measures) is not False)


def open_items(checklist: ChecklistRule, marks: Mapping[str, object], known: Mapping[str, object]) -> list[ItemRule]:
    """The items that may be marked now: on the branch taken, with what they require marked, in order where ordered.

    `marks` maps the keys of marked (or not applicable) items to their values; `known` the measures and facts.
    """
    seen = {**known, **{f"item.{key}": value for key, value in marks.items()}}
    found = []
    for item in checklist.items:
        if item.key in marks or holds(item.when, seen) is not True:
            continue
        if all(needed in marks for needed in item.requires):
            found.append(item)
        if checklist.ordered:
            break
    return found


def end_conditions_met(plan: Plan, known: Mapping[str, object]) -> tuple[tuple[EndCondition, bool], ...]:
    """Each end condition with whether it is known to hold; one without `when` holds once its key is confirmed true."""
    if plan.end is None:
        return ()
    return tuple(
        (one, (holds(one.when, known) if one.when else known.get(one.key)) is True) for one in plan.end.conditions
    )


def may_end(plan: Plan, known: Mapping[str, object]) -> bool:
    """Whether every end condition holds and no interlock holds the end back."""
    locked = any(lock.target == "decision.end" for lock in locked_items(plan, known))
    return not locked and all(met for _, met in end_conditions_met(plan, known))
