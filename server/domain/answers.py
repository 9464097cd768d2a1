"""Answers: what people reply to an alert, the receipts of their phones, and what follows from both."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

from sqlalchemy import Table, insert
from sqlalchemy.orm import Session

from server.clock import now
from server.db import named_id, new_id
from server.domain import (
    alerts,
    calling,
    checklists,
    climbing,
    course,
    devices,
    feed,
    incidents,
    ladders,
    limits,
    orders,
    outbox,
    people,
    plans,
    reachability,
    recipients,
    rights,
    rules,
    timeline,
)
from server.domain.alerts import Answer, Board, Recipient
from server.domain.errors import NotFound, Refused
from server.domain.people import Standing
from server.statements import Statement


def addressed(session: Session, alert: str, person: str) -> recipients.Found:
    """The alert and the person's row of it, locked. Raises NotFound when it was never addressed to them."""
    found = recipients.find(session, alert, person)
    if found is None:
        calling.call_one(session, alert, person)  # else another process has called them just now
        found = recipients.find(session, alert, person)
    if found is None:
        raise NotFound("alert_unknown", "没有发给您的这条告警。", "There is no such alert addressed to you.")
    return found


_GIVE = Statement(insert(cast(Table, Answer.__table__)))


class Answered(NamedTuple):
    """Whose row of the alert an answer went to, and the answer that counts there now."""

    id: str
    answer: str


def answer(
    session: Session, id: str, alert: str, by: Standing, *, kind: str, occurred_at: datetime, eta_minutes: int | None = None,
    reason: str | None = None, read_back: str | None = None, person: str | None = None,
) -> Answered:  # fmt: skip
    """Record an answer, also a late one; the latest by when it was given counts.

    `person` is somebody on whose behalf (by radio) it is given. Their waiting deliveries are taken back at once.
    """
    found = addressed(session, alert, person or by.id)
    asked, row = found.alert, found.row
    rights.require(
        by,
        "alert.answer" if person in (None, by.id) else "alert.answer_for",
        team=asked.team,
        own=person in (None, by.id),
    )
    if kind not in asked.answers:
        raise Refused("answer_unfit", "这条告警不接受这种回执。", "This alert does not take that answer.", path="kind")
    if asked.read_back and kind == "received" and not (read_back or "").strip():
        raise Refused("read_back_needed", "请复述指令要点。", "Read the order back.", path="read_back")
    given = {
        "id": id, "alert": asked.id, "recipient": row.id, "kind": kind, "eta_minutes": eta_minutes, "reason": reason,
        "read_back": read_back, "by": by.id, "occurred_at": occurred_at, "received_at": now(),
    }  # fmt: skip
    _GIVE.run(session, **given)
    if row.answered_at is None or (occurred_at, id) > (row.answered_at, row.answer_id or ""):
        row.answer, row.answer_id, row.answered_at, row.answer_received_at = kind, id, occurred_at, now()
        row.eta_minutes, row.reason, row.answered_by, row.answer_seen_at = eta_minutes, reason, by.id, None
    row.told_at = row.told_at or now()
    row.delivered_at = row.delivered_at or now()
    row.opened_at = row.opened_at or now()
    recipients.keep(session, row)
    outbox.cancel(session, [row.id])
    feed.touch(session, Board(asked.incident))
    climbing.note_answer(session, asked, row, counted=found.counted)
    _record(session, asked, row, kind, by, occurred_at, eta_minutes, reason)
    _follow(session, found, kind, by, occurred_at)
    return Answered(row.id, row.answer)


def _record(
    session: Session,
    alert: Any,
    row: Any,
    kind: str,
    by: Standing,
    at: datetime,
    eta: int | None,
    reason: str | None,
) -> None:
    name = (by.name, by.name)
    if row.person != by.id:
        person = session.get(people.Person, row.person)
        whose = person.name if person else ""
        name = (f"{whose}（{by.name}代报）", f"{whose} (reported by {by.name})")
    zh, en = alerts.WORDS[kind]
    more = (f"，预计 {eta} 分钟", f", {eta} min") if eta is not None else ("", "")
    late = ("（告警已结束）", " (after the alert ended)") if alert.status == "ended" else ("", "")
    timeline.record(
        session, alert.incident, "answer", f"{name[0]}：{zh}{more[0]}{late[0]}", f"{name[1]}: {en}{more[1]}{late[1]}", by=by.id,
        occurred_at=at, refs={"alert": alert.id, "team": alert.team}, audience=f"{alert.team}:lead" if alert.team else "command",
    )  # fmt: skip


def _follow(session: Session, found: recipients.Found, kind: str, by: Standing, at: datetime) -> None:
    """Let the plan know of answers it waits for; a call for help goes to the leadership group."""
    alert, plan = found.alert, plans.rules_of(session, found.revision)
    running = limits.running(session, alert.incident) if found.limited else []
    waited = _awaited(found.revision, plan)
    if not running and not waited and kind != "need_help":
        return
    incident = session.get(incidents.Incident, alert.incident)
    assert incident is not None
    if kind == "need_help" and incident.status in incidents.OPEN:
        title = {"zh": f"{by.name}请求支援", "en": f"{by.name} needs help"}
        alerts.issue_to(session, incident, plan, "leadership", title, alert.title, critical=True)
    for limit in running:
        if limit.rule.get("kind") == "route" and kind != "cannot":
            limits.end(session, limit, limits.MET, at)
    if plan is None:
        return
    order = session.get(orders.Order, alert.order) if alert.order else None
    if order is not None and order.key and f"order.{order.key}.answered" in waited and kind != "cannot":
        course.happen(session, incident, f"order.{order.key}.answered", occurred_at=at, by=by.id)
    team = session.get(people.Team, alert.team) if alert.team else None
    for rule in plan.teams if team is not None and kind == "on_scene" else ():
        if team is not None and rule.kind == team.kind and f"team.{rule.key}.on-scene" in waited:
            course.happen(session, incident, f"team.{rule.key}.on-scene", occurred_at=at, by=by.id)


def _awaited(revision: str | None, plan: rules.Plan | None) -> frozenset[str]:
    """What the plan of a revision waits to hear of orders and teams."""
    if revision is None or plan is None:
        return frozenset()
    if revision not in _heard:
        heard = rules.listens_to(plan)
        _heard[revision] = frozenset(name for name in heard if name.startswith(("order.", "team.")))
    return _heard[revision]


_heard: dict[str, frozenset[str]] = {}  # revisions never change


def receive(session: Session, alert: str, person: str, kind: str, channel: str, occurred_at: datetime) -> None:
    """Record that an alert reached the person's phone (delivered) or was opened there."""
    asked, row, *_ = addressed(session, alert, person)
    before = dict(vars(row))
    changed = row.delivered_at is None or (kind == "opened" and row.opened_at is None)
    row.told_at = row.told_at or occurred_at
    row.delivered_at = row.delivered_at or occurred_at
    if kind == "opened":
        row.opened_at = row.opened_at or occurred_at
    if channel not in row.channels:
        row.channels = [*row.channels, channel]
    if vars(row) != before:
        recipients.keep(session, row)
    if changed:
        feed.touch(session, Board(asked.incident))


def told(session: Session, recipient: str, channel: str) -> None:
    """Record that a channel has taken the message for this person."""
    row = session.get(Recipient, recipient, with_for_update=True, populate_existing=True)
    if row is not None and row.told_at is None:
        row.told_at = now()
        feed.touch(session, Board(row.incident))


def note_seen(session: Session, recipient: str, by: Standing) -> Recipient:
    """Record that command has seen somebody's answer."""
    rights.require(by, "sighting.note")
    row = session.get(Recipient, recipient, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound()
    if row.answered_at is not None:
        row.answer_seen_at = row.answer_seen_at or now()
    return row


class Enough(NamedTuple):
    """How many must answer an order given by hand, within which time, and the teams asked next, in order, when too few do."""

    need: int
    within: timedelta
    following: tuple[str, ...] = ()


def command(
    session: Session, id: str, incident: incidents.Incident, by: Standing, *, title: str, text: str, team: str | None,
    to: list[str], critical: bool, read_back: bool, due_at: datetime | None, audience: str, occurred_at: datetime,
    enough: Enough | None = None,
) -> orders.Order:  # fmt: skip
    """Give an order by hand to a team or to some people; it goes out as an alert at once.

    With `enough` the following teams are asked, one after the other, while too few have answered in time. With `due_at`
    a limit runs until the team, or every team that those people are in, marks it done (or it is ended by a decision), as
    for an order of a plan.
    """
    rights.require(by, "order.give", team=team)
    if team is None and not to:
        raise Refused("nobody_addressed", "请选择组或人员。", "Choose a team or people.", path="team")
    if team is not None and session.get(people.Team, team) is None:
        raise Refused("team_unknown", "没有这个组。", "There is no such team.", path="team")
    asked = [people.standing(session, person) for person in to]
    if team is not None and not incidents.invited(incident, team):
        raise _not_in_drill("team")
    if len(alerts.within_drill(session, incident, team, to)) < len(to):
        raise _not_in_drill("people")
    for following in enough.following if enough is not None else ():
        rights.require(by, "order.give", team=following)
        if following == team or session.get(people.Team, following) is None:
            raise Refused(
                "team_unknown", "没有可以接替的这个组。", "There is no such team to ask next.", path="quorum.next"
            )
        if not incidents.invited(incident, following):
            raise _not_in_drill("quorum.next")
    both = {"zh": title, "en": title}
    order = orders.Order(
        id=id, incident=incident.id, team=team, kind="manual", title=both, text={"zh": text, "en": text}, critical=critical,
        read_back=read_back, by=by.id, issued_at=now(), due_at=due_at, status="issued",
    )  # fmt: skip
    session.add(order)
    session.flush()
    alert = alerts.issue(
        session, incident, both, {"zh": text, "en": text}, team=team, to=to, order=id, critical=critical, read_back=read_back,
        audience=audience, by=by.id, id=named_id(id, "alert"),
    )  # fmt: skip
    order.alert = alert.id
    if due_at is not None:
        _watch(session, incident, order, due_at, [team] if team is not None else _teams_of(incident, asked))
    if enough is not None:
        within = rules.Length("span", int(enough.within.total_seconds()))
        ladders.ask_for(session, incident, [alert.id], rules.Quorum(need=enough.need, within=within), enough.following)
    timeline.record(
        session, incident.id, "order", f"{by.name}下达指令：{title}", f"Order by {by.name}: {title}", by=by.id, occurred_at=occurred_at,
        refs={"order": id, "alert": alert.id, "team": team},
    )  # fmt: skip
    return order


def _teams_of(incident: incidents.Incident, asked: list[Standing]) -> list[str]:
    """The team that all of these people are in; where they share none, one team of each; only teams that may take part."""
    posts = [{team for team in one.posts if incidents.invited(incident, team)} for one in asked]
    if shared := set.intersection(*posts):
        return [min(shared)]
    found: list[str] = []
    for own in posts:
        if own and own.isdisjoint(found):
            found.append(min(own))
    return found


def _watch(
    session: Session, incident: incidents.Incident, order: orders.Order, due_at: datetime, teams: list[str]
) -> None:
    """Start the clock of an order by hand, with the one item by which its people say, each in their team, that it is done."""
    for team in teams:
        incidents.join(session, incident, team)
        made = checklists.make_one(session, incident, order.id, team, order.title, order.issued_at)
        order.checklist = order.checklist or made.id
    session.add(
        limits.Limit(
            id=new_id(), incident=incident.id, key=f"order-{order.id}", title=order.title, clause=None, owner_team=teams[0] if len(teams) == 1 else None,
            rule={"kind": "order", "order": order.id},
            consequence={"zh": "通知组长和领导小组", "en": "its leader and the leadership group are told"},
            started_at=order.issued_at, due_at=due_at,
            length_seconds=max(0, round((due_at - order.issued_at).total_seconds())), status=limits.RUNNING,
        )
    )  # fmt: skip


def _not_in_drill(path: str) -> Refused:
    return Refused(
        "not_in_drill", "该组或人员不参加演练，不能下达指令。", "They do not take part in this drill and may not be ordered.",
        path=path,
    )  # fmt: skip


def push_arrived(session: Session, delivery: outbox.Delivery, kind: str, occurred_at: datetime) -> None:
    """Record the receipt of a message: its channel is proven, the device heard of, the alert delivered."""
    subscription = session.get(devices.Subscription, delivery.subscription) if delivery.subscription else None
    if subscription is not None:
        subscription.proven_at, subscription.unanswered_since = now(), None
        device = session.get(devices.Device, subscription.device)
        if device is not None:
            device.last_receipt_at = now()
    live = subscription is not None and subscription.state == "live"
    if delivery.person is not None and (delivery.channel != reachability.PUSH or live):
        reachability.prove(session, delivery.person, delivery.channel)
    if delivery.recipient is not None and delivery.person is not None:
        receive(session, delivery.subject, delivery.person, kind, delivery.channel, occurred_at)
