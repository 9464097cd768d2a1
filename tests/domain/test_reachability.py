"""Reachability is what receipts prove and time takes away, not what somebody ticked."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from server.clock import clock, now
from server.db import Database, new_id
from server.domain import answers, canaries, devices, feed, outbox, reachability, told
from server.domain.devices import Subscription
from server.domain.feed import Change
from server.domain.outbox import Delivery, Settled
from server.domain.people import Membership, Organisation, Person, Team
from server.domain.reachability import Reachability
from tests.delivery.household import alert, subscribe
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


MORNING = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)  # ten o'clock in Shanghai


@pytest.fixture
def held() -> Iterator[None]:
    clock.hold(MORNING)
    yield
    clock.release()


def row(database: Database) -> tuple[str, str, datetime]:
    with database.read() as session:
        found = session.scalars(select(Reachability)).one()
        return found.word, found.why, found.since


def send(database: Database, kind: str) -> str:
    """Let the push service take the one waiting delivery of this kind, as the sender and its chore do; returns it."""
    with database.read() as session:
        key = session.scalars(select(Delivery.id).where(Delivery.kind == kind, Delivery.state == "pending")).one()
    assert [one.id for one in database.write(lambda s: outbox.claim(s, "me", 10))] == [key]
    assert database.write(lambda s: outbox.settle(s, [Settled(key, 1, outbox.SENT, "201")])) == 1
    assert database.write(told.note) == 1
    return key


def confirm(database: Database, delivery: str) -> None:
    def unit(session: Session) -> None:
        found = session.get(Delivery, delivery)
        assert found is not None
        answers.push_arrived(session, found, "delivered", now())

    database.write(unit)


@pytest.mark.usefixtures("held")
@pytest.mark.parametrize("kind", ["alert", "canary"])
def test_a_message_without_a_receipt_takes_the_proof_away_and_a_receipt_gives_it_back(
    database: Database, person: str, word: Callable[[], str], kind: str
) -> None:
    database.write(lambda s: s.execute(update(Subscription).values(proven_at=now())))
    assert word() == "reachable"
    clock.move(3600)
    asked = now()
    if kind == "alert":
        database.write(lambda s: alert(s, [person]))
    else:
        database.write(lambda s: canaries.ask(s, list(s.scalars(select(Subscription)))))
    delivery = send(database, kind)
    assert word() == "reachable", "a phone may be off for as long as the push service keeps the message"
    clock.move(4 * 3600)
    assert word() == "unproven"
    assert row(database) == ("unproven", "silent", asked)
    clock.move(60)
    confirm(database, delivery)
    assert word() == "reachable"
    assert row(database) == ("reachable", "receipt", now())


@pytest.mark.usefixtures("held")
def test_a_receipt_that_comes_before_its_message_is_noted_owes_nothing(
    database: Database, person: str, word: Callable[[], str]
) -> None:
    database.write(lambda s: alert(s, [person]))
    with database.read() as session:
        key = session.scalars(select(Delivery.id)).one()
    database.write(lambda s: outbox.claim(s, "me", 10))
    confirm(database, key)
    database.write(lambda s: outbox.settle(s, [Settled(key, 1, outbox.SENT, "201")]))
    database.write(told.note)
    clock.move(5 * 3600)
    assert word() == "reachable"


@pytest.mark.usefixtures("held")
def test_the_last_phone_called_gone_is_told_to_command_and_the_leader_with_the_reason(
    database: Database, person: str, word: Callable[[], str]
) -> None:
    team = new_id()

    def join(session: Session) -> None:
        session.add(Team(id=team, kind="security", title={"zh": "安保", "en": "Security"}, strength={}))
        session.flush()
        session.add(Membership(id=new_id(), person=person, team=team, role="member"))
        [held] = session.scalars(select(Subscription.id))
        devices.end_subscription(session, held, "gone")

    database.write(join)
    assert word() == "dead"
    assert row(database) == ("dead", "gone", MORNING)
    with database.read() as session:
        spaces = set(session.scalars(select(Change.space).where(Change.type == "reachability")))
    assert spaces == {"contacts", f"contacts:{team}", f"me:{person}"}


def test_somebody_without_any_phone_is_unreachable_from_the_start(database: Database) -> None:
    feed.attach(database)
    database.write(lambda s: s.add(Person(id=new_id(), username="u", name="值班员", role="responder")))
    assert database.write(reachability.refresh) == 1
    assert row(database)[:2] == ("dead", "no_device")
    assert database.write(reachability.refresh) == 0


@pytest.mark.usefixtures("held")
def test_canaries_go_out_weekly_in_working_hours_behind_every_alert(database: Database, person: str) -> None:
    zone = Organisation(id=new_id(), name={"zh": "云", "en": "Y"}, timezone="Asia/Shanghai", settings={})
    database.write(lambda s: s.add(zone))
    assert database.write(canaries.send_due) == 0, "it is new, and was asked when it subscribed"
    clock.move(7 * 24 * 3600 + 8 * 3600)  # six in the evening
    with database.read() as session:
        assert canaries.next_due(session) is None
    assert database.write(canaries.send_due) == 0
    clock.move(15 * 3600)  # nine in the morning
    with database.read() as session:
        assert canaries.next_due(session) == now()
    assert database.write(canaries.send_due) == 1
    assert database.write(canaries.send_due) == 0
    with database.read() as session:
        found = session.scalars(select(Delivery)).one()
        assert (found.kind, found.priority, found.person) == ("canary", outbox.LOW, person)
    clock.move(6 * 24 * 3600)
    database.write(lambda s: s.execute(update(Subscription).values(proven_at=now())))
    clock.move(2 * 24 * 3600)
    assert database.write(canaries.send_due) == 0, "it was heard of two days ago"


@pytest.mark.usefixtures("held")
def test_another_channel_is_proven_by_its_own_receipt_only(
    database: Database, person: str, word: Callable[[], str]
) -> None:
    key = new_id()
    database.write(
        lambda s: s.add(
            Delivery(
                id=key, channel="sms", person=person, subject=key, kind="alert", content={}, state="sent", due_at=now(),
                expires_at=now(), created_at=now(),
            )
        )
    )  # fmt: skip
    confirm(database, key)
    assert word() == "unproven"
    with database.read() as session:
        assert session.scalars(select(Reachability.channel)).all() == ["sms"]
