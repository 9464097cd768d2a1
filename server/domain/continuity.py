"""Manual mode: which tier works on paper, and the ledger of what must be entered again, down to zero."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.clock import iso, now
from server.db import Id, Key, Model, locked
from server.domain import incidents, timeline
from server.domain.errors import NotFound, Refused
from server.domain.people import Standing


class Mode(Model):
    """A tier that went to paper (`manual`) or back (`normal`)."""

    __tablename__ = "mode"
    synced_type = "mode"
    id: Mapped[Key]
    incident: Mapped[Id] = mapped_column(ForeignKey("incident.id"))
    tier: Mapped[str] = mapped_column(String(80))
    title: Mapped[dict[str, Any]]
    to: Mapped[str] = mapped_column(String(8))
    note: Mapped[str | None]
    by: Mapped[Id | None]
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime]
    __table_args__ = (Index(None, "incident", "tier"),)

    def spaces(self, session: Session) -> Iterable[str]:
        """Everybody in the incident sees it."""
        return (f"incident:{self.incident}",)

    def document(self, session: Session, space: str) -> dict[str, Any]:
        """The switch as phones keep it."""
        return {
            "id": self.id, "incident": self.incident, "tier": self.tier, "title": self.title, "to": self.to, "note": self.note,
            "by": self.by, "occurred_at": iso(self.occurred_at), "received_at": iso(self.received_at),
        }  # fmt: skip


class BackEntry(Model):
    """Work done on paper that must be entered again; `remaining` must reach zero."""

    __tablename__ = "back_entry"
    synced_type = "back_entry"
    id: Mapped[Key]
    incident: Mapped[Id] = mapped_column(ForeignKey("incident.id"))
    tier: Mapped[str] = mapped_column(String(80))
    title: Mapped[str] = mapped_column(String(200))
    quantity: Mapped[int] = mapped_column(Integer)
    remaining: Mapped[int] = mapped_column(Integer)
    due_at: Mapped[datetime | None]
    by: Mapped[Id]
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime]
    __table_args__ = (Index(None, "incident"),)

    def spaces(self, session: Session) -> Iterable[str]:
        """Everybody in the incident sees it."""
        return (f"incident:{self.incident}",)

    def document(self, session: Session, space: str) -> dict[str, Any]:
        """The ledger line as phones keep it."""
        return {
            "id": self.id, "incident": self.incident, "tier": self.tier, "title": self.title, "quantity": self.quantity,
            "remaining": self.remaining, "due_at": iso(self.due_at), "by": self.by, "occurred_at": iso(self.occurred_at),
            "received_at": iso(self.received_at),
        }  # fmt: skip


def switch(
    session: Session, id: str, incident: incidents.Incident, *, tier: str, title: dict[str, str], to: str, by: Standing | None,
    occurred_at: datetime, note: str | None = None,
) -> Mode:  # fmt: skip
    """Record that a tier goes to paper or back."""
    mode = Mode(
        id=id, incident=incident.id, tier=tier, title=title, to=to, note=note, by=by.id if by else None,
        occurred_at=occurred_at, received_at=now(),
    )  # fmt: skip
    session.add(mode)
    zh, en = ("转入手工操作", "switched to paper") if to == "manual" else ("恢复系统操作", "back to the system")
    timeline.record(
        session, incident.id, f"mode_{to}", f"{title['zh']}：{zh}", f"{title['en']}: {en}", by=by.id if by else None,
        occurred_at=occurred_at, refs={"tier": tier},
    )  # fmt: skip
    return mode


def on_paper(session: Session, incident: str) -> list[Mode]:
    """The tiers that work on paper now, by their last switch."""
    last: dict[str, Mode] = {}
    for mode in session.scalars(select(Mode).where(Mode.incident == incident).order_by(Mode.occurred_at, Mode.id)):
        last[mode.tier] = mode
    return [mode for mode in last.values() if mode.to == "manual"]


def open_entry(
    session: Session, id: str, incident: incidents.Incident, by: Standing, *, tier: str, title: str, quantity: int,
    due_at: datetime | None, occurred_at: datetime,
) -> BackEntry:  # fmt: skip
    """Open a ledger line for work done on paper."""
    entry = BackEntry(
        id=id, incident=incident.id, tier=tier, title=title, quantity=quantity, remaining=quantity, due_at=due_at, by=by.id,
        occurred_at=occurred_at, received_at=now(),
    )  # fmt: skip
    session.add(entry)
    timeline.record(
        session, incident.id, "back_entry", f"{by.name}登记待补录：{title} {quantity}", f"{by.name} noted for back-entry: {title} {quantity}",
        by=by.id, occurred_at=occurred_at, refs={"back_entry": id},
    )  # fmt: skip
    return entry


def complete(session: Session, entry_id: str, quantity: int, by: Standing, occurred_at: datetime) -> BackEntry:
    """Enter `quantity` of a ledger line. Raises Refused when that is more than remains."""
    entry = locked(session, BackEntry, entry_id)
    if entry is None:
        raise NotFound("back_entry_unknown", "没有这项补录。", "There is no such back-entry.")
    if quantity > entry.remaining:
        raise Refused(
            "more_than_remains", f"仅剩 {entry.remaining}。", f"Only {entry.remaining} remain.", path="quantity"
        )
    entry.remaining -= quantity
    timeline.record(
        session, entry.incident, "back_entry_done", f"{by.name}补录：{entry.title} {quantity}，剩余 {entry.remaining}",
        f"{by.name} entered {quantity} of {entry.title}, {entry.remaining} left", by=by.id, occurred_at=occurred_at,
        refs={"back_entry": entry.id},
    )  # fmt: skip
    return entry


def remaining(session: Session, incident: str) -> int:
    """How much of an incident's paper work is still to be entered."""
    return sum(session.scalars(select(BackEntry.remaining).where(BackEntry.incident == incident)))
