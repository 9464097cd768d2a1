"""Injects: what the script of a drill lets happen at its times, each applied exactly once by the worker."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, String, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.clock import iso, now
from server.db import Id, Key, Model, hits, new_id
from server.domain import feed, incidents, reporting, rules
from server.domain.errors import Conflict, NotFound, Refused

WAITING, APPLIED, SKIPPED = "waiting", "applied", "skipped"


class Inject(Model):
    """A fact or measured value that comes `at_seconds` of the plan's time after the drill's start; due once it runs.

    Only those who run drills may read it; everybody else meets it when it happens.
    """

    __tablename__ = "inject"
    synced_type = "inject"
    id: Mapped[Key]
    drill: Mapped[Id] = mapped_column(ForeignKey("drill.id"))
    by: Mapped[Id] = mapped_column(ForeignKey("person.id"))
    at_seconds: Mapped[int] = mapped_column(Integer)
    key: Mapped[str] = mapped_column(String(120))
    value: Mapped[Any | None]
    unit: Mapped[str | None] = mapped_column(String(20))
    note: Mapped[str | None]
    incident: Mapped[Id | None] = mapped_column(ForeignKey("incident.id"))
    due_at: Mapped[datetime | None]
    status: Mapped[str] = mapped_column(String(8), default=WAITING)
    applied_at: Mapped[datetime | None]
    __table_args__ = (Index(None, "drill"), Index("ix_inject_due", "status", "due_at"))

    def spaces(self, session: Session) -> Iterable[str]:
        """The script is for command and for whoever wrote it, never for those who are tested."""
        return ("plans", f"me:{self.by}")

    def document(self, session: Session, space: str) -> dict[str, Any]:
        """The inject as phones keep it; `at_seconds` in the plan's time."""
        return {
            "id": self.id, "drill": self.drill, "at_seconds": self.at_seconds, "key": self.key, "value": self.value,
            "unit": self.unit, "note": self.note, "due_at": iso(self.due_at), "status": self.status,
            "applied_at": iso(self.applied_at), "by": self.by,
        }  # fmt: skip


def write(session: Session, drill: str, plan: rules.Plan, script: Sequence[dict[str, Any]], by: str) -> None:
    """Keep the script of a drill. Raises Refused for a fact or value the plan does not know, naming its place."""
    for number, one in enumerate(script):
        try:
            reporting.check_fact(plan, one["key"], one.get("value"), one.get("unit"))
        except Refused as refusal:
            raise Refused(refusal.code, refusal.zh, refusal.en, path=f"injects.{number}.{refusal.path}") from None
        session.add(
            Inject(
                id=new_id(), drill=drill, by=by, at_seconds=one["at_seconds"], key=one["key"], value=one.get("value"),
                unit=one.get("unit"), note=one.get("note"), status=WAITING,
            )
        )  # fmt: skip


def arm(session: Session, drill: str, incident: incidents.Incident) -> None:
    """Give every inject of a drill its due time, counted from the incident's start."""
    for one in of(session, drill):
        one.incident = incident.id
        one.due_at = incident.started_at + incidents.pace(incident, timedelta(seconds=one.at_seconds))


def of(session: Session, drill: str) -> list[Inject]:
    """The script of a drill in order."""
    query = select(Inject).where(Inject.drill == drill).order_by(Inject.at_seconds, Inject.id)
    return list(session.scalars(query))


def add(
    session: Session, id: str, drill: str, plan: rules.Plan, incident: incidents.Incident | None, by: str, *, key: str,
    at_seconds: int, due_at: datetime | None, value: Any = None, unit: str | None = None, note: str | None = None,
) -> Inject:  # fmt: skip
    """Write one more into the script, also of a drill that runs. Raises Refused for what the plan does not know."""
    reporting.check_fact(plan, key, value, unit)
    inject = Inject(
        id=id, drill=drill, by=by, at_seconds=at_seconds, key=key, value=value, unit=unit, note=note, status=WAITING,
        incident=incident.id if incident else None, due_at=due_at,
    )  # fmt: skip
    session.add(inject)
    session.flush()
    return inject


def bring_forward(session: Session, inject: Inject) -> None:
    """Let what waits in a script happen now. Raises Conflict when it has happened or was set aside."""
    if inject.status == WAITING:
        inject.due_at = now()
        session.flush()
    if inject.status != WAITING or not _claim(session, inject.id, now()):
        raise Conflict(
            "inject_over",
            "这一条已注入或已取消。",
            "This one has happened or was set aside.",
            state={"status": inject.status},
        )


def set_aside(inject: Inject) -> None:
    """Keep what waits in a script from happening. Raises Conflict when it has."""
    if inject.status != WAITING:
        raise Conflict(
            "inject_over",
            "这一条已注入或已取消。",
            "This one has happened or was set aside.",
            state={"status": inject.status},
        )
    inject.status = SKIPPED


def apply_due(session: Session, most: int = 20, only: str | None = None) -> int:
    """Let the injects that are due happen (or the one with the id `only`); returns how many were dealt with.

    Whoever gets one here is the only one who ever does: the mark and what follows from it are one transaction.
    """
    at = now()
    query = (
        select(Inject.id)
        .where(Inject.status == WAITING, Inject.due_at <= at)
        .order_by(Inject.due_at, Inject.id)
        .limit(most)
    )
    if only is not None:
        query = query.where(Inject.id == only)
    return sum(_claim(session, key, at) for key in list(session.scalars(query)))


def _claim(session: Session, key: str, at: datetime) -> bool:
    """Take one that waits and let it happen; False when somebody else has."""
    statement = (
        update(Inject)
        .where(Inject.id == key, Inject.status == WAITING)
        .values(status=APPLIED, applied_at=at)
        .execution_options(synchronize_session=False)
    )
    if hits(session, statement) != 1:
        return False
    inject = session.get(Inject, key, populate_existing=True)
    assert inject is not None
    feed.touch(session, inject)  # the conditional update went past the session; the feed must still hear of it
    if not _happens(session, inject):
        inject.status = SKIPPED
    return True


def _happens(session: Session, inject: Inject) -> bool:
    """Let it happen in the drill's incident; False when that is over, or its plan no longer knows the fact."""
    assert inject.incident is not None
    incident = session.get(incidents.Incident, inject.incident, with_for_update=True, populate_existing=True)
    if incident is None or incident.status not in incidents.OPEN or inject.due_at is None:
        return False
    try:
        reporting.inject_fact(
            session, incident, key=inject.key, occurred_at=inject.due_at, value=inject.value, unit=inject.unit,
            note=inject.note,
        )  # fmt: skip
    except Refused:
        return False
    return True


def overdue(session: Session, most: int) -> list[str]:
    """The ids of injects that are due and have not happened, earliest first."""
    query = select(Inject.id).where(Inject.status == WAITING, Inject.due_at <= now()).order_by(Inject.due_at)
    return list(session.scalars(query.limit(most)))


def pass_over(session: Session, inject: str) -> None:
    """Put one aside that cannot happen, so that the script goes on without it."""
    found = session.get(Inject, inject, with_for_update=True, populate_existing=True)
    if found is not None and found.status == WAITING:
        found.status = SKIPPED


def next_due(session: Session) -> datetime | None:
    """When the next inject of a running drill is due, or None."""
    return session.scalar(select(func.min(Inject.due_at)).where(Inject.status == WAITING))


def hasten(session: Session, drill: str, share: float) -> None:
    """Let what waits come after this share of the time it had left."""
    at = now()
    for one in of(session, drill):
        if one.status == WAITING and one.due_at is not None and one.due_at > at:
            one.due_at = at + (one.due_at - at) * share


def find(session: Session, inject: str) -> Inject:
    """The inject, locked. Raises NotFound."""
    found = session.get(Inject, inject, with_for_update=True, populate_existing=True)
    if found is None:
        raise NotFound("inject_unknown", "没有这一条情景。", "There is no such inject.")
    return found


def skip(session: Session, drill: str) -> None:
    """Put aside what has not happened when a drill is over."""
    for one in of(session, drill):
        if one.status == WAITING:
            one.status = SKIPPED
