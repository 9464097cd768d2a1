"""People, their teams and posts, and who is on duty."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, ColumnElement, ForeignKey, Index, Integer, String, bindparam, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.bulk import parts
from server.clock import iso, now
from server.db import Id, Key, Model
from server.domain.errors import NotFound, Refused

ROLES = ("admin", "commander", "leader", "responder", "observer")
POSTS = ("leader", "deputy", "member", "liaison")
LEADING = ("leader", "deputy")


class Organisation(Model):
    """The one organisation this installation serves."""

    __tablename__ = "organisation"
    synced_type = "organisation"
    id: Mapped[Key]
    name: Mapped[dict[str, Any]]
    timezone: Mapped[str] = mapped_column(String(60), default="Asia/Shanghai")
    demo: Mapped[bool] = mapped_column(Boolean, default=False)
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)

    def spaces(self, session: Session) -> Iterable[str]:
        """Everybody knows the organisation."""
        return ("org",)

    def document(self, session: Session, space: str) -> dict[str, Any]:
        """The organisation as phones keep it."""
        return {
            "id": self.id,
            "name": self.name,
            "timezone": self.timezone,
            "demo": self.demo,
            "settings": self.settings,
        }


class Person(Model):
    """Somebody who can sign in, be alerted and act."""

    __tablename__ = "person"
    synced_type = "person"
    id: Mapped[Key]
    username: Mapped[str] = mapped_column(String(80), unique=True)
    name: Mapped[str] = mapped_column(String(80))
    role: Mapped[str] = mapped_column(String(12), default="responder")
    phone: Mapped[str | None] = mapped_column(String(40))
    mailbox: Mapped[str | None] = mapped_column(String(200))
    locale: Mapped[str] = mapped_column(String(5), default="zh")
    theme: Mapped[str] = mapped_column(String(8), default="system")
    password_hash: Mapped[str | None] = mapped_column(String(200))
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    reachable: Mapped[str] = mapped_column(String(12), default="unproven")

    def spaces(self, session: Session) -> Iterable[str]:
        """Everybody knows colleagues by name."""
        return ("org",)

    def document(self, session: Session, space: str) -> dict[str, Any]:
        """The person as phones keep it, without the phone number."""
        return {"id": self.id, "name": self.name, "role": self.role, "active": self.active, "reachable": self.reachable}


class Team(Model):
    """A group of the plan: leadership, IT, security, logistics and others."""

    __tablename__ = "team"
    synced_type = "team"
    id: Mapped[Key]
    kind: Mapped[str] = mapped_column(String(40))
    title: Mapped[dict[str, Any]]
    rank: Mapped[int] = mapped_column(Integer, default=0)
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    strength: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """How many must be on duty at least, by post or `any`; empty where nobody has to be."""

    def spaces(self, session: Session) -> Iterable[str]:
        """Everybody knows the teams."""
        return ("org",)

    def document(self, session: Session, space: str) -> dict[str, Any]:
        """The team as phones keep it."""
        return {
            "id": self.id, "kind": self.kind, "title": self.title, "rank": self.rank, "active": self.active,
            "strength": self.strength,
        }  # fmt: skip


class Membership(Model):
    """A person's post in a team; `rank` orders the succession, lowest first."""

    __tablename__ = "membership"
    synced_type = "membership"
    id: Mapped[Key]
    person: Mapped[Id] = mapped_column(ForeignKey("person.id"))
    team: Mapped[Id] = mapped_column(ForeignKey("team.id"))
    role: Mapped[str] = mapped_column(String(12), default="member")
    rank: Mapped[int] = mapped_column(Integer, default=0)
    ended_at: Mapped[datetime | None]
    __table_args__ = (Index("uq_membership_person_team", "person", "team", unique=True),)

    def spaces(self, session: Session) -> Iterable[str]:
        """Everybody knows who is in which team."""
        return ("org",)

    def document(self, session: Session, space: str) -> dict[str, Any] | None:
        """The post as phones keep it; an ended one is taken away."""
        if self.ended_at is not None:
            return None
        return {"id": self.id, "person": self.person, "team": self.team, "role": self.role, "rank": self.rank}


class Duty(Model):
    """A stretch of time in which a person is on or off duty for a team."""

    __tablename__ = "duty"
    synced_type = "duty"
    id: Mapped[Key]
    person: Mapped[Id] = mapped_column(ForeignKey("person.id"))
    team: Mapped[Id] = mapped_column(ForeignKey("team.id"))
    kind: Mapped[str] = mapped_column(String(4))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]
    note: Mapped[str | None]
    by: Mapped[Id | None]
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime]
    __table_args__ = (Index(None, "team", "starts_at"),)

    def spaces(self, session: Session) -> Iterable[str]:
        """Everybody sees the roster."""
        return ("org",)

    def document(self, session: Session, space: str) -> dict[str, Any]:
        """The duty as phones keep it."""
        return {
            "id": self.id, "person": self.person, "team": self.team, "kind": self.kind, "note": self.note,
            "starts_at": iso(self.starts_at), "ends_at": iso(self.ends_at), "by": self.by,
            "occurred_at": iso(self.occurred_at), "received_at": iso(self.received_at),
        }  # fmt: skip


class Contact:
    """A person's telephone number, shown only to those who may see it."""

    synced_type = "contact"

    def __init__(self, person: Person) -> None:
        self.person = person

    @property
    def id(self) -> str:
        """The person's id."""
        return self.person.id

    def spaces(self, session: Session) -> Iterable[str]:
        """Command sees all numbers, leaders those of their team, everybody those of the leaders."""
        found = {"contacts"}
        for post in session.scalars(
            select(Membership).where(Membership.person == self.person.id, Membership.ended_at.is_(None))
        ):
            found.add(f"contacts:{post.team}")
            if post.role != "member":
                found.add("org")
        return found

    def document(self, session: Session, space: str) -> dict[str, Any] | None:
        """The number as phones keep it; nothing when there is none."""
        if not self.person.phone or not self.person.active:
            return None
        return {"id": self.person.id, "person": self.person.id, "phone": self.person.phone}


@dataclass(frozen=True)
class Standing:
    """Who somebody is at this moment: their role and their posts by team."""

    id: str
    name: str
    role: str
    posts: dict[str, str] = field(default_factory=dict)
    kinds: frozenset[str] = frozenset()

    @property
    def leads(self) -> frozenset[str]:
        """The teams this person leads or deputises in."""
        return frozenset(team for team, post in self.posts.items() if post in LEADING)

    def __hash__(self) -> int:
        return hash((self.id, self.role, frozenset(self.posts.items()), self.kinds))


def standing(session: Session, person: str, *, disabled: bool = False) -> Standing:
    """The person's standing now. Raises NotFound for one who is unknown or, unless `disabled` says otherwise, disabled."""
    found = session.get(Person, person)
    if found is None or not (found.active or disabled):
        raise NotFound("person_unknown", "没有这位人员。", "There is no such person.")
    return _stands(found, session.execute(_POSTS, {"persons": [person]}))


def standings(session: Session, persons: Iterable[str]) -> dict[str, Standing]:
    """The standings of many at once, by person; those who are unknown or disabled are left out."""
    found: dict[str, Standing] = {}
    for some in parts(list(persons)):
        posts: dict[str, list[Any]] = {}
        for post in session.execute(_POSTS, {"persons": some}):
            posts.setdefault(post.person, []).append(post)
        for one in session.connection().execute(_ACTIVE, {"persons": some}):
            found[one.id] = _stands(one, posts.get(one.id, ()))
    return found


def _stands(person: Any, posts: Iterable[Any]) -> Standing:
    held = list(posts)
    return Standing(
        person.id, person.name, person.role, {p.team: p.role for p in held}, frozenset(p.kind for p in held)
    )


_POSTS = (
    select(Membership.person, Membership.team, Membership.role, Team.kind)
    .join(Team, Team.id == Membership.team)
    .where(Membership.person.in_(bindparam("persons", expanding=True)), Membership.ended_at.is_(None))
)
_ACTIVE = select(Person.id, Person.name, Person.role).where(
    Person.id.in_(bindparam("persons", expanding=True)), Person.active
)


def organisation(session: Session) -> Organisation:
    """The organisation. Raises NotFound before it is set up."""
    found = session.scalar(select(Organisation).limit(1))
    if found is None:
        raise NotFound("organisation_missing", "尚未建立单位。", "The organisation is not set up yet.")
    return found


def settings(session: Session) -> dict[str, Any]:
    """The organisation's settings; empty before it is set up."""
    found = session.scalar(select(Organisation.settings).limit(1))
    return dict(found or {})


def set_setting(session: Session, name: str, value: Any) -> None:
    """Keep one setting of the organisation; does nothing when it says so already, or before there is an organisation."""
    found = session.scalar(select(Organisation).limit(1).with_for_update())
    if found is not None and found.settings.get(name) != value:
        found.settings = {**found.settings, name: value}


def teams_of_kind(session: Session, kind: str) -> list[Team]:
    """The active teams of a kind, in rank order."""
    return list(session.scalars(select(Team).where(Team.kind == kind, Team.active).order_by(Team.rank, Team.id)))


def members(session: Session, team: str) -> list[tuple[Person, str]]:
    """The active people of a team with their posts: leader first, then deputies, then the rest by rank."""
    query = select(Person, Membership.role, Membership.rank).join(Membership, Membership.person == Person.id)
    found = session.execute(query.where(*_in_team(team)))
    return [(row[0], row[1]) for row in sorted(found, key=lambda row: (_PLACE[row[1]], row[2], row[0].id))]


def posts_of(session: Session, team: str) -> list[tuple[str, str]]:
    """The ids of the active people of a team with their posts, in the same order: a team may have thousands."""
    query = select(Person.id, Membership.role, Membership.rank).join(Membership, Membership.person == Person.id)
    found = session.execute(query.where(*_in_team(team)))
    return [(row[0], row[1]) for row in sorted(found, key=lambda row: (_PLACE[row[1]], row[2], row[0]))]


_PLACE = {post: place for place, post in enumerate(("leader", "deputy", "liaison", "member"))}


def _in_team(team: str) -> tuple[ColumnElement[bool], ...]:
    return Membership.team == team, Membership.ended_at.is_(None), Person.active.is_(True)


def on_duty(session: Session, team: str, at: datetime | None = None) -> tuple[list[Person], bool]:
    """The people of a team an alert goes to, and whether the roster named them."""
    named, rostered = named_on_duty(session, team, at)
    chosen = set(named)
    return [person for person, _ in members(session, team) if person.id in chosen], rostered


def named_on_duty(session: Session, team: str, at: datetime | None = None) -> tuple[list[str], bool]:
    """The ids of the people of a team an alert goes to, and whether the roster named them.

    With nobody rostered on duty everybody in the team is asked, except those marked off duty.
    """
    at = at or now()
    query = select(Duty).where(Duty.team == team, Duty.starts_at <= at).order_by(Duty.starts_at, Duty.id)
    latest: dict[str, Duty] = {}
    for duty in session.scalars(query):
        latest[duty.person] = duty
    state = {p: d.kind for p, d in latest.items() if d.ends_at is None or d.ends_at > at}
    everyone = [person for person, _ in posts_of(session, team)]
    rostered = [person for person in everyone if state.get(person) == "on"]
    if rostered:
        return rostered, True
    available = [person for person in everyone if state.get(person) != "off"]
    return available or everyone, False


def set_duty(
    session: Session, id: str, person: str, team: str, kind: str, starts_at: datetime, ends_at: datetime | None,
    note: str | None, by: Standing, occurred_at: datetime,
) -> Duty:  # fmt: skip
    """Record that somebody goes on or off duty. Raises Refused when they have no post in the team or the times are reversed."""
    post = session.scalar(
        select(Membership).where(Membership.person == person, Membership.team == team, Membership.ended_at.is_(None))
    )
    if post is None:
        raise Refused("not_in_team", "此人不在该组。", "This person is not in that team.", path="person")
    if ends_at is not None and ends_at <= starts_at:
        raise Refused(
            "times_reversed", "结束时间须晚于开始时间。", "The end must come after the start.", path="ends_at"
        )
    duty = Duty(
        id=id, person=person, team=team, kind=kind, starts_at=starts_at, ends_at=ends_at, note=note, by=by.id,
        occurred_at=occurred_at, received_at=now(),
    )  # fmt: skip
    session.add(duty)
    return duty
