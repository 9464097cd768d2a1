"""Pacing: how many times faster than written a drill runs, and what a change does to everything that counts down."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.clock import now
from server.db import new_id
from server.domain import incidents, limits, orders, timeline
from server.domain.incidents import Happening, Incident
from server.domain.people import Standing

REAL_TIME = "review"  # what comes after a drill is written in real time


def note(session: Session, incident: Incident, by: str, at: datetime) -> None:
    """Keep the pace as a fact, so that what was counted before a change can still be told."""
    session.add(
        Happening(
            id=new_id(), incident=incident.id, key=incidents.PACE, value=incident.speed, unit=None, note=None, by=by,
            occurred_at=at, received_at=now(),
        )
    )  # fmt: skip
    session.flush()


def change(session: Session, incident: Incident, speed: int, by: Standing) -> None:
    """Run on `speed` times faster than written; limits and orders keep what they have left in the plan's time."""
    at, share = now(), incident.speed / speed
    incident.speed = speed
    incident.version += 1
    note(session, incident, by.id, at)
    for limit in limits.running(session, incident.id):
        if limit.key != REAL_TIME:
            limits.hasten(limit, share)
    for order in session.scalars(select(orders.Order).where(orders.Order.incident == incident.id)):
        if order.due_at is not None and order.due_at > at:
            order.due_at = at + (order.due_at - at) * share
    timeline.record(
        session, incident.id, "pace", f"{by.name}将演练速度调为 {speed} 倍", f"{by.name} set the drill to {speed} times its speed",
        by=by.id,
    )  # fmt: skip
