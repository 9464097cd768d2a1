"""Plans and their revisions: immutable texts, approved by a second person before use."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.clock import iso, now
from server.db import Id, Key, Model, new_id
from server.domain import feed, people, rights, rules
from server.domain.errors import Conflict, Forbidden, NotFound
from server.domain.people import Standing

DRAFT, APPROVED, RETIRED = "draft", "approved", "retired"
_compiled: dict[str, rules.Plan] = {}  # revisions never change, so their rules may be kept


class Plan(Model):
    """A plan of the organisation; `approved` is the revision in use."""

    __tablename__ = "plan"
    synced_type = "plan"
    differs_by_space = True
    id: Mapped[Key]
    key: Mapped[str] = mapped_column(String(80), unique=True)
    title: Mapped[dict[str, Any]]
    category: Mapped[str] = mapped_column(String(40), default="")
    status: Mapped[str] = mapped_column(String(10), default=DRAFT)
    approved: Mapped[Id | None]

    def spaces(self, session: Session) -> Iterable[str]:
        """Everybody reads plans in use; drafts are for those who write them."""
        return ("org", "plans") if self.approved else ("plans",)

    def document(self, session: Session, space: str) -> dict[str, Any]:
        """The plan as phones keep it, with the rules of the revision in use (writers: of the newest)."""
        revision = (
            session.get(Revision, self.approved) if self.approved and space == "org" else newest(session, self.id)
        )
        assert revision is not None
        return {
            "id": self.id, "key": self.key, "version": revision.version, "title": self.title, "category": self.category,
            "status": self.status, "revision": revision.id, "revision_status": revision.status, "rules": revision.rules,
            "approved_at": iso(revision.approved_at), "approved_by": revision.approved_by,
            "approved_because": revision.approved_because, "written_by": revision.by,
        }  # fmt: skip


class Revision(Model):
    """One version of a plan's text with the rules compiled from it; never changed once kept."""

    __tablename__ = "revision"
    id: Mapped[Key]
    plan: Mapped[Id] = mapped_column(ForeignKey("plan.id"))
    version: Mapped[int] = mapped_column(Integer)
    text: Mapped[str]
    rules: Mapped[dict[str, Any]]
    status: Mapped[str] = mapped_column(String(10), default=DRAFT)
    by: Mapped[Id | None]
    created_at: Mapped[datetime]
    approved_by: Mapped[Id | None]
    approved_at: Mapped[datetime | None]
    approved_because: Mapped[str | None] = mapped_column(String(500))
    __table_args__ = (Index("uq_revision_plan_version", "plan", "version", unique=True),)


class Reading(Model):
    """That a person has read a revision."""

    __tablename__ = "reading"
    synced_type = "reading"
    id: Mapped[Key]
    revision: Mapped[Id] = mapped_column(ForeignKey("revision.id"))
    plan: Mapped[Id] = mapped_column(ForeignKey("plan.id"))
    person: Mapped[Id] = mapped_column(ForeignKey("person.id"))
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime]
    __table_args__ = (Index("uq_reading_revision_person", "revision", "person", unique=True),)

    def spaces(self, session: Session) -> Iterable[str]:
        """The reader and those who write plans see it."""
        return (f"me:{self.person}", "plans")

    def document(self, session: Session, space: str) -> dict[str, Any]:
        """The reading as phones keep it."""
        return {
            "id": self.id, "revision": self.revision, "plan": self.plan, "person": self.person, "by": self.person,
            "occurred_at": iso(self.occurred_at), "received_at": iso(self.received_at),
        }  # fmt: skip


def newest(session: Session, plan: str) -> Revision | None:
    """The revision with the highest version."""
    return session.scalar(select(Revision).where(Revision.plan == plan).order_by(Revision.version.desc()).limit(1))


def newest_versions(session: Session) -> dict[str, int]:
    """The highest version known here of each plan, by key."""
    query = select(Plan.key, func.max(Revision.version)).join(Revision, Revision.plan == Plan.id).group_by(Plan.key)
    return {row[0]: row[1] for row in session.execute(query)}


def find(session: Session, key: str) -> Plan:
    """The plan with this key. Raises NotFound."""
    found = session.scalar(select(Plan).where(Plan.key == key))
    if found is None:
        raise NotFound("plan_unknown", "没有这份预案。", "There is no such plan.")
    return found


def known(session: Session, plan: str) -> Plan:
    """The plan with this id, which something refers to."""
    found = session.get(Plan, plan)
    assert found is not None
    return found


def in_use(session: Session, key: str) -> Revision:
    """The approved revision of a plan. Raises Conflict when none is approved."""
    plan = find(session, key)
    revision = session.get(Revision, plan.approved) if plan.approved else None
    if revision is None or plan.status == RETIRED:
        raise Conflict(
            "plan_not_approved", "该预案尚未批准启用。", "This plan has not been approved for use.", path="plan"
        )
    return revision


def rules_of(session: Session, revision: str | None) -> rules.Plan | None:
    """The typed rules of a revision, or None where an incident has no plan."""
    if revision is None:
        return None
    if revision not in _compiled:
        found = session.get(Revision, revision)
        if found is None:
            return None
        _compiled[revision] = rules.Plan.from_json(found.rules)
    return _compiled[revision]


def keep(session: Session, compiled: rules.Plan, text: str, by: str | None) -> tuple[Revision, bool]:
    """Keep a compiled plan as a draft revision; returns it and whether it is new.

    Raises Conflict when the version exists with other content or a higher version is known.
    """
    plan = session.scalar(select(Plan).where(Plan.key == compiled.key))
    title = {"zh": compiled.title.zh, "en": compiled.title.en}
    if plan is None:
        plan = Plan(id=new_id(), key=compiled.key, title=title, category=compiled.category, status=DRAFT)
        session.add(plan)
        session.flush()
    known = session.scalar(select(Revision).where(Revision.plan == plan.id, Revision.version == compiled.version))
    if known is not None:
        # a newer version of the language may write the same rules with more fields
        if known.text != text and rules.Plan.from_json(known.rules) != compiled:
            raise Conflict(
                "version_taken",
                "该版本号已用于其他内容，请提高版本号。",
                "This version exists with other content; raise the version.",
                path="version",
            )
        return known, False
    last = newest(session, plan.id)
    if last is not None and last.version > compiled.version:
        raise Conflict("version_lower", "已有更高的版本。", "A higher version exists already.", path="version")
    revision = Revision(
        id=new_id(), plan=plan.id, version=compiled.version, text=text, rules=compiled.to_json(), status=DRAFT, by=by,
        created_at=now(),
    )  # fmt: skip
    session.add(revision)
    session.flush()
    plan.title, plan.category = title, compiled.category
    feed.touch(session, plan)  # its newest rules are others now, whatever its own columns say
    return revision, True


def approve(session: Session, revision: Revision, by: Standing) -> Revision:
    """Put a revision into use. Raises Forbidden when the author approves their own text."""
    if revision.by == by.id:
        raise Forbidden(
            "second_person_needed",
            "须由另一位领导小组成员批准。",
            "Another member of the leadership group must approve it.",
        )
    return put_in_use(session, revision, by.id)


def approve_at_set_up(session: Session, revision: Revision, because: str) -> Revision:
    """Put a revision into use without a second person, for a reason that is kept with it.

    Only a demo, or an organisation in which there is no second person yet, may. Raises Forbidden.
    """
    demo = session.scalar(select(people.Organisation.demo).limit(1))
    who = select(func.count()).where(people.Person.active, people.Person.role.in_(rights.RULES["plan.approve"]))
    if not demo and (session.scalar(who) or 0) > 1:
        raise Forbidden(
            "second_person_needed",
            "须由另一位有权批准者批准。",
            "Somebody else who may approve it must.",
        )
    return put_in_use(session, revision, None, because)


def put_in_use(session: Session, revision: Revision, by: str | None, because: str | None = None) -> Revision:
    """Mark a revision approved and the one before it retired; `because` says why nobody approved it."""
    plan = session.get(Plan, revision.plan, with_for_update=True)
    assert plan is not None
    before = session.get(Revision, plan.approved) if plan.approved else None
    if before is not None and before.version > revision.version:
        raise Conflict("version_lower", "已有更高的版本在用。", "A higher version is in use.")
    if before is not None and before.id != revision.id:
        before.status = RETIRED
    if revision.status != APPROVED:
        revision.status, revision.approved_by, revision.approved_at = APPROVED, by, now()
        revision.approved_because = because
    plan.approved, plan.status = revision.id, APPROVED
    return revision


def teams_for(session: Session, plan: rules.Plan | None, key: str) -> list[str]:
    """The organisation's teams behind a team of the plan (or a kind); the leadership group where it has none of that kind."""
    kind = key
    if plan is not None:
        rule = next((one for one in plan.teams if one.key == key), None)
        if rule is not None and rule.external:
            return []
        kind = rule.kind if rule is not None else key
    found = people.teams_of_kind(session, kind) or people.teams_of_kind(session, "leadership")
    return [team.id for team in found]


def read(session: Session, id: str, revision: Revision, by: Standing, occurred_at: datetime) -> None:
    """Record that somebody has read a revision; the first time counts."""
    known = select(Reading.id).where(Reading.revision == revision.id, Reading.person == by.id)
    if session.scalar(known) is None:
        session.add(
            Reading(
                id=id,
                revision=revision.id,
                plan=revision.plan,
                person=by.id,
                occurred_at=occurred_at,
                received_at=now(),
            )
        )


def revision_of(session: Session, key: str, version: str) -> Revision:
    """The revision of a plan with this version. Raises NotFound."""
    plan = find(session, key)
    number = int(version[:6]) if version.isascii() and version.isdigit() else -1
    found = session.scalar(select(Revision).where(Revision.plan == plan.id, Revision.version == number))
    if found is None:
        raise NotFound("revision_unknown", "没有这个版本。", "There is no such version.")
    return found


def roster(session: Session) -> dict[str, list[str]]:
    """The people of each kind of team, for the linter."""
    found: dict[str, list[str]] = {}
    for team in session.scalars(select(people.Team).where(people.Team.active)):
        found.setdefault(team.kind, []).extend(person.id for person, _ in people.members(session, team.id))
    return found
