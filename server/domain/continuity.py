"""Manual mode: which tier works on paper, and the ledger of what must be entered again, down to zero."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, String, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.clock import iso, now
from server.db import Id, Key, Model, locked, new_id
from server.domain import incidents, rules, timeline
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
    """Work done on paper that must be entered again; `remaining` must reach zero.

    The plan opens a line (`key`) by itself when its posts go to paper. Until somebody has said how much was written
    (`counted_at`), nothing is known of it, and it is not at zero.
    """

    __tablename__ = "back_entry"
    synced_type = "back_entry"
    id: Mapped[Key]
    incident: Mapped[Id] = mapped_column(ForeignKey("incident.id"))
    tier: Mapped[str] = mapped_column(String(80))
    title: Mapped[str] = mapped_column(String(200))
    key: Mapped[str | None] = mapped_column(String(80))
    quantity: Mapped[int] = mapped_column(Integer)
    remaining: Mapped[int] = mapped_column(Integer)
    counted_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    by: Mapped[Id | None]
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime]
    __table_args__ = (Index(None, "incident"),)

    def spaces(self, session: Session) -> Iterable[str]:
        """Everybody in the incident sees it."""
        return (f"incident:{self.incident}",)

    def document(self, session: Session, space: str) -> dict[str, Any]:
        """The ledger line as phones keep it."""
        return {
            "id": self.id, "incident": self.incident, "tier": self.tier, "title": self.title, "key": self.key,
            "quantity": self.quantity, "remaining": self.remaining, "counted_at": iso(self.counted_at),
            "due_at": iso(self.due_at), "by": self.by, "occurred_at": iso(self.occurred_at),
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
        id=id, incident=incident.id, tier=tier, title=title, quantity=quantity, remaining=quantity, counted_at=occurred_at,
        due_at=due_at, by=by.id, occurred_at=occurred_at, received_at=now(),
    )  # fmt: skip
    session.add(entry)
    timeline.record(
        session, incident.id, "back_entry", f"{by.name}登记待补录：{title} {quantity}", f"{by.name} noted for back-entry: {title} {quantity}",
        by=by.id, occurred_at=occurred_at, refs={"back_entry": id},
    )  # fmt: skip
    return entry


def open_by_plan(
    session: Session, incident: incidents.Incident, plan: rules.Plan, tier: rules.Tier, at: datetime
) -> None:
    """Open the plan's lines for the posts that go to paper, each once in an incident; without any, one for the tier."""
    assert plan.manual is not None
    posts = set(tier.posts)
    due = [(one.key, one.title) for one in plan.manual.back_entry if not one.posts or posts & {*one.posts}]
    opened = set(session.scalars(select(BackEntry.key).where(BackEntry.incident == incident.id)))
    for key, title in due or [(f"tier-{tier.key}", tier.title)]:
        if key in opened:
            continue
        line = BackEntry(
            id=new_id(), incident=incident.id, tier=tier.key, title=title.zh[:200], key=key, quantity=0, remaining=0,
            occurred_at=at, received_at=now(),
        )  # fmt: skip
        session.add(line)
        timeline.record(
            session, incident.id, "back_entry", f"开始补录登记：{title.zh}", f"Back-entry opened: {title.en}",
            occurred_at=at, refs={"back_entry": line.id, "tier": tier.key},
        )  # fmt: skip


def count(session: Session, entry_id: str, quantity: int, by: Standing, occurred_at: datetime) -> BackEntry:
    """Say how much was written on paper in all, also anew as it grows; nothing is an answer too.

    Raises Refused when more than that has been entered already.
    """
    entry = _line(session, entry_id)
    entered = entry.quantity - entry.remaining
    if quantity < entered:
        raise Refused(
            "less_than_entered", f"已补录 {entered}。", f"{entered} have been entered already.", path="quantity"
        )
    entry.quantity, entry.remaining, entry.counted_at = quantity, quantity - entered, occurred_at
    timeline.record(
        session, entry.incident, "back_entry", f"{by.name}登记待补录：{entry.title} {quantity}",
        f"{by.name} noted for back-entry: {entry.title} {quantity}", by=by.id, occurred_at=occurred_at,
        refs={"back_entry": entry.id},
    )  # fmt: skip
    return entry


def _line(session: Session, entry_id: str) -> BackEntry:
    entry = locked(session, BackEntry, entry_id)
    if entry is None:
        raise NotFound("back_entry_unknown", "没有这项补录。", "There is no such back-entry.")
    return entry


def complete(session: Session, entry_id: str, quantity: int, by: Standing, occurred_at: datetime) -> BackEntry:
    """Enter `quantity` of a ledger line. Raises Refused when that is more than remains."""
    entry = _line(session, entry_id)
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


def open_lines(session: Session, incident: str) -> list[BackEntry]:
    """The lines of an incident's ledger that are not at zero: something is left, or nobody has said how much there is."""
    query = select(BackEntry).where(
        BackEntry.incident == incident, or_(BackEntry.remaining > 0, BackEntry.counted_at.is_(None))
    )
    return list(session.scalars(query.order_by(BackEntry.occurred_at, BackEntry.id)))


def due(session: Session, incident: str, key: str, at: datetime) -> None:
    """Say on the plan's line by when it has to be entered, now that its clock runs."""
    for line in session.scalars(select(BackEntry).where(BackEntry.incident == incident, BackEntry.key == key)):
        line.due_at = at
