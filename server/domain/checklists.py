"""Checklists: items made from the plan for a team, and the marks people set on them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, Float, ForeignKey, Index, Integer, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.clock import iso
from server.db import Id, Key, Model, named_id
from server.domain import incidents, rules
from server.domain.errors import Refused
from server.domain.rules.jsonable import to_jsonable

DONE, NOT_DONE, NOT_APPLICABLE = "done", "not_done", "not_applicable"


class Checklist(Model):
    """A checklist of one team in an incident."""

    __tablename__ = "checklist"
    synced_type = "checklist"
    id: Mapped[Key]
    incident: Mapped[Id] = mapped_column(ForeignKey("incident.id"))
    team: Mapped[Id | None] = mapped_column(ForeignKey("team.id"))
    key: Mapped[str] = mapped_column(String(80))
    title: Mapped[dict[str, Any]]
    ordered: Mapped[bool] = mapped_column(Boolean, default=False)
    clause: Mapped[Any | None]
    made_at: Mapped[datetime]
    __table_args__ = (Index(None, "incident", "key"),)

    def spaces(self, session: Session) -> Iterable[str]:
        """The team and command see it."""
        found = {f"incident:{self.incident}:command"}
        if self.team:
            found.add(f"incident:{self.incident}:team:{self.team}")
        return found

    def document(self, session: Session, space: str) -> dict[str, Any]:
        """The checklist as phones keep it."""
        return {
            "id": self.id, "incident": self.incident, "team": self.team, "key": self.key, "title": self.title,
            "ordered": self.ordered, "clause": self.clause, "made_at": iso(self.made_at),
        }  # fmt: skip


class Item(Model):
    """One thing to do, measure, say, choose, photograph or sign."""

    __tablename__ = "item"
    synced_type = "item"
    id: Mapped[Key]
    checklist: Mapped[Id] = mapped_column(ForeignKey("checklist.id"))
    incident: Mapped[Id] = mapped_column(ForeignKey("incident.id"))
    team: Mapped[Id | None]
    key: Mapped[str] = mapped_column(String(80))
    position: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(12))
    title: Mapped[dict[str, Any]]
    unit: Mapped[str | None] = mapped_column(String(20))
    min: Mapped[float | None] = mapped_column(Float)
    max: Mapped[float | None] = mapped_column(Float)
    choices: Mapped[Any | None]
    safety_critical: Mapped[bool] = mapped_column(Boolean, default=False)
    not_applicable: Mapped[bool] = mapped_column(Boolean, default=True)
    requires: Mapped[list[Any]]
    rule: Mapped[dict[str, Any]]
    locked: Mapped[Any | None]
    clause: Mapped[Any | None]
    __table_args__ = (Index(None, "checklist", "position"), Index(None, "incident"))

    def spaces(self, session: Session) -> Iterable[str]:
        """The team and command see it."""
        found = {f"incident:{self.incident}:command"}
        if self.team:
            found.add(f"incident:{self.incident}:team:{self.team}")
        return found

    def document(self, session: Session, space: str) -> dict[str, Any]:
        """The item as phones keep it."""
        return {
            "id": self.id, "checklist": self.checklist, "incident": self.incident, "key": self.key,
            "position": self.position, "kind": self.kind, "title": self.title, "unit": self.unit, "min": self.min,
            "max": self.max, "choices": self.choices, "safety_critical": self.safety_critical,
            "not_applicable": self.not_applicable, "requires": self.requires, "when": self.rule.get("when"),
            "locked_until": self.locked, "clause": self.clause,
        }  # fmt: skip


class Mark(Model):
    """What somebody set an item to; every mark is kept, the item's state is folded from them."""

    __tablename__ = "mark"
    synced_type = "mark"
    id: Mapped[Key]
    item: Mapped[Id] = mapped_column(ForeignKey("item.id"))
    incident: Mapped[Id]
    team: Mapped[Id | None]
    value: Mapped[Any]
    unit: Mapped[str | None] = mapped_column(String(20))
    note: Mapped[str | None]
    reason: Mapped[str | None]
    photo: Mapped[Id | None]
    based_on: Mapped[Id | None]
    by: Mapped[Id]
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime]
    __table_args__ = (Index(None, "item", "occurred_at"),)

    def spaces(self, session: Session) -> Iterable[str]:
        """The team and command see it."""
        found = {f"incident:{self.incident}:command"}
        if self.team:
            found.add(f"incident:{self.incident}:team:{self.team}")
        return found

    def document(self, session: Session, space: str) -> dict[str, Any]:
        """The mark as phones keep it."""
        return {
            "id": self.id, "item": self.item, "value": self.value, "unit": self.unit, "note": self.note,
            "reason": self.reason, "photo": self.photo, "based_on": self.based_on, "by": self.by,
            "occurred_at": iso(self.occurred_at), "received_at": iso(self.received_at),
        }  # fmt: skip


@dataclass(frozen=True)
class State:
    """What an item's marks come to: the value in force, whose mark it is, and whether people disagree."""

    value: Any
    mark: str | None
    contested: bool

    @property
    def settled(self) -> bool:
        """Whether the item counts as dealt with."""
        return self.mark is not None and self.value != NOT_DONE and not self.contested


def fold(marks: Sequence[Mark]) -> State:
    """Fold an item's marks: the last by (occurred_at, id) is in force.

    Another value that was not set on top of the one it replaced contests the item, until a mark made in knowledge of the
    one in force (`based_on`) settles it. Phones fold by the same rule.
    """
    state = State(None, None, False)
    for mark in sorted(marks, key=lambda one: (one.occurred_at, one.id)):
        knew = state.mark is None or mark.based_on == state.mark
        same = state.mark is not None and mark.value == state.value
        state = State(mark.value, mark.id, state.contested if same and not knew else not knew)
    return state


def states(session: Session, checklist: str) -> dict[str, tuple[Item, State]]:
    """The items of a checklist by key with what their marks come to."""
    items = list(session.scalars(select(Item).where(Item.checklist == checklist).order_by(Item.position)))
    marks: dict[str, list[Mark]] = {item.id: [] for item in items}
    for mark in session.scalars(select(Mark).where(Mark.item.in_(list(marks)))):
        marks[mark.item].append(mark)
    return {item.key: (item, fold(marks[item.id])) for item in items}


def make(
    session: Session,
    incident: incidents.Incident,
    order: str,
    team: str | None,
    rule: rules.ChecklistRule,
    locks: Mapping[str, Any],
    at: datetime,
) -> Checklist:
    """Make an order's checklist for a team from the plan; `locks` maps `item.CHECKLIST.ITEM` to what holds it back."""
    made = Checklist(
        id=named_id(order, f"checklist {team}"), incident=incident.id, team=team, key=rule.key, title=words(rule.title), ordered=rule.ordered,
        clause=clause(rule.clause), made_at=at,
    )  # fmt: skip
    session.add(made)
    session.flush()
    ids = {item.key: named_id(made.id, item.key) for item in rule.items}
    for position, item in enumerate(rule.items):
        session.add(
            Item(
                id=ids[item.key], checklist=made.id, incident=incident.id, team=team, key=item.key, position=position,
                kind=item.kind, title=words(item.text), unit=item.unit or None, min=item.min, max=item.max,
                choices=[{"key": one.key, "title": words(one.title)} for one in item.options] or None,
                safety_critical=item.safety_critical, not_applicable=item.not_applicable,
                requires=[ids[key] for key in item.requires], locked=locks.get(f"item.{rule.key}.{item.key}"),
                rule={"measure": item.measure, "records": item.records, "when": to_jsonable(item.when)},
                clause=clause(item.clause),
            )
        )  # fmt: skip
    session.flush()
    return made


def make_one(
    session: Session, incident: incidents.Incident, order: str, team: str, title: dict[str, Any], at: datetime
) -> Checklist:
    """Make a checklist that no plan has, for an order by hand: one item, by which the team says that it is done."""
    made = Checklist(
        id=named_id(order, f"checklist {team}"),
        incident=incident.id,
        team=team,
        key=f"order-{order}",
        title=title,
        ordered=False,
        clause=None,
        made_at=at,
    )
    session.add(made)
    session.flush()
    session.add(
        Item(
            id=named_id(made.id, "done"), checklist=made.id, incident=incident.id, team=team, key="done", position=0, kind="tick",
            title={"zh": "已完成", "en": "Done"}, safety_critical=False, not_applicable=True, requires=[],
            rule={"measure": None, "records": None, "when": None},
        )
    )  # fmt: skip
    session.flush()
    return made


def alike(session: Session, listing: Checklist) -> list[Checklist]:
    """The checklists of this key that teams of the incident have, this one among them."""
    query = select(Checklist).where(Checklist.incident == listing.incident, Checklist.key == listing.key)
    return list(session.scalars(query.order_by(Checklist.id)))


def check_value(item: Item, value: Any, unit: str | None) -> None:
    """Raise Refused when the value does not fit the item's kind, unit or bounds."""
    if value in (DONE, NOT_DONE) and item.kind in {"tick", "photo", "signature"} or value == NOT_DONE:
        return
    if value == NOT_APPLICABLE:
        if not item.not_applicable:
            raise Refused(
                "not_applicable_refused",
                "此项不可标为不适用。",
                "This item cannot be marked not applicable.",
                path="value",
            )
        return
    fits = {
        "number": isinstance(value, int | float) and not isinstance(value, bool),
        "text": isinstance(value, str) and bool(value.strip()),
        "signature": isinstance(value, str) and bool(value.strip()),
        "choice": value in {one["key"] for one in item.choices or ()},
    }.get(item.kind, False)
    if not fits:
        raise Refused("value_unfit", "填写内容与此项不符。", "The value does not fit this item.", path="value")
    if item.kind == "number":
        if unit is not None and item.unit and unit != item.unit:
            raise Refused("unit_unfit", f"单位应为 {item.unit}。", f"The unit must be {item.unit}.", path="unit")
        if item.min is not None and value < item.min or item.max is not None and value > item.max:
            raise Refused(
                "value_out_of_bounds",
                f"数值应在 {item.min} 至 {item.max} 之间。",
                f"The value must be between {item.min} and {item.max}.",
                path="value",
            )


def words(found: rules.Words) -> dict[str, str]:
    """A text of the plan as {zh, en}."""
    return {"zh": found.zh, "en": found.en}


def clause(found: rules.Clause) -> dict[str, Any]:
    """A clause as {ref, words}."""
    return {"ref": found.ref, "words": words(found.words)}
