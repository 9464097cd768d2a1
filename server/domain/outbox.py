"""The outbox: every message to a person's phone as a row, claimed, sent and accounted for."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, String, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.clock import now
from server.db import Id, Key, Model, new_id
from server.domain.devices import Subscription

PENDING, CLAIMED, SENT, FAILED, CANCELLED = "pending", "claimed", "sent", "failed", "cancelled"
CRITICAL, NORMAL, LOW = 0, 1, 2
MOST_ATTEMPTS = 12


class Delivery(Model):
    """One message for one person through one channel.

    `subject` is what it is about (an alert, or a device under test), `topic` replaces an undelivered earlier one,
    `attempt` fences a paused sender out, `recipient` is the alert's row for this person.
    """

    __tablename__ = "delivery"
    id: Mapped[Key]
    channel: Mapped[str] = mapped_column(String(20))
    person: Mapped[Id] = mapped_column(ForeignKey("person.id"))
    subject: Mapped[Id]
    recipient: Mapped[Id | None]
    subscription: Mapped[Id | None]
    kind: Mapped[str] = mapped_column(String(20))
    content: Mapped[dict[str, Any]]
    priority: Mapped[int] = mapped_column(Integer, default=NORMAL)
    state: Mapped[str] = mapped_column(String(10), default=PENDING)
    due_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime]
    owner: Mapped[str | None] = mapped_column(String(60))
    claimed_at: Mapped[datetime | None]
    attempt: Mapped[int] = mapped_column(Integer, default=0)
    sent_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(60))
    __table_args__ = (
        Index("ix_delivery_queue", "state", "priority", "due_at"),
        Index(None, "recipient", "state"),
        Index(None, "owner", "state"),
    )


def enqueue_push(
    session: Session, people: Sequence[tuple[str, str | None]], subject: str, kind: str, content: dict[str, Any],
    *, expires_at: datetime, priority: int = NORMAL, due_at: datetime | None = None,
) -> int:  # fmt: skip
    """Queue a Web Push for every live subscription of these (person, recipient) pairs; returns how many rows were queued."""
    at = now()
    recipient_of = dict(people)
    rows = []
    ids = list(recipient_of)
    for start in range(0, len(ids), 400):
        query = select(Subscription.id, Subscription.person).where(
            Subscription.person.in_(ids[start : start + 400]), Subscription.state == "live"
        )
        for subscription, person in session.execute(query):
            rows.append(
                {
                    "id": new_id(), "channel": "push", "person": person, "subject": subject,
                    "recipient": recipient_of[person], "subscription": subscription, "kind": kind, "content": content,
                    "priority": priority, "state": PENDING, "due_at": due_at or at, "expires_at": expires_at,
                    "created_at": at, "attempt": 0,
                }
            )  # fmt: skip
    if rows:
        session.execute(Delivery.__table__.insert(), rows)  # type: ignore[attr-defined]
    return len(rows)


def cancel(session: Session, recipients: Sequence[str]) -> None:
    """Take back what is still waiting for these recipients; what is already being sent cannot be called back."""
    for start in range(0, len(recipients), 400):
        session.execute(
            update(Delivery)
            .where(Delivery.recipient.in_(recipients[start : start + 400]), Delivery.state == PENDING)
            .values(state=CANCELLED, outcome="cancelled")
            .execution_options(synchronize_session=False)
        )


def claim(session: Session, owner: str, most: int, lost_owners: Sequence[str] = ()) -> list[Delivery]:
    """Take up to `most` due deliveries for `owner`, critical ones first, also those of owners known to be dead."""
    at = now()
    session.execute(
        update(Delivery)
        .where(Delivery.state == PENDING, Delivery.expires_at <= at)
        .values(state=FAILED, outcome="expired")
        .execution_options(synchronize_session=False)
    )
    waiting = (Delivery.state == PENDING) & (Delivery.due_at <= at)
    lost = (Delivery.state == CLAIMED) & Delivery.owner.in_(list(lost_owners))
    query = (
        select(Delivery)
        .where(or_(waiting, lost) if lost_owners else waiting)
        .order_by(Delivery.priority, Delivery.due_at)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    found = list(session.scalars(query))
    for delivery in found:
        delivery.state, delivery.owner, delivery.claimed_at = CLAIMED, owner, at
        delivery.attempt += 1
    return found


def settle(session: Session, delivery: str, attempt: int, state: str, outcome: str, retry_at: datetime | None = None) -> bool:
    """Record how a claimed delivery went; False when another sender has taken it over since."""
    values: dict[str, Any] = {"state": state, "outcome": outcome[:60], "owner": None}
    if state == SENT:
        values["sent_at"] = now()
    if retry_at is not None:
        values["due_at"] = retry_at
    changed = session.execute(
        update(Delivery)
        .where(Delivery.id == delivery, Delivery.attempt == attempt, Delivery.state == CLAIMED)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    return bool(changed.rowcount == 1)


def next_due(session: Session) -> datetime | None:
    """When the next waiting delivery is due, or None."""
    query = select(Delivery.due_at).where(Delivery.state == PENDING).order_by(Delivery.due_at).limit(1)
    return session.scalar(query)
