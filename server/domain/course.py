"""The course of an incident: a fact happens, and the plan's limits, routes, phases, orders, locks and levels follow."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.clock import now
from server.db import named_id, new_id
from server.domain import (
    alerts,
    checklists,
    continuity,
    incidents,
    interlocks,
    ladders,
    limits,
    local_times,
    notices,
    orders,
    people,
    plans,
    proposals,
    rules,
    timeline,
)
from server.domain.checklists import clause, words
from server.domain.incidents import Happening, Incident
from server.domain.rules.situations import Trigger
from server.domain.rules.teams import Route

TIMERS = ("tier-", "level-")  # clocks that begin something by themselves, not times that somebody must keep
NOT_ACTIVE = ("reported", "verified", "warning")
DEEPEST = 12  # facts that make facts; a plan that goes deeper than this loops


def happen(
    session: Session, incident: Incident, key: str, *, occurred_at: datetime | None = None, by: str | None = None,
    value: Any = None, unit: str | None = None, note: str | None = None, id: str | None = None, depth: int = 0,
) -> Happening:  # fmt: skip
    """Record that a fact happened (or a measure was taken) and let the plan act on it."""
    at = occurred_at or now()
    fact = Happening(
        id=id or new_id(),
        incident=incident.id,
        key=key,
        value=value,
        unit=unit,
        note=note,
        by=by,
        occurred_at=at,
        received_at=now(),
    )
    session.add(fact)
    session.flush()
    if depth == 0:  # two facts at once must not both begin the same phase
        session.execute(select(Incident.id).where(Incident.id == incident.id).with_for_update())
    if key == "service.restored" and incident.status == "activated":
        incidents.move(incident, "restored", allowed=("activated",))
        incident.restored_at = at
    plan = plans.rules_of(session, incident.revision)
    if plan is None or depth > DEEPEST:
        return fact
    moot = rules.moot(plan, key)
    for limit in limits.running(session, incident.id):
        rule = _rule(plan, limit)
        if limit.key in moot:
            limits.end(session, limit, limits.CANCELLED, at)
        elif (
            rule is not None
            and key in rule.ends
            and at >= limit.started_at
            and limits.end(session, limit, limits.MET, at)
        ):
            timeline.record(
                session, incident.id, "limit_met", f"时限内完成：{limit.title['zh']}", f"Limit met: {limit.title['en']}",
                refs={"limit": limit.id}, occurred_at=at,
            )  # fmt: skip
            happen(session, incident, f"limit.{limit.key}.met", occurred_at=at, depth=depth + 1)
    known = incidents.known(session, incident, plan)
    for starting in rules.limits_started_by(plan, key, known):
        start_limit(session, incident, plan, starting, at, known, key)
    _start_waiting(session, incident, plan, key, known)
    for phase in rules.phases_started_by(plan, key):
        begin_phase(session, incident, plan, phase, at, depth)
    for route in rules.routes_for(plan, key, local_times.hours(session, plan, at)):
        follow_route(session, incident, plan, route, 0)
    for trigger in plan.triggers:
        if trigger.on == key != "incident.reported" and rules.holds(trigger.when, known) is True:
            set_off(session, incident, plan, trigger, at)
    _give_orders_of_open_phases(session, incident, plan, depth)
    interlocks.unlock(session, incident, plan)
    propose_levels(session, incident, plan, depth)
    return fact


def set_off(session: Session, incident: Incident, plan: rules.Plan, trigger: Trigger, at: datetime) -> None:
    """Start the plan, warn, or put the decision to those who decide, as the trigger says."""
    if trigger.mode == "automatic":
        _activate_by_itself(session, incident, at)
    elif trigger.mode == "warning":
        warn(session, incident, at)
    elif trigger.mode == "decided" and incident.status in NOT_ACTIVE:
        _ask_to_activate(session, incident, plan, trigger.by, words(trigger.words), clause(plan.authority.clause))


def warn(session: Session, incident: Incident, at: datetime, depth: int = 0) -> None:
    """Issue the plan's warning, once and only before it is activated."""
    if incident.status in ("reported", "verified"):
        incidents.move(incident, "warning", allowed=("reported", "verified"))
        happen(session, incident, "plan.warned", occurred_at=at, depth=depth)


def _activate_by_itself(session: Session, incident: Incident, at: datetime) -> None:
    if incident.status in NOT_ACTIVE:
        activate(session, incident, None, at)


def _ask_to_activate(
    session: Session, incident: Incident, plan: rules.Plan, by: str | None, said: dict[str, str], clause_: Any
) -> None:
    teams = plans.teams_for(session, plan, by or plan.authority.decides)
    title = {"zh": "是否启动预案", "en": "Activate the plan or not"}
    proposals.ask(session, incident, "activate", title, said, clause_, teams[0] if teams else None)


def start_limit(
    session: Session, incident: Incident, plan: rules.Plan, rule: rules.LimitRule, at: datetime, known: dict[str, Any],
    fact: str | None = None,
) -> limits.Limit | None:  # fmt: skip
    """Start a limit's clock because of a fact.

    None when it runs already or has run and does not begin anew, or when its length is not known yet.
    """
    same = select(limits.Limit).where(limits.Limit.incident == incident.id, limits.Limit.key == rule.key)
    for before in session.scalars(same):
        if before.status in (limits.RUNNING, limits.PAUSED) or before.started_at == at:
            return None
        if not _begins_anew(session, incident, rule, fact):
            return None
    try:
        due = rules.due_at(rule, at, plan.timezone or people.organisation(session).timezone, known)
    except rules.LengthUnknown:
        return None
    if rule.key != "review":  # what comes after a drill is written in real time
        due = at + incidents.pace(incident, due - at)
    owners = plans.teams_for(session, plan, rule.owner)
    limit = limits.Limit(
        id=new_id(), incident=incident.id, key=rule.key, title=words(rule.title), clause=clause(rule.clause),
        owner_team=owners[0] if owners else None, rule={"kind": "plan", "timer": rule.key.startswith(TIMERS)}, consequence=_consequence_words(incident, plan, rule),
        started_at=at, due_at=due, length_seconds=max(0, round((due - at).total_seconds())), status=limits.RUNNING,
    )  # fmt: skip
    session.add(limit)
    if rule.key.startswith("back-entry-"):
        continuity.due(session, incident.id, rule.key.removeprefix("back-entry-"), due)
    timeline.record(
        session, incident.id, "limit_start", f"开始计时：{limit.title['zh']}", f"Limit started: {limit.title['en']}",
        refs={"limit": limit.id}, occurred_at=at,
    )  # fmt: skip
    return limit


def _begins_anew(session: Session, incident: Incident, rule: rules.LimitRule, fact: str | None) -> bool:
    times: dict[str, list[datetime]] = {}
    for one in incidents.happened(session, incident.id):
        times.setdefault(one.key, []).append(one.occurred_at)
    earlier, last = times.get(fact or "", [])[:-1], {key: when[-1] for key, when in times.items()}
    return rules.may_run_again(rule, fact or "", earlier[-1] if earlier else None, last)


def _start_waiting(session: Session, incident: Incident, plan: rules.Plan, measure: str, known: dict[str, Any]) -> None:
    """Set the clocks whose length is the value just measured, from when each began to count."""
    for rule in rules.limits_waiting_for(plan, measure):
        happened = incidents.occurred(session, incident.id)
        began = [happened[fact] for fact in rule.starts if fact in happened]
        over = any(happened[fact] >= max(began) for fact in rule.ends if fact in happened) if began else True
        if not over and rules.holds(rule.when, known) is not False:
            start_limit(session, incident, plan, rule, max(began), known)


def propose_levels(session: Session, incident: Incident, plan: rules.Plan, depth: int = 0) -> None:
    """Put the levels that what is known calls for to those who decide; one that is automatic sets itself, upwards only."""
    for found in proposals.propose_levels(session, incident, plan):
        before = incident.levels.get(found.scale)
        if found.level.activation == "automatic" and not rules.is_lowering(plan, found.scale, before, found.level.key):
            set_level(session, incident, plan, found.scale, found.level.key, None, now(), depth + 1)


def begin_phase(
    session: Session, incident: Incident, plan: rules.Plan, phase: rules.Phase, at: datetime, depth: int
) -> None:
    """Begin a phase once: its orders and notices go out."""
    fact = f"phase.{phase.key}.started"
    if fact in incidents.occurred(session, incident.id):
        return
    timeline.record(
        session, incident.id, "phase", f"进入阶段：{phase.title.zh}", f"Phase begins: {phase.title.en}", occurred_at=at
    )
    happen(session, incident, fact, occurred_at=at, depth=depth + 1)
    known = incidents.known(session, incident, plan)
    for rule in rules.orders_for(plan, phase.key, _levels(incident), known):
        give_order(session, incident, plan, rule, depth)
    for notice in rules.notices_for(plan, phase.key):
        prepare_notice(session, incident, plan, notice.key)


def reconsider(session: Session, incident: Incident) -> None:
    """Work out anew what hangs on what is known: locks, levels, and orders that may go out now."""
    plan = plans.rules_of(session, incident.revision)
    if plan is not None:
        _give_orders_of_open_phases(session, incident, plan, 0)
        interlocks.unlock(session, incident, plan)
        propose_levels(session, incident, plan)


def give_order(session: Session, incident: Incident, plan: rules.Plan, rule: rules.OrderRule, depth: int = 0) -> None:
    """Give an order of the plan to each team it names, once, with its checklist and its alert."""
    given = select(orders.Order.id).where(orders.Order.incident == incident.id, orders.Order.key == rule.key)
    if session.scalar(given.limit(1)) is not None:
        return
    if f"order.{rule.key}" in interlocks.locks(session, incident, plan):
        return  # it goes out when the interlock opens
    asked = []
    for team in plans.teams_for(session, plan, rule.team):
        at = now()
        order = orders.Order(
            id=named_id(incident.id, f"order {rule.key} {team}"), incident=incident.id, team=team, key=rule.key, kind="plan", title=words(rule.title),
            text=words(rule.text), critical=rule.critical, read_back=rule.read_back, clause=clause(rule.clause),
            issued_at=at, due_at=local_times.due(session, incident, plan, rule.within, at), status="issued",
        )  # fmt: skip
        incidents.join(session, incident, team)
        session.add(order)
        session.flush()
        if (listed := rules.checklist_of(plan, rule)) is not None:
            held = interlocks.locks(session, incident, plan)
            order.checklist = checklists.make(session, incident, order.id, team, listed, held, at).id
        answerers = _outside_no_phone_zone(session, plan, rule, team)
        alert = alerts.issue(
            session, incident, order.title, order.text, team=team if answerers is None else None, to=answerers or (),
            audience=rule.audience, order=order.id, critical=rule.critical, read_back=rule.read_back, answers=rule.answers,
            clause=order.clause, ladder=rule.ladder, id=named_id(order.id, "alert"),
        )  # fmt: skip
        order.alert = alert.id
        asked.append(alert.id)
        timeline.record(
            session, incident.id, "order", f"已下达指令：{rule.title.zh}", f"Order given: {rule.title.en}",
            refs={"order": order.id, "team": team},
        )  # fmt: skip
    if rule.quorum is not None and asked:
        following = [team for key in rule.quorum.next for team in plans.teams_for(session, plan, key)]
        ladders.ask_for(session, incident, asked, rule.quorum, list(dict.fromkeys(following)))
    happen(session, incident, f"order.{rule.key}.issued", depth=depth + 1)


def follow_route(session: Session, incident: Incident, plan: rules.Plan, route: Route, step: int) -> None:
    """Tell the next team of a reporting route; all at once where the route gives no waiting time.

    A team that has just been given its order is not told a second time. While the next in line waits, a limit runs that
    an answer ends.
    """
    title = {"zh": f"事件报告：{incident.title}", "en": f"Incident: {incident.title}"}
    told = route.to if route.after is None else route.to[step : step + 1]
    for key in told:
        if not alerts.just_asked(session, incident.id, plans.teams_for(session, plan, key)):
            alerts.issue_to(
                session, incident, plan, key, title, words(route.words or route.title), critical=True,
                clause_=clause(route.clause),
            )  # fmt: skip
    following = route.to[step + 1] if step + 1 < len(route.to) else None
    if route.after is None or (following is None and route.then is None):
        return
    at, asked = now(), plan.team(route.to[step]).title
    after = incidents.pace(incident, timedelta(seconds=route.after.seconds))
    then = plan.team(following).title if following else None
    session.add(
        limits.Limit(
            id=new_id(), incident=incident.id, key=f"route-{route.key}-{step}",
            title={"zh": f"等待{asked.zh}回执", "en": f"Waiting for {asked.en} to answer"}, clause=clause(route.clause),
            owner_team=next(iter(plans.teams_for(session, plan, route.to[step])), None),
            rule={"kind": "route", "route": route.key, "step": step},
            consequence={"zh": f"转报{then.zh}", "en": f"{then.en} is told"} if then else None, started_at=at,
            due_at=at + after, length_seconds=round(after.total_seconds()), status=limits.RUNNING,
        )
    )  # fmt: skip


def set_level(
    session: Session, incident: Incident, plan: rules.Plan, scale: str, level: str, by: str | None, at: datetime,
    depth: int = 0,
) -> None:  # fmt: skip
    """Set a level of a scale; the plan's orders for it follow, and what the level does to the plan."""
    before = incident.levels.get(scale)
    rule = next(one for one in plan.scale(scale).levels if one.key == level)
    incident.levels = {**incident.levels, scale: level}
    incident.level = {
        "scale": scale,
        "key": level,
        "title": words(rule.title),
        "colour": rule.colour if rule.colour != "grey" else None,
        "rank": rule.rank,
    }
    incident.version += 1
    proposals.close(session, incident, "level", "taken", scale)
    timeline.record(
        session,
        incident.id,
        "level",
        f"级别定为{rule.title.zh}",
        f"Level set to {rule.title.en}",
        by=by,
        occurred_at=at,
    )
    happen(session, incident, "level.set", occurred_at=at, by=by, value=f"{scale}.{level}", depth=depth)
    if before != level:
        happen(session, incident, f"level.{scale}.{level}", occurred_at=at, by=by, depth=depth)
    if before is not None and before != level:
        lowered = rules.is_lowering(plan, scale, before, level)
        happen(session, incident, "level.lowered" if lowered else "level.raised", occurred_at=at, by=by, depth=depth)
    if rule.activation == "automatic":
        _activate_by_itself(session, incident, at)
    elif rule.activation == "warning":
        warn(session, incident, at, depth)
    elif rule.activation == "decided" and incident.status in NOT_ACTIVE:
        _ask_to_activate(session, incident, plan, None, words(rule.action), clause(rule.clause))


def activate(session: Session, incident: Incident, by: str | None, at: datetime) -> None:
    """Start the plan: the incident is activated and everything the plan hangs on that follows."""
    incidents.move(incident, "activated", allowed=NOT_ACTIVE)
    incident.activated_at = at
    proposals.close(session, incident, "activate", "taken")
    plan = plans.rules_of(session, incident.revision)
    for limit in limits.running(session, incident.id) if plan else ():
        rule = _rule(plan, limit) if plan else None
        if plan and rule and any(one.ask == "activate" for one in rule.then):
            limit.consequence = _consequence_words(incident, plan, rule)
    happen(session, incident, "plan.activated", occurred_at=at, by=by)


def prepare_notice(session: Session, incident: Incident, plan: rules.Plan, key: str) -> None:
    """Lay the plan's wording before those who approve it, once, as one draft for each channel."""
    rule = plan.notice(key)
    known = select(notices.Notice.id).where(notices.Notice.incident == incident.id, notices.Notice.key == key)
    if session.scalar(known.limit(1)) is not None:
        return
    for channel in rule.channels:
        notices.draft(
            session, new_id(), incident, None, channel=channel, kind=rule.kind, wording=words(rule.text),
            occurred_at=now(), key=key, clause=clause(rule.clause),
        )  # fmt: skip
    timeline.record(
        session, incident.id, "notice_due", f"待批准公告：{rule.title.zh}", f"A notice waits for approval: {rule.title.en}",
        refs={"notice_rule": key},
    )  # fmt: skip


def _rule(plan: rules.Plan, limit: limits.Limit) -> rules.LimitRule | None:
    return next((one for one in rules.all_limits(plan) if one.key == limit.key), None)


def _consequence_words(incident: Incident, plan: rules.Plan, rule: rules.LimitRule) -> dict[str, str] | None:
    said = rules.in_words(rules.consequences(rule) if incident.status in NOT_ACTIVE else rules.left_to_do(plan, rule))
    return words(said) if said else None


def _levels(incident: Incident) -> Sequence[str]:
    return [f"{scale}.{level}" for scale, level in incident.levels.items()]


def _give_orders_of_open_phases(session: Session, incident: Incident, plan: rules.Plan, depth: int) -> None:
    """Give the orders that waited for a level, a condition or an interlock and may go out now."""
    held = {target for interlock in plan.interlocks for target in interlock.locks}
    if not any(one.levels or one.when or f"order.{one.key}" in held for one in plan.orders):
        return
    known = incidents.known(session, incident, plan)
    for phase in plan.phases:
        if f"phase.{phase.key}.started" in known:
            for rule in rules.orders_for(plan, phase.key, _levels(incident), known):
                if rule.levels or rule.when or f"order.{rule.key}" in held:
                    give_order(session, incident, plan, rule, depth)


def _outside_no_phone_zone(session: Session, plan: rules.Plan, rule: rules.OrderRule, team: str) -> list[str] | None:
    """Who answers for a team that works where no phone may be used: its leaders outside; None for everybody."""
    if rule.answer_from != "outside":
        return None
    return alerts.audience_of(session, team, "leaders")[0]


def publish_notice(
    session: Session, incident: Incident, notice: notices.Notice, by: people.Standing, at: datetime
) -> None:
    """Record that a notice is out and let the plan hear of it."""
    notices.publish(session, notice, by, incident.drill)
    if notice.key:
        happen(session, incident, f"notice.{notice.key}.published", occurred_at=at, by=by.id)
