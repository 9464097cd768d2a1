"""Tallies: counts of people in and out, present, or per square metre, mergeable from many counters."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Float, ForeignKey, Index, Integer, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.clock import iso, now
from server.db import Id, Key, Model
from server.domain import incidents, places, timeline
from server.domain.people import Standing

KINDS = ("in", "out", "present", "density")


class Tally(Model):
    """One count: people in or out during a window, people present, or people per square metre (density)."""

    __tablename__ = "tally"
    synced_type = "tally"
    id: Mapped[Key]
    incident: Mapped[Id] = mapped_column(ForeignKey("incident.id"))
    place: Mapped[Id] = mapped_column(ForeignKey("place.id"))
    kind: Mapped[str] = mapped_column(String(8))
    count: Mapped[float] = mapped_column(Float)
    window_seconds: Mapped[int | None] = mapped_column(Integer)
    by: Mapped[Id]
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime]
    __table_args__ = (Index(None, "incident", "place", "occurred_at"),)

    def spaces(self, session: Session) -> Iterable[str]:
        """Everybody in the incident sees it."""
        return (f"incident:{self.incident}",)

    def document(self, session: Session, space: str) -> dict[str, Any]:
        """The tally as phones keep it."""
        return {
            "id": self.id, "incident": self.incident, "place": self.place, "kind": self.kind, "count": self.count,
            "window_seconds": self.window_seconds, "by": self.by, "occurred_at": iso(self.occurred_at),
            "received_at": iso(self.received_at),
        }  # fmt: skip


def count(
    session: Session, id: str, incident: incidents.Incident, by: Standing, *, place: str, kind: str, number: float,
    window_seconds: int | None, occurred_at: datetime,
) -> Tally:  # fmt: skip
    """Record a count at a place."""
    places.known(session, place)
    tally = Tally(
        id=id, incident=incident.id, place=place, kind=kind, count=number, window_seconds=window_seconds, by=by.id,
        occurred_at=occurred_at, received_at=now(),
    )  # fmt: skip
    session.add(tally)
    session.flush()
    where = session.get(places.Place, place)
    assert where is not None
    zh = {"in": "进", "out": "出", "present": "在场", "density": "密度"}[kind]
    timeline.record(
        session, incident.id, "tally", f"{where.title['zh']}{zh} {number:g}", f"{where.title['en']} {kind} {number:g}", by=by.id,
        occurred_at=occurred_at, refs={"place": place},
    )  # fmt: skip
    return tally


def present(session: Session, incident: str, place: str) -> float:
    """People now at a place: the last count of those present plus who came in less who left since."""
    last = session.scalar(
        select(Tally)
        .where(Tally.incident == incident, Tally.place == place, Tally.kind == "present")
        .order_by(Tally.occurred_at.desc(), Tally.id.desc())
        .limit(1)
    )
    total = last.count if last else 0.0
    for kind, sign in (("in", 1), ("out", -1)):
        query = select(func.coalesce(func.sum(Tally.count), 0.0)).where(
            Tally.incident == incident, Tally.place == place, Tally.kind == kind
        )
        if last is not None:
            query = query.where(Tally.occurred_at > last.occurred_at)
        total += sign * (session.scalar(query) or 0.0)
    return max(total, 0.0)
