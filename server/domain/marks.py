"""Marks on checklist items: recorded with who and when, and what the plan makes of them."""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.clock import now
from server.domain import checklists, course, incidents, limits, orders, rights, timeline
from server.domain.checklists import Checklist, Item, Mark
from server.domain.errors import Conflict, NotFound, Refused
from server.domain.people import Standing


def mark(
    session: Session, id: str, item_id: str, by: Standing, *, value: Any, occurred_at: datetime, unit: str | None = None,
    note: str | None = None, reason: str | None = None, based_on: str | None = None, photo: str | None = None,
) -> Mark:  # fmt: skip
    """Set an item. Every mark is kept; when people disagree the item is contested until one of them confirms.

    Raises Conflict while an interlock holds the item, Refused when the value does not fit or what comes first is open.
    """
    item = session.get(Item, item_id, with_for_update=True, populate_existing=True)
    listing = session.get(Checklist, item.checklist) if item else None
    unknown = NotFound("item_unknown", "没有这个检查项。", "There is no such item.")
    if item is None or listing is None:
        raise unknown
    incident = incidents.find(session, item.incident, by, unseen=unknown)
    rights.require(by, "item.mark", team=listing.team)
    checklists.check_value(item, value, unit)
    if value == checklists.NOT_APPLICABLE and not (reason or note):
        raise Refused("reason_needed", "标为不适用请说明原因。", "Say why it does not apply.", path="reason")
    if value not in (checklists.NOT_DONE, checklists.NOT_APPLICABLE):
        _require_open(session, listing, item)
    made = Mark(
        id=id, item=item.id, incident=incident.id, team=listing.team, value=value, unit=unit, note=note, reason=reason, photo=photo,
        based_on=based_on, by=by.id, occurred_at=occurred_at, received_at=now(),
    )  # fmt: skip
    before = checklists.fold(list(session.scalars(select(Mark).where(Mark.item == item.id))))
    session.add(made)
    session.flush()
    after = checklists.fold(list(session.scalars(select(Mark).where(Mark.item == item.id))))
    _record(session, incident, listing, item, made, by, newly_contested=after.contested and not before.contested)
    if after.mark == id and after.settled and value != checklists.NOT_APPLICABLE:
        _take_effect(session, incident, item, made, by)
    if after.settled and not before.settled and _all_settled(session, listing):
        _complete(session, incident, listing, by, occurred_at)
    return made


def _require_open(session: Session, listing: Checklist, item: Item) -> None:
    """Raise when an interlock holds the item or something that comes first is open."""
    if item.locked is not None:
        raise Conflict(
            "interlocked", item.locked["words"]["zh"], item.locked["words"]["en"], state={"locked_until": item.locked}
        )
    states = checklists.states(session, listing.id)
    missing = [other for other, state in states.values() if other.id in item.requires and not state.settled]
    if missing:
        zh, en = "、".join(one.title["zh"] for one in missing), ", ".join(one.title["en"] for one in missing)
        raise Conflict("order_of_items", f"请先完成：{zh}", f"First: {en}", state={"open": [one.id for one in missing]})


def _record(
    session: Session,
    incident: incidents.Incident,
    listing: Checklist,
    item: Item,
    made: Mark,
    by: Standing,
    newly_contested: bool,
) -> None:
    shown = {
        "done": ("完成", "done"),
        "not_done": ("未完成", "not done"),
        "not_applicable": ("不适用", "not applicable"),
    }
    zh, en = (
        shown.get(made.value, (f"{made.value}{item.unit or ''}",) * 2)
        if isinstance(made.value, str)
        else (f"{made.value} {item.unit or ''}".strip(),) * 2
    )
    refs = {"item": item.id, "checklist": listing.id, "mark": made.id}
    timeline.record(
        session, incident.id, "mark", f"{by.name}：{item.title['zh']}——{zh}", f"{by.name}: {item.title['en']} – {en}", by=by.id,
        occurred_at=made.occurred_at, refs=refs, audience=listing.team or "all",
    )  # fmt: skip
    if newly_contested:
        timeline.record(
            session, incident.id, "contested", f"检查项结果不一致：{item.title['zh']}", f"People disagree on: {item.title['en']}",
            refs=refs, audience=listing.team or "all",
        )  # fmt: skip


def _take_effect(session: Session, incident: incidents.Incident, item: Item, made: Mark, by: Standing) -> None:
    """A measured item sets its measure; an item that records a fact makes it happen."""
    if measure := item.rule.get("measure"):
        course.happen(
            session,
            incident,
            measure,
            occurred_at=made.occurred_at,
            by=by.id,
            value=made.value if made.value != "done" else True,
            unit=item.unit,
        )
    if records := item.rule.get("records"):
        course.happen(session, incident, records, occurred_at=made.occurred_at, by=by.id)


def _all_settled(session: Session, listing: Checklist) -> bool:
    return all(
        state.settled for item, state in checklists.states(session, listing.id).values() if not item.rule.get("when")
    )


def _complete(session: Session, incident: incidents.Incident, listing: Checklist, by: Standing, at: datetime) -> None:
    """The checklist is complete: its order is done and the plan hears of it."""
    timeline.record(
        session, incident.id, "checklist_done", f"检查单已完成：{listing.title['zh']}", f"Checklist complete: {listing.title['en']}",
        by=by.id, occurred_at=at, refs={"checklist": listing.id},
    )  # fmt: skip
    order = session.scalar(select(orders.Order).where(orders.Order.checklist == listing.id))
    if order is None or order.key is None:
        lists = checklists.alike(session, listing)
        by_hand = orders.Order.checklist.in_([one.id for one in lists]) & orders.Order.key.is_(None)
        order = session.scalar(select(orders.Order).where(by_hand))
    if order is not None and order.key is None:
        # what was ordered by hand to people of several teams is done when each of these has said so
        if not all(_all_settled(session, one) for one in lists):
            return
        order.status = "done"
        for limit in limits.running(session, incident.id):
            if limit.key == f"order-{order.id}":
                limits.end(session, limit, limits.MET, at)
        return
    course.happen(session, incident, f"checklist.{listing.key}.done", occurred_at=at, by=by.id)
    if order is not None:
        order.status = "done"
        session.flush()
        others = select(orders.Order.id).where(orders.Order.incident == incident.id, orders.Order.key == order.key)
        # the plan's order is done when every team it went to has done it
        if session.scalar(others.where(orders.Order.status != "done").limit(1)) is None:
            course.happen(session, incident, f"order.{order.key}.done", occurred_at=at, by=by.id)
