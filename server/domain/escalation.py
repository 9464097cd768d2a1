"""Escalation: what follows when a limit passes, in the transaction that marks it."""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.clock import iso, now
from server.db import new_id
from server.domain import (
    alerts,
    checklists,
    continuity,
    course,
    limits,
    orders,
    people,
    plans,
    proposals,
    rules,
    timeline,
)
from server.domain.checklists import clause, words
from server.domain.incidents import Incident

ASKS = {
    "activate": ("是否启动预案", "Activate the plan or not"), "level": ("确定级别", "Decide the level"),
    "fallback": ("是否启用备用方案", "Use the fallback or not"), "evacuate": ("是否疏散", "Evacuate or not"),
    "manual": ("是否转入手工操作", "Switch to paper or not"), "restore": ("确认恢复", "Confirm the restoration"),
    "end": ("是否结束响应", "End the response or not"), "reset_limit": ("是否重新计时", "Restart the limit or not"),
}  # fmt: skip
FIRED_AT_ONCE = 5


def fire_due(session: Session, most: int = FIRED_AT_ONCE) -> int:
    """Fire the limits that are due, few at a time so that whoever is killed meanwhile loses little; returns how many."""
    fired = limits.claim_due(session, most)
    for limit in fired:
        apply(session, limit)
    return len(fired)


def apply(session: Session, limit: limits.Limit) -> None:
    """Apply the consequences of a limit that has just passed; a plan that cannot be read tells the leadership group."""
    incident = session.get(Incident, limit.incident, with_for_update=True)
    assert incident is not None
    late = limit.fired_at is not None and (limit.fired_at - limit.due_at).total_seconds() > 5
    timeline.record(
        session, incident.id, "limit_passed", f"时限已到：{limit.title['zh']}" + ("（补触发）" if late else ""),
        f"Limit passed: {limit.title['en']}" + (" (fired late)" if late else ""),
        refs={"limit": limit.id, "due_at": iso(limit.due_at)},
    )  # fmt: skip
    plan = plans.rules_of(session, incident.revision)
    if limit.rule.get("kind") == "route":
        _next_of_route(session, incident, plan, limit)
        return
    if limit.rule.get("kind") == "order":
        _order_late(session, incident, plan, limit)
        return
    rule = next((one for one in rules.all_limits(plan) if one.key == limit.key), None) if plan else None
    if plan is None or rule is None:
        alerts.issue_to(
            session,
            incident,
            plan,
            "leadership",
            limit.title,
            {"zh": "时限已到，预案规则缺失", "en": "Limit passed, its rule is missing"},
            critical=True,
        )
        return
    active = incident.status not in course.NOT_ACTIVE
    for consequence in rules.left_to_do(plan, rule) if active else rules.consequences(rule):
        _follow(session, incident, plan, limit, consequence)
    course.happen(session, incident, f"limit.{limit.key}.passed", occurred_at=limit.fired_at)


def _follow(
    session: Session, incident: Incident, plan: rules.Plan, limit: limits.Limit, rule: rules.Consequence
) -> None:
    """Apply one consequence."""
    said = words(rule.words) if rule.words else limit.title
    if rule.alert:
        for key in rule.alert:
            # who has just been told of the same minute by another limit needs no second alert about an order
            if limit.key.startswith("order-") and alerts.just_asked(
                session, incident.id, plans.teams_for(session, plan, key)
            ):
                continue
            alerts.issue_to(
                session,
                incident,
                plan,
                key,
                limit.title,
                said,
                critical=rule.critical,
                audience=rule.audience,
                clause_=limit.clause,
            )
    elif rule.ask:
        zh, en = ASKS[rule.ask]
        decider = rule.of or plan.authority.decides
        teams = plans.teams_for(session, plan, decider)
        made = proposals.ask(
            session, incident, rule.ask, {"zh": zh, "en": en}, said, limit.clause, teams[0] if teams else None
        )
        if made is not None and not alerts.just_asked(session, incident.id, teams):
            alerts.issue_to(
                session,
                incident,
                plan,
                decider,
                {"zh": f"请决策：{zh}", "en": f"Decide: {en}"},
                said,
                critical=True,
                clause_=limit.clause,
            )
    elif rule.activate:
        if incident.status in course.NOT_ACTIVE:
            course.activate(session, incident, None, limit.due_at)
    elif rule.warn:
        course.warn(session, incident, limit.due_at)
    elif rule.order:
        course.give_order(session, incident, plan, plan.order(rule.order))
    elif rule.tier:
        begin_tier(session, incident, plan, rule.tier)
    elif rule.level or rule.propose:
        _propose(session, incident, plan, limit, rule, said)
    elif rule.notice:
        course.prepare_notice(session, incident, plan, rule.notice)
    elif rule.report:
        report = plan.report(rule.report)
        alerts.issue_to(
            session,
            incident,
            plan,
            report.owner,
            words(report.title),
            said,
            critical=True,
            clause_=clause(report.clause),
        )


def begin_tier(
    session: Session, incident: Incident, plan: rules.Plan, key: str, *, by: people.Standing | None = None, id: str | None = None,
    at: datetime | None = None, note: str | None = None,
) -> None:  # fmt: skip
    """Send the posts of a tier to paper: the switch, its orders, and everybody told; does nothing when they are there."""
    tier = next((one for one in plan.manual.tiers if one.key == key), None) if plan.manual else None
    if tier is None or any(mode.tier == key for mode in continuity.on_paper(session, incident.id)):
        return
    continuity.switch(
        session,
        id or new_id(),
        incident,
        tier=key,
        title=words(tier.title),
        to="manual",
        by=by,
        occurred_at=at or now(),
        note=note,
    )
    continuity.open_by_plan(session, incident, plan, tier, at or now())
    for order in tier.orders:
        course.give_order(session, incident, plan, plan.order(order))
    course.happen(session, incident, f"tier.{key}.started")


def enter(
    session: Session, incident: Incident, entry: str, quantity: int, by: people.Standing, at: datetime
) -> continuity.BackEntry:
    """Enter some of a ledger line; once nothing of the incident's paper work remains its back-entry clocks are met."""
    line = continuity.complete(session, entry, quantity, by, at)
    _settle(session, incident, by, at)
    return line


def count(
    session: Session, incident: Incident, entry: str, quantity: int, by: people.Standing, at: datetime
) -> continuity.BackEntry:
    """Say how much of a ledger line there is in all; with nothing left to enter the back-entry clocks are met."""
    line = continuity.count(session, entry, quantity, by, at)
    _settle(session, incident, by, at)
    return line


def _settle(session: Session, incident: Incident, by: people.Standing, at: datetime) -> None:
    session.flush()
    if continuity.open_lines(session, incident.id):
        return
    for limit in limits.running(session, incident.id):
        if limit.key.startswith("back-entry-") and limits.end(session, limit, limits.MET, at):
            course.happen(session, incident, f"limit.{limit.key}.met", occurred_at=at, by=by.id)


def _propose(
    session: Session,
    incident: Incident,
    plan: rules.Plan,
    limit: limits.Limit,
    rule: rules.Consequence,
    said: dict[str, Any],
) -> None:
    if rule.level is None:
        course.propose_levels(session, incident, plan)
        return
    scale_key, _, level_key = rule.level.partition(".")
    scale = plan.scale(scale_key)
    level = next(one for one in scale.levels if one.key == level_key)
    title = {"zh": f"{scale.title.zh}：{level.title.zh}", "en": f"{scale.title.en}: {level.title.en}"}
    teams = plans.teams_for(session, plan, scale.by)
    if proposals.ask(
        session, incident, "level", title, said, limit.clause, teams[0] if teams else None, scale_key, level_key
    ):
        for key in level.route or (scale.by,):
            alerts.issue_to(session, incident, plan, key, title, said, critical=True, clause_=limit.clause)


def _order_late(session: Session, incident: Incident, plan: rules.Plan | None, limit: limits.Limit) -> None:
    """Tell the team's leader and those who decide that an order by hand is not done in time."""
    order = session.get(orders.Order, limit.rule["order"])
    said = {
        "zh": f"到时未完成：{limit.title['zh']}。请核实进展，支援或改派。",
        "en": f"Not done in time: {limit.title['en']}. Find out how far it is; help, or give it to others.",
    }
    critical = order is not None and order.critical
    deciding = plans.teams_for(session, plan, plan.authority.decides if plan else "leadership")
    lists = checklists.Checklist.incident == incident.id, checklists.Checklist.key == limit.key
    owners = list(session.scalars(select(checklists.Checklist.team).where(*lists).order_by(checklists.Checklist.id)))
    for team in dict.fromkeys([*owners, *deciding]):
        audience = "leaders" if team in owners else "on_duty"
        alerts.issue(session, incident, limit.title, said, team=team, audience=audience, critical=critical)


def _next_of_route(session: Session, incident: Incident, plan: rules.Plan | None, limit: limits.Limit) -> None:
    """Tell the next of a reporting route when those told so far are silent."""
    route = next((one for one in plan.routes if one.key == limit.rule["route"]), None) if plan else None
    if plan is None or route is None:
        return
    step = limit.rule["step"] + 1
    if step < len(route.to):
        course.follow_route(session, incident, plan, route, step)
    elif route.then is not None:
        following = next(one for one in plan.routes if one.key == route.then)
        course.follow_route(session, incident, plan, following, 0)
