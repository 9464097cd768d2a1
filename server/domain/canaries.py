"""Canaries: small quiet pushes that ask a phone for its receipt, so that a dead one is known before the incident."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from server.clock import now
from server.db import new_id
from server.domain import outbox
from server.domain.devices import Subscription
from server.domain.outbox import Delivery
from server.domain.people import Organisation, Person

KIND = "canary"
EVERY = timedelta(days=7)
"""Seldom enough for the browsers that show each push and for those that allow sixteen unseen ones between two visits."""
FIRST_HOUR, LAST_HOUR = 9, 17
"""Local hours; most browsers show something, and nobody is to be woken for a test."""
VALID = timedelta(hours=4)
AT_ONCE = 200
CONTENT = {
    "title": {"zh": "推送检查", "en": "Push check"},
    "body": {"zh": "此手机能收到推送，无需操作。", "en": "Pushes reach this phone. Nothing to do."},
}


def ask(session: Session, subscriptions: Sequence[Subscription]) -> None:
    """Queue a canary to each of these; it steps back behind every alert."""
    at = now()
    for one in subscriptions:
        one.checked_at = at
        session.add(
            Delivery(
                id=new_id(), channel="push", person=one.person, subject=one.device, subscription=one.id, kind=KIND,
                content=CONTENT, priority=outbox.LOW, state=outbox.PENDING, due_at=at, expires_at=at + VALID, created_at=at,
            )
        )  # fmt: skip
    session.flush()
    outbox.wake_senders(session)


def send_due(session: Session) -> int:
    """Ask the phones that nobody asked for a week, in working hours only; returns how many."""
    if not _working_hours(session):
        return 0
    query = _due().order_by(Subscription.id).limit(AT_ONCE).with_for_update(of=Subscription, skip_locked=True)
    found = list(session.scalars(query))
    if found:
        ask(session, found)
    return len(found)


def next_due(session: Session) -> datetime | None:
    """Now when somebody's canary is due and the hour is right, else None."""
    if not _working_hours(session):
        return None
    return now() if session.scalar(_due().limit(1)) is not None else None


def _due() -> Select[Subscription]:
    last = func.coalesce(Subscription.checked_at, Subscription.created_at)
    heard = func.coalesce(Subscription.proven_at, Subscription.created_at)
    edge = now() - EVERY
    return (
        select(Subscription)
        .join(Person, Person.id == Subscription.person)
        .where(Subscription.state == "live", Person.active, last <= edge, heard <= edge)
    )


def _working_hours(session: Session) -> bool:
    zone = session.scalar(select(Organisation.timezone).limit(1))
    return zone is not None and FIRST_HOUR <= now().astimezone(ZoneInfo(zone)).hour < LAST_HOUR
