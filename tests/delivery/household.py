"""People with phones, an incident and an alert to them, written straight into the tables for the tests of delivery."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.clock import now
from server.db import Database, new_id
from server.domain import outbox
from server.domain.alerts import Alert, Recipient
from server.domain.devices import Device, Subscription
from server.domain.incidents import Incident
from server.domain.outbox import Delivery
from server.domain.people import Person


class HasSubscription(Protocol):
    """Anything with a subscription: a phone of the test push service, or a real browser."""

    @property
    def endpoint(self) -> str: ...

    @property
    def point(self) -> bytes: ...

    @property
    def secret(self) -> bytes: ...


def subscribe(session: Session, phone: HasSubscription, locale: str = "zh") -> str:
    """A person with one device that has this subscription; returns the person."""
    person, device = new_id(), new_id()
    session.add(Person(id=person, username=person, name="值班员", role="responder", locale=locale))
    session.flush()
    session.add(Device(id=device, person=person, name="手机", created_at=now(), last_seen_at=now(), subscribed=True))
    session.flush()
    session.add(
        Subscription(
            id=new_id(), device=device, person=person, endpoint=phone.endpoint, origin=phone.endpoint[:21],
            p256dh=phone.point, auth=phone.secret, vapid_public_key="", state="live", created_at=now(),
        )
    )  # fmt: skip
    session.flush()
    return person


def alert(session: Session, people: Sequence[str], *, critical: bool = True, minutes: int = 60) -> str:
    """An alert to these people with a recipient and a push for each; returns the alert."""
    incident, key, at = new_id(), new_id(), now()
    session.add(
        Incident(id=incident, title="售票系统故障", by=people[0], started_at=at, received_at=at, status="activated")
    )
    session.flush()
    session.add(
        Alert(
            id=key, incident=incident, title={"zh": "启动预案", "en": "Plan activated"},
            body={"zh": "请立即到位。", "en": "Take your post."}, critical=critical, answers=["received", "on_my_way"],
            issued_at=at, expires_at=at + timedelta(minutes=minutes),
        )
    )  # fmt: skip
    session.flush()
    rows = [Recipient(id=new_id(), alert=key, incident=incident, person=person, channels=[]) for person in people]
    session.add_all(rows)
    session.flush()
    outbox.enqueue_push(
        session, [(row.person, row.id) for row in rows], key, "alert", {}, expires_at=at + timedelta(minutes=minutes),
        priority=outbox.CRITICAL if critical else outbox.NORMAL,
    )  # fmt: skip
    return key


def states(database: Database) -> dict[str, int]:
    """How many deliveries stand in which state."""
    with database.read() as session:
        counted: dict[str, int] = {}
        for state in session.scalars(select(Delivery.state)):
            counted[state] = counted.get(state, 0) + 1
        return counted
