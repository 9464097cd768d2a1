"""Supplies: stock, requests, and movements from shelf to hand and back, with serial ranges for numbered goods."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, Integer, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.clock import iso, now
from server.db import Id, Key, Model, locked
from server.domain import incidents, timeline
from server.domain.errors import NotFound, Refused
from server.domain.people import Standing

# What may follow what; a step that does not fit is kept as a claim and raised to logistics.
STEPS: dict[str, tuple[str, ...]] = {
    "requested": ("approved", "declined", "cancelled", "dispatched"),
    "approved": ("dispatched", "cancelled"),
    "dispatched": ("in_transit", "received", "short", "returned"),
    "in_transit": ("received", "short", "returned"),
    "received": ("used", "void", "returned"),
    "short": ("dispatched", "used", "void", "returned"),
    "returned": ("used", "void", "returned"),
    "declined": (),
    "cancelled": (),
}
KEEPS_STATE = ("used", "void")
WORDS = {
    "approved": ("批准", "approved"), "declined": ("不予批准", "declined"), "dispatched": ("发出", "dispatched"),
    "in_transit": ("在途", "in transit"), "received": ("签收", "received"), "short": ("短少签收", "received short"),
    "returned": ("退回", "returned"), "used": ("使用", "used"), "void": ("作废", "voided"), "cancelled": ("取消", "cancelled"),
}  # fmt: skip


class Supply(Model):
    """Goods in stock; `serial` goods are counted by number ranges [from, to] in `serials` with the state of each."""

    __tablename__ = "supply"
    synced_type = "supply"
    id: Mapped[Key]
    key: Mapped[str] = mapped_column(String(80), unique=True)
    title: Mapped[dict[str, Any]]
    unit: Mapped[dict[str, Any]]
    place: Mapped[Id | None] = mapped_column(ForeignKey("place.id"))
    quantity: Mapped[int] = mapped_column(Integer, default=0)
    minimum: Mapped[int] = mapped_column(Integer, default=0)
    serial: Mapped[bool] = mapped_column(Boolean, default=False)
    serials: Mapped[list[Any]] = mapped_column(default=list)
    expires_at: Mapped[datetime | None]

    def spaces(self, session: Session) -> Iterable[str]:
        """Everybody sees the kit list."""
        return ("org",)

    def document(self, session: Session, space: str) -> dict[str, Any]:
        """The supply as phones keep it."""
        return {
            "id": self.id, "key": self.key, "title": self.title, "unit": self.unit, "place": self.place,
            "quantity": self.quantity, "minimum": self.minimum, "serial": self.serial, "serials": self.serials,
            "expires_at": iso(self.expires_at),
        }  # fmt: skip


class Request(Model):
    """Goods a team asks for; its state and quantities are folded from its movements."""

    __tablename__ = "request"
    synced_type = "request"
    id: Mapped[Key]
    incident: Mapped[Id] = mapped_column(ForeignKey("incident.id"))
    supply: Mapped[Id] = mapped_column(ForeignKey("supply.id"))
    quantity: Mapped[int] = mapped_column(Integer)
    for_team: Mapped[Id] = mapped_column(ForeignKey("team.id"))
    to_place: Mapped[Id | None]
    note: Mapped[str | None]
    state: Mapped[str] = mapped_column(String(12), default="requested")
    sent: Mapped[int] = mapped_column(Integer, default=0)
    received: Mapped[int] = mapped_column(Integer, default=0)
    used: Mapped[int] = mapped_column(Integer, default=0)
    void: Mapped[int] = mapped_column(Integer, default=0)
    returned: Mapped[int] = mapped_column(Integer, default=0)
    contested: Mapped[bool] = mapped_column(Boolean, default=False)
    by: Mapped[Id]
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime]
    __table_args__ = (Index(None, "incident"),)

    def spaces(self, session: Session) -> Iterable[str]:
        """Everybody in the incident sees it."""
        return (f"incident:{self.incident}",)

    def document(self, session: Session, space: str) -> dict[str, Any]:
        """The request as phones keep it; `open` is what was received and not yet used, voided or returned."""
        return {
            "id": self.id, "incident": self.incident, "supply": self.supply, "quantity": self.quantity,
            "for_team": self.for_team, "to_place": self.to_place, "note": self.note, "state": self.state, "sent": self.sent,
            "received": self.received, "used": self.used, "void": self.void, "returned": self.returned,
            "open": self.received - self.used - self.void - self.returned, "contested": self.contested, "by": self.by,
            "occurred_at": iso(self.occurred_at), "received_at": iso(self.received_at),
        }  # fmt: skip


class Movement(Model):
    """One step of a request; `accepted` is false for a claim that did not fit the state it met."""

    __tablename__ = "movement"
    synced_type = "movement"
    id: Mapped[Key]
    request: Mapped[Id] = mapped_column(ForeignKey("request.id"))
    incident: Mapped[Id]
    kind: Mapped[str] = mapped_column(String(12))
    quantity: Mapped[int | None] = mapped_column(Integer)
    serial_from: Mapped[int | None] = mapped_column(Integer)
    serial_to: Mapped[int | None] = mapped_column(Integer)
    carrier: Mapped[str | None] = mapped_column(String(120))
    note: Mapped[str | None]
    accepted: Mapped[bool] = mapped_column(Boolean)
    by: Mapped[Id]
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime]
    __table_args__ = (Index(None, "request"),)

    def spaces(self, session: Session) -> Iterable[str]:
        """Everybody in the incident sees it."""
        return (f"incident:{self.incident}",)

    def document(self, session: Session, space: str) -> dict[str, Any]:
        """The movement as phones keep it."""
        return {
            "id": self.id, "request": self.request, "kind": self.kind, "quantity": self.quantity,
            "serial_from": self.serial_from, "serial_to": self.serial_to, "carrier": self.carrier, "note": self.note,
            "accepted": self.accepted, "by": self.by, "occurred_at": iso(self.occurred_at), "received_at": iso(self.received_at),
        }  # fmt: skip


def ask(
    session: Session, id: str, incident: incidents.Incident, by: Standing, *, supply: str, quantity: int, for_team: str,
    to_place: str | None, note: str | None, occurred_at: datetime,
) -> Request:  # fmt: skip
    """Ask for goods for a team."""
    goods = session.get(Supply, supply)
    if goods is None:
        raise Refused("supply_unknown", "没有这种物资。", "There is no such supply.", path="supply")
    request = Request(
        id=id, incident=incident.id, supply=supply, quantity=quantity, for_team=for_team, to_place=to_place, note=note,
        state="requested", by=by.id, occurred_at=occurred_at, received_at=now(),
    )  # fmt: skip
    session.add(request)
    timeline.record(
        session, incident.id, "request", f"{by.name}申领{goods.title['zh']} {quantity}{goods.unit['zh']}",
        f"{by.name} requested {quantity} {goods.unit['en']} of {goods.title['en']}", by=by.id, occurred_at=occurred_at,
        refs={"request": id, "team": for_team},
    )  # fmt: skip
    return request


def find(session: Session, request: str) -> Request:
    """The request, locked for a step. Raises NotFound."""
    found = locked(session, Request, request)
    if found is None:
        raise unknown()
    return found


def unknown() -> NotFound:
    """What is said of one that does not exist or may not be known."""
    return NotFound("request_unknown", "没有这份申领。", "There is no such request.")


def step(
    session: Session, id: str, request: Request, by: Standing, *, kind: str, occurred_at: datetime, quantity: int | None = None,
    serial_from: int | None = None, serial_to: int | None = None, carrier: str | None = None, note: str | None = None,
) -> Movement:  # fmt: skip
    """Record a movement. One that does not fit the request's state is kept as a claim, and the request shows as contested.

    Raises Refused when a serial range is missing, reversed, overlaps one already out, or does not match the quantity.
    """
    goods = locked(session, Supply, request.supply)
    assert goods is not None
    amount = quantity if quantity is not None else _default_amount(request, kind)
    if goods.serial and kind in {"dispatched", "received", "short", "used", "void", "returned"}:
        if serial_from is None or serial_to is None or serial_to < serial_from:
            raise Refused("serial_missing", "请填写起止号码。", "Give the first and last number.", path="serial_from")
        amount = serial_to - serial_from + 1
        if quantity is not None and quantity != amount:
            raise Refused(
                "serial_quantity", "号码范围与数量不符。", "The numbers do not match the quantity.", path="quantity"
            )
    accepted = kind in STEPS[request.state]
    if accepted and kind == "dispatched":
        _take(goods, amount, serial_from, serial_to)
    if accepted:
        _fold(request, goods, kind, amount, serial_from, serial_to)
    else:
        request.contested = True
    movement = Movement(
        id=id, request=request.id, incident=request.incident, kind=kind, quantity=amount, serial_from=serial_from,
        serial_to=serial_to, carrier=carrier, note=note, accepted=accepted, by=by.id, occurred_at=occurred_at,
        received_at=now(),
    )  # fmt: skip
    session.add(movement)
    zh, en = WORDS[kind]
    span = f"{serial_from}–{serial_to}"
    numbers = (f"（{span}）", f" ({span})") if serial_from is not None else ("", "")
    claim = ("（与当前状态不符，待核实）", " (does not fit the state, to be checked)") if not accepted else ("", "")
    timeline.record(
        session, request.incident, f"supply_{kind}", f"{by.name}{zh}{goods.title['zh']} {amount}{goods.unit['zh']}{numbers[0]}{claim[0]}",
        f"{by.name} {en} {amount} {goods.unit['en']} of {goods.title['en']}{numbers[1]}{claim[1]}", by=by.id,
        occurred_at=occurred_at, refs={"request": request.id, "movement": id},
    )  # fmt: skip
    return movement


def _default_amount(request: Request, kind: str) -> int:
    return request.sent - request.received if kind in {"received", "in_transit"} else request.quantity


def _fold(request: Request, goods: Supply, kind: str, amount: int, first: int | None, last: int | None) -> None:
    """Apply an accepted movement to the request and the stock."""
    if kind == "dispatched":
        request.sent += amount
    elif kind in {"received", "short"}:
        request.received += amount
    elif kind in {"used", "void", "returned"}:
        setattr(request, kind, getattr(request, kind) + amount)
        if kind == "returned":
            goods.quantity += amount
    if (
        goods.serial
        and kind in {"received", "short", "used", "void", "returned"}
        and first is not None
        and last is not None
    ):
        goods.serials = [*goods.serials, {"from": first, "to": last, "state": kind, "request": request.id}]
    if kind not in KEEPS_STATE:
        request.state = kind


def _take(goods: Supply, amount: int, first: int | None, last: int | None) -> None:
    """Take goods off the shelf. Raises Refused when there are not enough or the numbers are not in stock or already out."""
    if goods.quantity < amount:
        raise Refused(
            "stock_short",
            f"库存不足，现有 {goods.quantity}。",
            f"Not enough in stock, {goods.quantity} left.",
            path="quantity",
        )
    if goods.serial:
        assert first is not None and last is not None
        held = [one for one in goods.serials if one["state"] == "stock" and one["from"] <= first and last <= one["to"]]
        out = [
            one for one in goods.serials if one["state"] == "dispatched" and one["from"] <= last and first <= one["to"]
        ]
        if not held:
            raise Refused(
                "serial_unknown", "号码不在库存范围内。", "These numbers are not in stock.", path="serial_from"
            )
        if out:
            raise Refused("serial_taken", "号码已发出。", "These numbers are already out.", path="serial_from")
        goods.serials = [*goods.serials, {"from": first, "to": last, "state": "dispatched"}]
    goods.quantity -= amount


def shelf(session: Session) -> list[Supply]:
    """All supplies, by key."""
    return list(session.scalars(select(Supply).order_by(Supply.key)))


def number(goods: Supply, ranges: Sequence[tuple[int, int]]) -> None:
    """Say which numbers the goods were stocked with; what is out or used keeps its own ranges.

    Raises Refused for goods that are not numbered, and for ranges that are reversed or overlap.
    """
    if ranges and not goods.serial:
        raise Refused("not_numbered", "这种物资不按号码管理。", "These goods carry no numbers.", path="numbers")
    last_seen = -1
    for first, last in sorted(ranges):
        if last < first or first <= last_seen:
            raise Refused("numbers_overlap", "号段颠倒或重叠。", "Ranges are reversed or overlap.", path="numbers")
        last_seen = last
    stocked = [{"from": first, "to": last, "state": "stock"} for first, last in sorted(ranges)]
    goods.serials = [*stocked, *(one for one in goods.serials or [] if one["state"] != "stock")]
