"""Reachability is what receipts prove and time takes away, not what somebody ticked."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from server.clock import clock, now
from server.db import Database
from server.domain import devices, feed, reachability
from server.domain.devices import Subscription
from server.domain.feed import Change
from server.domain.people import Person
from tests.delivery.household import subscribe
from tests.push_service import PushService


@pytest.fixture
def person(database: Database) -> Iterator[str]:
    feed.attach(database)
    with PushService() as service:
        yield database.write(lambda s: subscribe(s, service.phone()))


@pytest.fixture
def word(database: Database, person: str) -> Callable[[], str]:
    def look() -> str:
        database.write(reachability.refresh)
        with database.read() as session:
            assert reachability.refresh_due(session) is None
            return session.scalars(select(Person.reachable)).one()

    return look


def test_a_subscription_is_unproven_until_a_receipt_and_again_a_month_later(
    database: Database, word: Callable[[], str]
) -> None:
    assert word() == "unproven"
    database.write(lambda s: s.execute(update(Subscription).values(proven_at=now())))
    with database.read() as session:
        assert reachability.refresh_due(session) is not None
    assert word() == "reachable"
    clock.hold(now() + timedelta(days=31))
    try:
        assert word() == "unproven"
    finally:
        clock.release()


def test_without_a_living_subscription_nobody_is_reached_and_phones_learn_it(
    database: Database, person: str, word: Callable[[], str]
) -> None:
    with database.read() as session:
        subscription = session.scalars(select(Subscription.id)).one()
    database.write(lambda s: devices.end_subscription(s, subscription, "gone"))
    assert word() == "dead"
    with database.read() as session:
        document = session.scalars(select(Change.document).where(Change.entity == person)).one()
    assert '"reachable":"dead"' in str(document)
    database.write(lambda s: devices.reinstate(s, subscription))
    assert word() == "unproven"


def test_somebody_who_has_left_is_left_alone(database: Database, person: str, word: Callable[[], str]) -> None:
    database.write(lambda s: s.execute(update(Person).values(active=False, reachable="reachable")))
    with database.read() as session:
        subscription = session.scalars(select(Subscription.id)).one()
    database.write(lambda s: devices.end_subscription(s, subscription, "gone"))
    assert word() == "reachable"
