"""The outbox: every message to a person or a group's chat as a row, claimed, sent and accounted for."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    bindparam,
    case,
    func,
    insert,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.bulk import Given, as_rows, parts
from server.clock import now
from server.db import Id, Key, Model, new_id
from server.domain.devices import Subscription
from server.domain.people import Person
from server.statements import Statement

PENDING, CLAIMED, SENT, NOTED, FAILED, CANCELLED = "pending", "claimed", "sent", "noted", "failed", "cancelled"
"""Sent: a service took it. Noted: and the recipient's row says so."""
CRITICAL, NORMAL, LOW = 0, 1, 2
MOST_ATTEMPTS = 300
"""Far more than fit into an alert's validity: a message that breaks its sender each time is parked in the end."""
MOST_BESIDE = 20
WAKE_CHANNEL = "tocsin_outbox"
TAKEN_BACK, GONE = "cancelled", "gone"
LONGEST_HOLD = timedelta(seconds=30)


class Delivery(Model):
    """One message through one channel, for one person or (without `person`) for a group's chat.

    `subject` is what it is about (an alert, a device under test, for a chat the incident), `topic` replaces an undelivered earlier one,
    `attempt` fences a paused sender out, `recipient` is the alert's row for this person.
    """

    __tablename__ = "delivery"
    id: Mapped[Key]
    channel: Mapped[str] = mapped_column(String(20))
    person: Mapped[Id | None] = mapped_column(ForeignKey("person.id"))
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
        Index(None, "recipient"),  # without the state: it would be moved at every step, and one person has few rows
    )


class Claimed(NamedTuple):
    """A delivery in a sender's hands: its row, the person's language and, for a push, the subscription."""

    id: str
    channel: str
    person: str | None
    locale: str
    subject: str
    recipient: str | None
    subscription: str | None
    kind: str
    content: dict[str, Any]
    priority: int
    attempt: int
    created_at: datetime
    expires_at: datetime
    outcome: str | None
    endpoint: str | None
    p256dh: bytes | None
    auth: bytes | None


class Hands:
    """The hands of a sender that queues for itself: what is put into them is claimed from the start."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.rows: list[Claimed] = []


def enqueue_push(
    session: Session, people: Sequence[tuple[str, str | None]], subject: str, kind: str, content: dict[str, Any],
    *, expires_at: datetime, priority: int = NORMAL, due_at: datetime | None = None, hands: Hands | None = None,
) -> int:  # fmt: skip
    """Queue a Web Push for every live subscription of these (person, recipient) pairs; returns how many rows were queued.

    With `hands` they are claimed at once for whoever calls this, instead of waiting for a sender.
    """
    at = now()
    state, owner, claimed_at, attempt = (PENDING, None, None, 0) if hands is None else (CLAIMED, hands.owner, at, 1)
    given = as_rows([(person, recipient) for person, recipient in people])
    found = [(new_id(), row) for row in _LIVE.rows(session, rows=given)]
    if not found:
        return 0
    _ADD.run(
        session, rows=as_rows([(key, row.person, row.recipient, row.subscription) for key, row in found]), channel="push",
        subject=subject, kind=kind, content=content, priority=priority, state=state, due_at=due_at or at, expires_at=expires_at,
        created_at=at, attempt=attempt, owner=owner, claimed_at=claimed_at,
    )  # fmt: skip
    if hands is not None:
        hands.rows.extend(
            Claimed(
                key, "push", row.person, row.locale, subject, row.recipient, row.subscription, kind, content, priority, attempt,
                at, expires_at, None, row.endpoint, row.p256dh, row.auth,
            )
            for key, row in found
        )  # fmt: skip
    wake_senders(session)
    return len(found)


_GIVEN = Given()
_DELIVERY = cast(Table, Delivery.__table__)
_LIVE = Statement(
    select(
        _GIVEN.text(0).label("person"), _GIVEN.text(1).label("recipient"), Subscription.id.label("subscription"),
        func.coalesce(Person.locale, "zh").label("locale"), Subscription.endpoint, Subscription.p256dh, Subscription.auth,
    )
    .select_from(_GIVEN.source)
    .join(Person, Person.id == _GIVEN.id(0))
    .join(Subscription, (Subscription.person == Person.id) & (Subscription.state == "live"))
)  # fmt: skip
_ALIKE = (
    "channel", "subject", "kind", "content", "priority", "state", "due_at", "expires_at", "created_at", "attempt", "owner",
    "claimed_at",
)  # fmt: skip
_ADD = Statement(
    insert(_DELIVERY).from_select(
        ["id", "person", "recipient", "subscription", *_ALIKE],
        select(
            *(_GIVEN.id(place) for place in range(4)), *(bindparam(name, type_=_DELIVERY.c[name].type) for name in _ALIKE)
        ).select_from(_GIVEN.source),
    )
)  # fmt: skip


def wake_senders(session: Session) -> None:
    """Let the senders look at the outbox as soon as this transaction is committed; SQLite's notice it by themselves."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_notify(WAKE_CHANNEL, "")))


def cancel(session: Session, recipients: Sequence[str]) -> None:
    """Take back what is waiting for these recipients; what is being sent right now is at least not sent again."""
    if len(recipients) == 1:
        _CANCEL_ONE.run(session, recipient=recipients[0])
        return
    for part in parts(recipients):
        session.connection().execute(_CANCEL, {"recipients": part})


_TAKE_BACK = (
    update(cast(Table, Delivery.__table__))
    .where(or_(Delivery.state == PENDING, Delivery.state == CLAIMED))
    .values(state=case((Delivery.state == PENDING, CANCELLED), else_=Delivery.state), outcome=TAKEN_BACK)
)
_CANCEL = _TAKE_BACK.where(Delivery.recipient.in_(bindparam("recipients", expanding=True)))
_CANCEL_ONE = Statement(_TAKE_BACK.where(Delivery.recipient == bindparam("recipient")))


class Settled(NamedTuple):
    """How a claimed delivery went; `retry_at` only with the state pending."""

    id: str
    attempt: int
    state: str
    outcome: str
    retry_at: datetime | None = None


def claim(session: Session, owner: str, most: int, lost_owners: Sequence[str] = ()) -> list[Claimed]:
    """Take up to `most` due deliveries for `owner`, critical ones first, also those of owners known to be dead.

    Rows an owner has held for more than 30 s are taken as well: it is paused, and `attempt` keeps its late word out.
    What cannot be sent any more (expired, subscription gone, tried too often) is settled here and not returned.
    """
    at = now()
    found = _due(session, (Delivery.state == PENDING) & (Delivery.due_at <= at), most)
    if len(found) < most:
        lost = (Delivery.state == CLAIMED) & (Delivery.claimed_at <= at - LONGEST_HOLD)
        if lost_owners:
            lost = lost | ((Delivery.state == CLAIMED) & Delivery.owner.in_(list(lost_owners)))
        found += _due(session, lost, most - len(found))
    return _take(session, found, owner, at)


def claim_beside(session: Session, owner: str, rows: Sequence[Claimed], within: timedelta) -> list[Claimed]:
    """Take as well what waits for the same people by the same channels and comes due `within` this time."""
    people, at = {row.person for row in rows if row.person is not None}, now()
    if not people:
        return []
    d = Delivery
    beside = (d.state == PENDING) & (d.due_at <= at + within) & d.channel.in_({row.channel for row in rows})
    wanted = {(row.person, row.channel) for row in rows}
    found = _due(session, beside & d.person.in_(people), len(rows) * MOST_BESIDE)
    return _take(session, [row for row in found if (row.person, row.channel) in wanted], owner, at)


def _take(session: Session, found: Sequence[Claimed], owner: str, at: datetime) -> list[Claimed]:
    """Mark these rows as the owner's, or as over where they are of no use any more."""
    taken, useless = [], []
    for row in found:
        why = _useless(row, at)
        if why is None:
            taken.append(row._replace(attempt=row.attempt + 1))
        else:
            useless.append((row.id, why))
    for part in parts([row.id for row in taken]):
        session.execute(
            update(Delivery)
            .where(Delivery.id.in_(part))
            .values(state=CLAIMED, owner=owner, claimed_at=at, attempt=Delivery.attempt + 1)
            .execution_options(synchronize_session=False)
        )
    for key, why in useless:
        session.execute(
            update(Delivery)
            .where(Delivery.id == key)
            .values(state=CANCELLED if why == TAKEN_BACK else FAILED, outcome=why, owner=None)
            .execution_options(synchronize_session=False)
        )
    return taken


def settle(session: Session, settled: Sequence[Settled]) -> int:
    """Record how claimed deliveries went; returns how many were still ours to record.

    A row another sender has taken over since has a higher `attempt` and stays as it is.
    """
    alike: dict[tuple[int, str, str, datetime | None], list[str]] = {}
    for one in settled:
        alike.setdefault((one.attempt, one.state, one.outcome, one.retry_at), []).append(one.id)
    at, count = now(), 0
    for (attempt, state, outcome, retry_at), ids in alike.items():
        if state == PENDING:
            count += _let_go(session, Delivery.id.in_(ids), Delivery.attempt == attempt)
        values = {
            "was": attempt, "to": state, "word": outcome[:60], "due": retry_at, "at": at if state in (SENT, NOTED) else None,
        }  # fmt: skip
        count += _SETTLE.run(session, rows=as_rows([(one,) for one in ids]), **values)
    if any(one.state == SENT for one in settled):
        wake_senders(session)  # somebody notes it at the recipients
    return count


# Worked out once: it runs for every few hundred messages of a fan-out.
_SETTLE = Statement(
    update(_DELIVERY)
    .where(
        _DELIVERY.c.id.in_(_GIVEN.ids()),
        _DELIVERY.c.attempt == bindparam("was"),
        _DELIVERY.c.state == CLAIMED,
    )
    .values(
        state=bindparam("to"),
        outcome=bindparam("word"),
        owner=null(),
        sent_at=func.coalesce(bindparam("at", type_=_DELIVERY.c.sent_at.type), _DELIVERY.c.sent_at),
        due_at=func.coalesce(bindparam("due", type_=_DELIVERY.c.due_at.type), _DELIVERY.c.due_at),
    )
)


def revive(session: Session, subscriptions: Sequence[str], seconds: float) -> None:
    """Let wait again what failed in the last seconds because these subscriptions were said to be gone."""
    at = now()
    for part in parts(subscriptions):
        session.execute(
            update(Delivery)
            .where(
                Delivery.state == FAILED,
                Delivery.subscription.in_(part),
                Delivery.outcome == GONE,
                Delivery.due_at > at - timedelta(seconds=seconds),
                Delivery.expires_at > at,
            )
            .values(state=PENDING, outcome=None, due_at=at)
            .execution_options(synchronize_session=False)
        )


def release(session: Session, owner: str) -> None:
    """Put back what an owner that leaves has not sent."""
    _let_go(session, Delivery.owner == owner)
    session.execute(
        update(Delivery)
        .where(Delivery.owner == owner, Delivery.state == CLAIMED)
        .values(state=PENDING, owner=None)
        .execution_options(synchronize_session=False)
    )
    wake_senders(session)


def owners(session: Session) -> list[str]:
    """Who holds claimed deliveries."""
    query = select(Delivery.owner).where(Delivery.state == CLAIMED, Delivery.owner.is_not(None)).distinct()
    return [owner for owner in session.scalars(query) if owner is not None]


def next_due(session: Session) -> datetime | None:
    """When the next waiting delivery is due, or None."""
    return min((due for due in _DUES.rows(session)[0] if due is not None), default=None)


def under_way(session: Session) -> bool:
    """Whether anything is being sent, or could be."""
    if _HELD.first(session) is not None:
        return True
    due = next_due(session)
    return due is not None and due <= now()


_HELD = Statement(select(Delivery.id).where(Delivery.state == CLAIMED).limit(1))
# one look into the index for each priority instead of reading every waiting row
_DUES = Statement(
    select(
        *(
            select(func.min(Delivery.due_at))
            .where(Delivery.state == PENDING, Delivery.priority == priority)
            .scalar_subquery()
            for priority in (CRITICAL, NORMAL, LOW)
        )
    )
)


def _let_go(session: Session, *which: ColumnElement[bool]) -> int:
    """End claimed rows that were taken back meanwhile, so that they do not wait for another try."""
    statement = (
        update(Delivery)
        .where(*which, Delivery.state == CLAIMED, Delivery.outcome == TAKEN_BACK)
        .values(state=CANCELLED, owner=None)
        .execution_options(synchronize_session=False)
    )
    return cast(CursorResult[Any], session.execute(statement)).rowcount


def _due(session: Session, condition: ColumnElement[bool], most: int) -> list[Claimed]:
    d, s = Delivery, Subscription
    query = (
        select(
            d.id, d.channel, d.person, func.coalesce(Person.locale, "zh"), d.subject, d.recipient, d.subscription, d.kind, d.content,
            d.priority, d.attempt, d.created_at, d.expires_at, d.outcome, s.endpoint, s.p256dh, s.auth,
        )
        .outerjoin(Person, Person.id == d.person)
        .outerjoin(s, (s.id == d.subscription) & (s.state == "live"))
        .where(condition)
        .order_by(d.priority, d.due_at)
        .limit(most)
        .with_for_update(of=d, skip_locked=True)
    )  # fmt: skip
    return [Claimed(*row) for row in session.execute(query)]


def _useless(row: Claimed, at: datetime) -> str | None:
    if row.outcome == TAKEN_BACK:
        return TAKEN_BACK
    if row.expires_at <= at:
        return "expired"
    if row.channel == "push" and row.endpoint is None:
        return "unsubscribed"
    return "gave_up" if row.attempt >= MOST_ATTEMPTS else None
