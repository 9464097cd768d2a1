"""Time limits: rows with a due time that fire exactly once or end before."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, ForeignKey, Index, Integer, String, bindparam, exists, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.orm.attributes import flag_modified

from server.clock import iso, now
from server.db import Id, Key, Model, hits
from server.statements import Statement

RUNNING, MET, PASSED, CANCELLED, PAUSED = "running", "met", "passed", "cancelled", "paused"


class Limit(Model):
    """A limit of a plan that runs in an incident; `rule` is its rule as written, `consequence` what people read."""

    __tablename__ = "limit"
    synced_type = "limit"
    id: Mapped[Key]
    incident: Mapped[Id] = mapped_column(ForeignKey("incident.id"))
    key: Mapped[str] = mapped_column(String(80))
    title: Mapped[dict[str, Any]]
    clause: Mapped[Any | None]
    owner_team: Mapped[Id | None] = mapped_column(ForeignKey("team.id"))
    rule: Mapped[dict[str, Any]]
    consequence: Mapped[Any | None]
    started_at: Mapped[datetime]
    due_at: Mapped[datetime]
    length_seconds: Mapped[int] = mapped_column(Integer)
    status: Mapped[str] = mapped_column(String(10), default=RUNNING)
    fired_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    paused_at: Mapped[datetime | None]
    __table_args__ = (
        Index("ix_limit_due", "status", "due_at"),
        Index("uq_limit_once", "incident", "key", "started_at", unique=True),
    )

    def spaces(self, session: Session) -> Iterable[str]:
        """Everybody in the incident sees its limits."""
        return (f"incident:{self.incident}",)

    def document(self, session: Session, space: str) -> dict[str, Any]:
        """The limit as phones keep it; lengths in seconds."""
        return {
            "id": self.id, "incident": self.incident, "key": self.key, "title": self.title, "clause": self.clause,
            "owner_team": self.owner_team, "consequence": self.consequence, "started_at": iso(self.started_at),
            "due_at": iso(self.due_at), "length_seconds": self.length_seconds, "status": self.status,
            "fired_at": iso(self.fired_at), "ended_at": iso(self.ended_at), "paused_at": iso(self.paused_at),
            "timer": bool(self.rule.get("timer")),
        }  # fmt: skip


def claim_due(session: Session, most: int = 50, only: str | None = None) -> list[Limit]:
    """Mark the limits that are due now as passed (or the one with the id `only`) and return them, earliest first.

    Whoever gets a limit here is the only one who ever does: the mark and its consequence are one transaction.
    """
    at = now()
    query = (
        select(Limit.id).where(Limit.status == RUNNING, Limit.due_at <= at).order_by(Limit.due_at, Limit.id).limit(most)
    )
    if only is not None:
        query = query.where(Limit.id == only)
    won = []
    for key in list(session.scalars(query)):
        statement = (
            update(Limit)
            .where(Limit.id == key, Limit.status == RUNNING)
            .values(status=PASSED, fired_at=at)
            .execution_options(synchronize_session=False)
        )
        if hits(session, statement) == 1:
            limit = session.get(Limit, key, populate_existing=True)
            assert limit is not None
            flag_modified(
                limit, "status"
            )  # the conditional update went past the session; the feed must still hear of it
            won.append(limit)
    return won


def end(session: Session, limit: Limit, status: str, at: datetime | None = None) -> bool:
    """End a running or paused limit as met or cancelled; False when it has fired or ended already."""
    ended = at or now()
    statement = (
        update(Limit)
        .where(Limit.id == limit.id, Limit.status.in_((RUNNING, PAUSED)))
        .values(status=status, ended_at=ended)
        .execution_options(synchronize_session=False)
    )
    if hits(session, statement) != 1:
        return False
    session.refresh(limit)
    flag_modified(limit, "status")
    return True


def running(session: Session, incident: str) -> list[Limit]:
    """The limits of an incident that run or pause, earliest first."""
    session.flush()
    if not _ANY.first(session, incident=incident).found:
        return []
    return list(session.scalars(_RUNNING, {"incident": incident}))


def are_running(incident: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether an incident has limits that run or pause, for statements that ask for more than that."""
    return exists().where(Limit.incident == incident, or_(Limit.status == RUNNING, Limit.status == PAUSED))


_ANY = Statement(select(are_running(bindparam("incident", type_=Limit.incident.type)).label("found")))
_RUNNING = (
    select(Limit)
    .where(Limit.incident == bindparam("incident"), Limit.status.in_((RUNNING, PAUSED)))
    .order_by(Limit.due_at)
)


def extend(limit: Limit, seconds: int) -> None:
    """Move the due time of a running limit by `seconds`."""
    limit.due_at += timedelta(seconds=seconds)
    limit.length_seconds += seconds


def hasten(limit: Limit, share: float) -> None:
    """Leave a limit that runs or pauses this share of the time it had left; one that is due stays due."""
    since = limit.paused_at if limit.status == PAUSED and limit.paused_at is not None else now()
    if limit.due_at > since:
        limit.due_at = since + (limit.due_at - since) * share
        limit.length_seconds = max(1, round((limit.due_at - limit.started_at).total_seconds()))


def pause(limit: Limit) -> None:
    """Stop the clock of a running limit; one that stands already keeps the moment it stopped."""
    if limit.status == RUNNING:
        limit.status, limit.paused_at = PAUSED, now()


def resume(limit: Limit) -> None:
    """Let a paused limit run on with the time it had left."""
    if limit.status == PAUSED and limit.paused_at is not None:
        limit.due_at += now() - limit.paused_at
        limit.status, limit.paused_at = RUNNING, None


def overdue(session: Session, most: int) -> list[str]:
    """The ids of limits that are due and have not fired, earliest first."""
    query = select(Limit.id).where(Limit.status == RUNNING, Limit.due_at <= now()).order_by(Limit.due_at, Limit.id)
    return list(session.scalars(query.limit(most)))


def next_due(session: Session) -> datetime | None:
    """When the next running limit is due, or None."""
    return session.scalar(select(Limit.due_at).where(Limit.status == RUNNING).order_by(Limit.due_at).limit(1))
