"""Incidents: what happened, what is known about it, what was decided, and who takes part."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Boolean, Float, ForeignKey, Index, Integer, String, bindparam, column, exists, or_, select, table
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.bulk import parts
from server.clock import iso, now
from server.db import Id, IdText, Instant, Key, Model
from server.domain import feed, places, plans, rights, rules, timeline
from server.domain.errors import Conflict, NotFound, Refused
from server.domain.people import Standing
from server.statements import Statement

OPEN = ("reported", "verified", "warning", "activated", "restored")
CLOSED = ("ended", "reviewed", "dismissed")
KEPT_DAYS = 90
PACE = "drill.pace"
"""The fact that a drill goes on so many times faster than written."""
_recipient = table("recipient", column("incident", IdText()), column("person", IdText()))


class Incident(Model):
    """An emergency or drill from its first report to its review; it keeps the plan revision it started with."""

    __tablename__ = "incident"
    synced_type = "incident"
    id: Mapped[Key]
    title: Mapped[str] = mapped_column(String(200))
    text: Mapped[str | None]
    plan: Mapped[Id | None] = mapped_column(ForeignKey("plan.id"))
    revision: Mapped[Id | None] = mapped_column(ForeignKey("revision.id"))
    trigger: Mapped[str | None] = mapped_column(String(80))
    status: Mapped[str] = mapped_column(String(10), default="reported")
    levels: Mapped[dict[str, Any]] = mapped_column(default=dict)
    level: Mapped[Any | None]
    drill: Mapped[bool] = mapped_column(Boolean, default=False)
    speed: Mapped[int] = mapped_column(Integer, default=1)
    participants: Mapped[Any | None]
    place: Mapped[Id | None] = mapped_column(ForeignKey("place.id"))
    lat: Mapped[float | None] = mapped_column(Float)
    lon: Mapped[float | None] = mapped_column(Float)
    by: Mapped[Id] = mapped_column(ForeignKey("person.id"))
    started_at: Mapped[datetime]
    received_at: Mapped[datetime]
    activated_at: Mapped[datetime | None]
    restored_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(Integer, default=1)
    __table_args__ = (Index(None, "status", "started_at"),)

    def spaces(self, session: Session) -> Iterable[str]:
        """Those who take part see it; command's copy is the same."""
        return (f"incident:{self.id}",)

    def document(self, session: Session, space: str) -> dict[str, Any]:
        """The incident as phones keep it."""
        revision = session.get(plans.Revision, self.revision) if self.revision else None
        teams = (
            select(IncidentTeam.team)
            .where(IncidentTeam.incident == self.id)
            .order_by(IncidentTeam.since, IncidentTeam.team)
        )
        return {
            "id": self.id, "title": self.title, "text": self.text, "plan": self.plan, "revision": self.revision,
            "plan_version": revision.version if revision else None, "trigger": self.trigger, "status": self.status,
            "level": self.level, "drill": self.drill, "speed": self.speed, "place": self.place,
            "position": {"lat": self.lat, "lon": self.lon} if self.lat is not None else None,
            "by": self.by, "started_at": iso(self.started_at), "occurred_at": iso(self.started_at),
            "received_at": iso(self.received_at), "activated_at": iso(self.activated_at),
            "restored_at": iso(self.restored_at), "ended_at": iso(self.ended_at), "version": self.version,
            "teams": list(session.scalars(teams)),
        }  # fmt: skip


class IncidentTeam(Model):
    """A team that takes part in an incident since a moment."""

    __tablename__ = "incident_team"
    incident: Mapped[Id] = mapped_column(ForeignKey("incident.id"), primary_key=True)
    team: Mapped[Id] = mapped_column(ForeignKey("team.id"), primary_key=True)
    since: Mapped[datetime]


class Happening(Model):
    """A named fact or a measured value of an incident."""

    __tablename__ = "happening"
    synced_type = "fact"
    id: Mapped[Key]
    incident: Mapped[Id] = mapped_column(ForeignKey("incident.id"))
    key: Mapped[str] = mapped_column(String(120))
    value: Mapped[Any | None]
    unit: Mapped[str | None] = mapped_column(String(20))
    note: Mapped[str | None]
    by: Mapped[Id | None]
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime]
    __table_args__ = (Index(None, "incident", "key", "occurred_at"),)

    def spaces(self, session: Session) -> Iterable[str]:
        """Everybody in the incident knows what is known."""
        return (f"incident:{self.incident}",)

    def document(self, session: Session, space: str) -> dict[str, Any]:
        """The fact as phones keep it."""
        return {
            "id": self.id, "incident": self.incident, "key": self.key, "value": self.value, "unit": self.unit,
            "note": self.note, "by": self.by, "occurred_at": iso(self.occurred_at), "received_at": iso(self.received_at),
        }  # fmt: skip


class Decision(Model):
    """A leader's recorded choice: what, why, who and when."""

    __tablename__ = "decision"
    synced_type = "decision"
    id: Mapped[Key]
    incident: Mapped[Id] = mapped_column(ForeignKey("incident.id"))
    kind: Mapped[str] = mapped_column(String(20))
    subject: Mapped[Any | None]
    reason: Mapped[str | None]
    note: Mapped[str | None]
    by: Mapped[Id]
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime]
    __table_args__ = (Index(None, "incident"),)

    def spaces(self, session: Session) -> Iterable[str]:
        """Everybody in the incident knows what was decided."""
        return (f"incident:{self.incident}",)

    def document(self, session: Session, space: str) -> dict[str, Any]:
        """The decision as phones keep it."""
        return {
            "id": self.id, "incident": self.incident, "kind": self.kind, "subject": self.subject, "reason": self.reason,
            "note": self.note, "by": self.by, "occurred_at": iso(self.occurred_at), "received_at": iso(self.received_at),
        }  # fmt: skip


def takes_part(session: Session, incident: Incident, by: Standing) -> bool:
    """Whether somebody reported it, is in one of its teams, or was alerted in it."""
    return incident.by == by.id or _is_asked(session, incident.id, by)


def _is_asked(session: Session, incident: str, by: Standing) -> bool:
    if by.posts and any(row.team in by.posts for row in _TEAMS.rows(session, incident=incident)):
        return True
    return bool(_ASKED.first(session, incident=incident, person=by.id).found)


# Worked out once: they run with every fact of those who do not lead.
_TEAMS = Statement(select(IncidentTeam.team).where(IncidentTeam.incident == bindparam("incident")))
_ASKED = Statement(
    select(
        exists()
        .where(_recipient.c.incident == bindparam("incident"), _recipient.c.person == bindparam("person"))
        .label("found")
    )
)
_RAISED_BY = Statement(select(Incident.by).where(Incident.id == bindparam("incident")))


def admit(session: Session, incident: str, by: Standing, action: str) -> None:
    """Let it pass when `by` may see the incident and may do `action` in it, as `find` does, without fetching it."""
    session.flush()
    found = _RAISED_BY.first(session, incident=incident)
    part = found is not None and (found.by == by.id or _is_asked(session, incident, by))
    if found is None or not rights.may(by, "incident.see", part=part):
        raise _unknown()
    rights.require(by, action, part=part)


def _unknown() -> NotFound:
    return NotFound("incident_unknown", "没有这个事件。", "There is no such incident.")


def find(
    session: Session, incident: str, by: Standing, action: str = "incident.see", *, lock: bool = False,
    unseen: NotFound | None = None,
) -> Incident:  # fmt: skip
    """The incident when `by` may see it and may do `action` in it. Raises NotFound or Forbidden.

    `unseen` is raised instead when the incident was found through something of it, which then looks unknown as well.
    """
    found = session.get(Incident, incident, with_for_update=lock or None, populate_existing=lock)
    session.info.setdefault("found", {})[incident] = found  # a batch asks for the same one again and again
    part = found is not None and takes_part(session, found, by)
    if found is None or not rights.may(by, "incident.see", part=part):
        raise unseen or _unknown()
    rights.require(by, action, part=part)
    return found


def visible(session: Session, by: Standing) -> list[str]:
    """The ids of the incidents somebody may see: open ones and those ended in the last 90 days."""
    asked = {"since": _since(), "person": by.id, "teams": list(by.posts)}
    query = _RECENT if rights.may(by, "incident.see") else _RECENT_OF_MINE
    return list(session.connection().scalars(query, asked))


def _since() -> datetime:
    return now().replace(second=0, microsecond=0) - timedelta(days=KEPT_DAYS)


def spaces(session: Session, by: Standing) -> list[str]:
    """Every space somebody may read now, sorted."""
    mine = visible(session, by)
    teams: dict[str, list[str]] = {}
    if by.posts and mine and by.role != "commander":
        for row in session.connection().execute(_MY_TEAMS, {"teams": list(by.posts), "incidents": mine}):
            teams.setdefault(row.incident, []).append(row.team)
    return sorted(_spaces(by, mine, teams))


def spaces_of(session: Session, standings: Collection[Standing]) -> Iterator[tuple[str, set[str]]]:
    """Every space each of these people may read now, by person: the same as `spaces`, with three looks at the database for all."""
    if not standings:
        return
    connection = session.connection()
    raised = {row.id: row.by for row in connection.execute(_RECENT_RAISED, {"since": _since()})}
    teams: dict[str, list[str]] = {}
    asked: dict[str, set[str]] = {}
    some_see = [by.id for by in standings if not rights.may(by, "incident.see")]
    for some in parts(list(raised)):
        for row in connection.execute(_ALL_TEAMS, {"incidents": some}):
            teams.setdefault(row.incident, []).append(row.team)
        for persons in parts(some_see):
            for row in connection.execute(_ALL_ASKED, {"incidents": some, "persons": persons}):
                asked.setdefault(row.person, set()).add(row.incident)
    for by in standings:
        mine: Collection[str] = raised
        if not rights.may(by, "incident.see"):
            theirs = asked.get(by.id, ())
            mine = [
                one
                for one in raised
                if raised[one] == by.id or one in theirs or not by.posts.keys().isdisjoint(teams.get(one, ()))
            ]
        yield by.id, _spaces(by, mine, teams)


def _spaces(by: Standing, mine: Collection[str], teams: Mapping[str, Iterable[str]]) -> set[str]:
    """The spaces of somebody who sees these incidents, in which these teams, theirs or others', take part."""
    found = {"org", f"me:{by.id}"}
    if by.role in {"admin", "commander"}:
        found |= {"contacts", "plans"}
    found |= {f"contacts:{team}" for team in by.leads}
    found |= {f"incident:{incident}" for incident in mine}
    if by.role == "commander":
        found |= {f"incident:{incident}:command" for incident in mine}
    elif by.posts:
        leads = by.leads
        for incident in mine:
            for team in teams.get(incident, ()):
                if team in by.posts:
                    found.add(f"incident:{incident}:team:{team}")
                if team in leads:
                    found.add(f"incident:{incident}:team:{team}:lead")
    if rights.may(by, "board.see"):
        found |= {f"incident:{incident}:numbers" for incident in mine}
    return found


# Worked out once: they run at every pull of everybody.
_RECENT = (
    select(Incident.id)
    .where(
        or_(
            Incident.status.in_(OPEN),
            Incident.ended_at.is_(None),
            Incident.ended_at > bindparam("since", type_=Instant),
        )
    )
    .order_by(Incident.id)
)
_RECENT_RAISED = _RECENT.add_columns(Incident.by)
_ALL_TEAMS = select(IncidentTeam.incident, IncidentTeam.team).where(
    IncidentTeam.incident.in_(bindparam("incidents", expanding=True))
)
_ALL_ASKED = (
    select(_recipient.c.person, _recipient.c.incident)
    .where(
        _recipient.c.incident.in_(bindparam("incidents", expanding=True)),
        _recipient.c.person.in_(bindparam("persons", expanding=True)),
    )
    .distinct()
)
_OF_MY_TEAMS = select(IncidentTeam.incident).where(IncidentTeam.team.in_(bindparam("teams", expanding=True)))
_RECENT_OF_MINE = _RECENT.where(
    or_(
        Incident.by == bindparam("person"),
        Incident.id.in_(_OF_MY_TEAMS),
        Incident.id.in_(select(_recipient.c.incident).where(_recipient.c.person == bindparam("person"))),
    )
)
_MY_TEAMS = select(IncidentTeam.incident, IncidentTeam.team).where(
    IncidentTeam.team.in_(bindparam("teams", expanding=True)),
    IncidentTeam.incident.in_(bindparam("incidents", expanding=True)),
)


def report(
    session: Session, id: str, title: str, by: Standing, *, occurred_at: datetime, plan: str | None = None,
    trigger: str | None = None, place: str | None = None, lat: float | None = None, lon: float | None = None,
    text: str | None = None, drill: bool = False, speed: int = 1, participants: list[str] | None = None,
) -> Incident:  # fmt: skip
    """Raise an incident, under the approved revision of a plan where one is named.

    Of a drill: how many times faster its limits run, and the only teams it may reach (None: every one).
    """
    rights.require(by, "incident.raise")
    revision = plans.in_use(session, plan) if plan else None
    if trigger is not None and revision is not None:
        known = {one["key"] for one in revision.rules.get("triggers", ())}
        if trigger not in known:
            raise Refused(
                "trigger_unknown", "预案中没有这个触发条件。", "The plan has no such trigger.", path="trigger"
            )
    incident = Incident(
        id=id, title=title, text=text, plan=revision.plan if revision else None, revision=revision.id if revision else None,
        trigger=trigger, status="reported", levels={}, drill=drill,
        speed=speed, participants=participants, place=places.known(session, place), lat=lat, lon=lon,
        by=by.id, started_at=occurred_at, received_at=now(), version=1,
    )  # fmt: skip
    session.add(incident)
    session.flush()
    timeline.record(
        session, id, "report", f"{by.name}报告事件：{title}", f"Incident reported by {by.name}: {title}", by=by.id,
        occurred_at=occurred_at, refs={"place": place},
    )  # fmt: skip
    return incident


def join(session: Session, incident: Incident, team: str) -> None:
    """Let a team take part; does nothing when it already does, or when a drill was not meant for it."""
    if invited(incident, team) and session.get(IncidentTeam, (incident.id, team)) is None:
        session.add(IncidentTeam(incident=incident.id, team=team, since=now()))
        session.flush()
        feed.touch(session, incident)


def invited(incident: Incident, team: str) -> bool:
    """Whether a team may be reached: every one, or those chosen for a drill."""
    return incident.participants is None or team in incident.participants


def pace(incident: Incident, length: timedelta) -> timedelta:
    """A length of the plan's time as it runs in this incident: a drill at 60 times makes a second of each minute."""
    return length / incident.speed


def move(incident: Incident, to: str, *, allowed: tuple[str, ...]) -> None:
    """Change the status. Raises Conflict with the current one when it is not among `allowed`."""
    if incident.status not in allowed:
        raise Conflict(
            "state_conflict", "事件状态已改变，请查看当前状态。", "The incident has moved on; see its current state.",
            state={"status": incident.status, "version": incident.version},
        )  # fmt: skip
    incident.status = to
    incident.version += 1


def happened(session: Session, incident: str) -> list[Happening]:
    """Everything known of an incident, in the order it happened."""
    query = select(Happening).where(Happening.incident == incident).order_by(Happening.occurred_at, Happening.id)
    return list(session.scalars(query))


def occurred(session: Session, incident: str) -> dict[str, datetime]:
    """When each named fact last happened."""
    return {one.key: one.occurred_at for one in happened(session, incident)}


def known(session: Session, incident: Incident, plan: rules.Plan) -> dict[str, Any]:
    """What is known: facts as True, measures by value, and those that count by themselves as of now."""
    found: dict[str, Any] = {}
    times: dict[str, datetime] = {}
    facts = happened(session, incident.id)
    for fact in facts:
        found[fact.key] = True if fact.value is None else fact.value
        times[fact.key] = fact.occurred_at
    found.update({f"{scale}.{level}": True for scale, level in incident.levels.items()})
    clock = _clock(incident, facts)  # what counts by itself counts in the plan's time
    times = {key: clock.reads(time) for key, time in times.items()}
    found.update(rules.elapsed_measures(plan, times, clock.reads(now())))
    return found


def clock_of(session: Session, incident: Incident) -> rules.PlanClock:
    """The plan's clock of an incident, with every change of its pace."""
    return _clock(incident, happened(session, incident.id))


def _clock(incident: Incident, facts: Iterable[Happening]) -> rules.PlanClock:
    paces = [(fact.occurred_at, int(fact.value)) for fact in facts if fact.key == PACE and fact.value is not None]
    return rules.plan_clock(incident.started_at, incident.speed, paces)
