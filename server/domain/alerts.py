"""Alerts: messages that ask people to answer, and for each person what became of it."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Boolean, ForeignKey, Index, Integer, String, bindparam, case, func, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.bulk import Given, as_rows
from server.clock import iso, now
from server.db import Id, Key, Model, new_id
from server.domain import (
    feed,
    incidents,
    ladders,
    messages,
    outbox,
    people,
    plans,
    rolls,
    rules,
    steps,
    timeline,
    whereabouts,
)
from server.statements import Statement

ANSWERS = ("received", "on_my_way", "on_scene", "cannot", "need_help")
VALIDITY = timedelta(hours=4)
WORDS = {
    "received": ("收到", "received"), "on_my_way": ("出发", "on my way"), "on_scene": ("到位", "on scene"),
    "cannot": ("无法到场", "cannot come"), "need_help": ("请求支援", "needs help"),
}  # fmt: skip


class Alert(Model):
    """A message to one team or to some people that asks for an answer."""

    __tablename__ = "alert"
    synced_type = "alert"
    id: Mapped[Key]
    incident: Mapped[Id] = mapped_column(ForeignKey("incident.id"))
    order: Mapped[Id | None] = mapped_column(ForeignKey("order.id"))
    team: Mapped[Id | None] = mapped_column(ForeignKey("team.id"))
    title: Mapped[dict[str, Any]]
    body: Mapped[dict[str, Any]]
    level: Mapped[Any | None]
    critical: Mapped[bool] = mapped_column(Boolean, default=False)
    read_back: Mapped[bool] = mapped_column(Boolean, default=False)
    drill: Mapped[bool] = mapped_column(Boolean, default=False)
    answers: Mapped[list[Any]]
    clause: Mapped[Any | None]
    place: Mapped[Id | None]
    by: Mapped[Id | None]
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    status: Mapped[str] = mapped_column(String(8), default="open")
    audience: Mapped[str | None] = mapped_column(String(10))
    __table_args__ = (Index(None, "incident"),)

    def spaces(self, session: Session) -> Iterable[str]:
        """Those who were asked, the team and command see it."""
        asked = session.scalars(select(Recipient.person).where(Recipient.alert == self.id))
        team = [f"incident:{self.incident}:team:{self.team}"] if self.team else []
        return (f"incident:{self.incident}:command", *team, *(f"me:{person}" for person in asked))

    def document(self, session: Session, space: str) -> dict[str, Any]:
        """The alert as phones keep it."""
        return {
            "id": self.id, "incident": self.incident, "order": self.order, "team": self.team, "title": self.title,
            "body": self.body, "level": self.level, "critical": self.critical, "read_back": self.read_back,
            "drill": self.drill, "answers": self.answers, "clause": self.clause, "place": self.place, "by": self.by,
            "issued_at": iso(self.issued_at), "expires_at": iso(self.expires_at), "status": self.status,
        }  # fmt: skip


class Recipient(Model):
    """What became of an alert for one person: told, delivered, opened, answered."""

    __tablename__ = "recipient"
    synced_type = "recipient"
    keeps_its_spaces = True
    id: Mapped[Key]
    alert: Mapped[Id] = mapped_column(ForeignKey("alert.id"))
    incident: Mapped[Id] = mapped_column(ForeignKey("incident.id"))
    person: Mapped[Id] = mapped_column(ForeignKey("person.id"))
    team: Mapped[Id | None]
    told_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    opened_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]
    answer: Mapped[str | None] = mapped_column(String(12))
    answer_id: Mapped[Id | None]
    answer_received_at: Mapped[datetime | None]
    eta_minutes: Mapped[int | None] = mapped_column(Integer)
    reason: Mapped[str | None]
    answered_by: Mapped[Id | None]
    answer_seen_at: Mapped[datetime | None]
    excused_at: Mapped[datetime | None]
    channels: Mapped[list[Any]] = mapped_column(default=list)
    __table_args__ = (
        Index("uq_recipient_alert_person", "alert", "person", unique=True),
        Index(None, "person"),
        Index(None, "incident", "person"),
    )

    def spaces(self, session: Session) -> Iterable[str]:
        """The person, those who lead their team and command see it."""
        found = {f"me:{self.person}", f"incident:{self.incident}:command"}
        if self.team:
            found.add(f"incident:{self.incident}:team:{self.team}:lead")
        return found

    def document(self, session: Session, space: str) -> dict[str, Any]:
        """The recipient as phones keep it."""
        return {
            "id": self.id, "alert": self.alert, "incident": self.incident, "person": self.person, "team": self.team,
            "told_at": iso(self.told_at), "delivered_at": iso(self.delivered_at), "opened_at": iso(self.opened_at),
            "answered_at": iso(self.answered_at), "answer": self.answer, "answer_id": self.answer_id,
            "answer_received_at": iso(self.answer_received_at), "eta_minutes": self.eta_minutes,
            "reason": self.reason, "answered_by": self.answered_by,
            "answer_seen_at": iso(self.answer_seen_at), "excused_at": iso(self.excused_at), "channels": self.channels,
        }  # fmt: skip


class Answer(Model):
    """One answer somebody gave; the latest by when it happened counts, all are kept."""

    __tablename__ = "answer"
    id: Mapped[Key]
    alert: Mapped[Id] = mapped_column(ForeignKey("alert.id"))
    recipient: Mapped[Id] = mapped_column(ForeignKey("recipient.id"))
    kind: Mapped[str] = mapped_column(String(12))
    eta_minutes: Mapped[int | None] = mapped_column(Integer)
    reason: Mapped[str | None]
    read_back: Mapped[str | None]
    by: Mapped[Id]
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime]
    __table_args__ = (Index(None, "recipient"),)


_NUMBERS = ("asked", "told", "delivered", "opened", "answered", "silent")


class Board:
    """How an incident's alerts stand, team by team, in numbers."""

    synced_type = "board"
    counted = True

    def __init__(self, incident: str) -> None:
        self.id = incident

    def spaces(self, session: Session) -> Iterable[str]:
        """Command, observers and those who lead see the numbers."""
        return (f"incident:{self.id}:numbers",)

    def document(self, session: Session, space: str) -> dict[str, Any]:
        """People told, delivered, opened and answered per team, over the alerts that are open or were answered."""
        teams: dict[str | None, dict[str, Any]] = {}
        standing = _STANDING.rows(session, incident=self.id)
        for team, answer, asked, told, delivered, opened, answered, excused in standing:
            row = teams.setdefault(team, {"team": team, **dict.fromkeys(_NUMBERS, 0), "by_answer": {}})
            numbers = (asked, told, delivered, opened, answered, asked - answered - excused)
            for name, value in zip(_NUMBERS, numbers, strict=True):
                row[name] += value
            if answer is not None:
                row["by_answer"][answer] = row["by_answer"].get(answer, 0) + asked
        return {"id": self.id, "incident": self.id, "teams": sorted(teams.values(), key=lambda row: row["team"] or "")}


# Worked out once: it runs in every commit that holds an answer or a receipt.
_STANDING = Statement(
    select(
        Recipient.team, Recipient.answer, func.count(), func.count(Recipient.told_at), func.count(Recipient.delivered_at),
        func.count(Recipient.opened_at), func.count(Recipient.answered_at),
        func.count(case((Recipient.answered_at.is_(None), Recipient.excused_at))),
    )
    .where(Recipient.incident == bindparam("incident"))
    .group_by(Recipient.team, Recipient.answer)
)  # fmt: skip


def audience_of(session: Session, team: str, audience: str) -> tuple[list[str], bool]:
    """The people of a team that an alert goes to, and whether the roster named them: on_duty, leaders or everyone."""
    if audience == "on_duty":
        return people.named_on_duty(session, team)
    posts = people.posts_of(session, team)
    leaders = [person for person, post in posts if audience == "leaders" and post in people.LEADING]
    return leaders or [person for person, _ in posts], True


def issue(
    session: Session, incident: incidents.Incident, title: dict[str, str], body: dict[str, str], *, team: str | None = None,
    to: Sequence[str] = (), audience: str = "on_duty", order: str | None = None, critical: bool = False,
    read_back: bool = False, answers: Sequence[str] = ANSWERS, clause: Any = None, by: str | None = None,
    ladder: str | None = None, id: str | None = None,
) -> Alert:  # fmt: skip
    """Ask a team (or the people `to`) for an answer: the alert, a row per person, and their deliveries, all at once.

    `ladder`: by which the silent are reached; None: the plan's or organisation's own. Who is near gas is not asked: see whereabouts.
    """
    at = now()
    asked = list(to)
    if team is not None:
        incidents.join(session, incident, team)
        asked, _ = audience_of(session, team, audience)
    asked = within_drill(session, incident, team, asked)
    asked, body, kept_out = whereabouts.ask_outside(session, incident, team, asked, body)
    alert = Alert(
        id=id or new_id(), incident=incident.id, order=order, team=team, title=title, body=body, level=incident.level,
        critical=critical, read_back=read_back, drill=incident.drill, answers=list(answers), clause=clause,
        place=incident.place, by=by, issued_at=at, expires_at=at + VALIDITY, status="open",
        audience=audience if team is not None else None,
    )  # fmt: skip
    session.add(alert)
    session.flush()
    whereabouts.note(session, incident, alert.id, team, kept_out)
    if asked:
        _reach(session, alert, asked, ladders.begin(session, incident, alert.id, team, ladder))
    feed.touch(session, Board(incident.id))
    name = session.get(people.Team, team) if team else None
    where = (
        name.title
        if name
        else {"zh": f"{len(asked)} 人", "en": f"{len(asked)} {'person' if len(asked) == 1 else 'people'}"}
    )
    if team is not None and not incidents.invited(incident, team):
        timeline.record(
            session, incident.id, "not_in_drill", f"{where['zh']}不参加演练，未通知：{title['zh']}",
            f"{where['en']} does not take part and was not alerted: {title['en']}", by=by,
            refs={"alert": alert.id, "team": team}, audience="command",
        )  # fmt: skip
        return alert
    space, count = ("", (f"（{len(asked)} 人）", f" ({len(asked)})")) if name else (" ", ("", ""))
    timeline.record(
        session, incident.id, "alert", f"已通知{space}{where['zh']}{count[0]}：{title['zh']}",
        f"{where['en']} alerted{count[1]}: {title['en']}", by=by, refs={"alert": alert.id, "team": team},
    )  # fmt: skip
    if not asked:
        timeline.record(
            session, incident.id, "nobody", f"{where['zh']}没有可通知的人员", f"{where['en']} has nobody who can be alerted",
            refs={"alert": alert.id, "team": team}, audience="command",
        )  # fmt: skip
    return alert


def _reach(session: Session, alert: Alert, asked: Sequence[str], by: Sequence[str]) -> None:
    """Ask these people at once, or let them be called part by part when they are very many; chats are told at once."""
    if len(asked) <= rolls.PART:
        send(session, alert, ask(session, alert, asked), by=by)
        return
    send(session, alert, [Asked("", person) for person in asked], by=[one for one in by if one in messages.TO_GROUP])
    own = [one for one in by if one not in messages.TO_GROUP]
    rolls.enter(session, alert.incident, alert.id, asked, own, outbox.CRITICAL if alert.critical else outbox.NORMAL)


class Asked(NamedTuple):
    """Somebody an alert has just been addressed to: the row for them and who it is."""

    id: str
    person: str


def ask(session: Session, alert: Alert, people: Iterable[str], *, shown: bool = True) -> list[Asked]:
    """Make a recipient of an alert for each of these people, however many they are.

    `shown`: those who lead see their rows at once; without it only their own phones do, and `told.show` must follow.
    """
    rows = [Asked(new_id(), person) for person in people]
    given = as_rows([(row.id, row.person) for row in rows])
    _ADD_ASKED.run(session, rows=given, alert=alert.id, incident=alert.incident, team=alert.team, channels=[])
    # Ten thousand documents differ in two ids: one is made and the ids are put into it.
    model = Recipient(
        id=feed.ROW, alert=alert.id, incident=alert.incident, person=feed.WHO, team=alert.team, channels=[]
    )
    shape = orjson.dumps(model.document(session, "")).decode()
    shared = [space for space in model.spaces(session) if shown and feed.WHO not in space]
    text = orjson.dumps(alert.document(session, "")).decode()
    feed.enter(session, Alert.synced_type, text, [(f"me:{row.person}", alert.id, row.person) for row in rows])
    for space in ("", *shared):
        seen = [(space or f"me:{row.person}", row.id, row.person) for row in rows]
        feed.enter(session, Recipient.synced_type, shape, seen)
    return rows


_GIVEN = Given()
_ALIKE = ("alert", "incident", "team", "channels")
_ADD_ASKED = Statement(
    insert(Recipient).from_select(
        ["id", "person", *_ALIKE],
        select(
            _GIVEN.id(0), _GIVEN.id(1), *(bindparam(name, type_=Recipient.__table__.c[name].type) for name in _ALIKE),
        ).select_from(_GIVEN.source),
    )
)  # fmt: skip


def within_drill(session: Session, incident: incidents.Incident, team: str | None, asked: Sequence[str]) -> list[str]:
    """Those of `asked` an alert may reach: everybody, or in a drill the people of the teams chosen for it."""
    if incident.participants is None or team is not None and team in incident.participants:
        return list(asked)
    if team is not None:
        return []
    chosen = {person for one in incident.participants for person, _ in people.posts_of(session, one)}
    return [person for person in asked if person in chosen]


def issue_to(
    session: Session, incident: incidents.Incident, plan: rules.Plan | None, key: str, title: dict[str, str], body: dict[str, str], *,
    critical: bool = False, audience: str = "on_duty", clause_: Any = None,
) -> list[Alert]:  # fmt: skip
    """Alert the organisation's teams behind a team of the plan."""
    found = []
    for team in plans.teams_for(session, plan, key):
        found.append(
            issue(session, incident, title, body, team=team, audience=audience, critical=critical, clause=clause_)
        )
    return found


def send(
    session: Session,
    alert: Alert,
    rows: Sequence[Recipient | Asked],
    kind: str = "alert",
    by: Sequence[str] = ("push",),
    hands: outbox.Hands | None = None,
) -> list[str]:
    """Queue an alert for these recipients by these channels; returns those that were set up and had somebody to reach.

    A drill leaves the building only as a push of the app, marked as a drill. `hands` are those of a sender that sends now.
    """
    priority = outbox.CRITICAL if alert.critical else outbox.NORMAL
    asked, used = [(row.person, row.id) for row in rows], []
    ways = people.settings(session).get("channels", {}) if any(channel != "push" for channel in by) else {}
    for channel in by:
        if channel == "push":
            name = kind if kind in ("alert", "reminder") else "reminder"
            outbox.enqueue_push(
                session, asked, alert.id, name, {}, expires_at=alert.expires_at, priority=priority, hands=hands
            )
            used.append(channel)
        elif alert.drill or channel not in ways:
            continue
        elif channel in messages.TO_ONE:
            if messages.enqueue(
                session, channel, asked, alert.id, kind, expires_at=alert.expires_at, priority=priority
            ):
                used.append(channel)
        elif ladders.say(
            session,
            alert.incident,
            alert.team,
            alert.title,
            len(rows),
            kind,
            channel,
            ways[channel],
            expires_at=alert.expires_at,
            priority=priority,
        ):
            used.append(channel)
    return used


def just_asked(session: Session, incident: str, teams: Sequence[str]) -> bool:
    """Whether each of these teams has been sent an alert of the incident in the last minute."""
    query = select(Alert.team).where(
        Alert.incident == incident, Alert.team.in_(teams), Alert.issued_at > now() - timedelta(minutes=1)
    )
    return set(teams) <= set(session.scalars(query))


def silent(session: Session, alert: str, unless: str = "answered") -> list[Recipient]:
    """Those who have not come as far as delivered, opened or answered, without those who have been excused."""
    short_of = {"delivered": Recipient.delivered_at, "opened": Recipient.opened_at}.get(unless, Recipient.answered_at)
    query = select(Recipient).where(
        Recipient.alert == alert, short_of.is_(None), Recipient.answered_at.is_(None), Recipient.excused_at.is_(None)
    )
    return list(session.scalars(query.execution_options(populate_existing=True)))


def end_all(session: Session, incident: str, team: str | None = None) -> None:
    """End every open alert of an incident (or of one team) and take back what is still waiting to be sent."""
    query = select(Alert).where(Alert.incident == incident, Alert.status == "open")
    found = list(session.scalars(query if team is None else query.where(Alert.team == team)))
    for alert in found:
        alert.status = "ended"
        outbox.cancel(session, list(session.scalars(select(Recipient.id).where(Recipient.alert == alert.id))))
    rolls.drop(session, [alert.id for alert in found])
    steps.cancel(session, [alert.id for alert in found])
    if team is None:
        messages.withdraw(session, incident)
