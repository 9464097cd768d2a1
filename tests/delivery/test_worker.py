"""From a delivery row to a phone and back to the row: the worker against real databases and a push service."""

import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import select, update

from server.clock import now
from server.db import Database, new_id
from server.delivery import worker as worker_module
from server.delivery.chores import Chore
from server.delivery.ownership import take_ownership
from server.domain import feed, outbox, tokens, told
from server.domain.alerts import Recipient
from server.domain.devices import Device, Subscription
from server.domain.outbox import Delivery
from server.presence import anybody
from tests.delivery.at_work import SECRET, wait_until, working
from tests.delivery.household import alert, states, subscribe
from tests.postgres import address, name_in
from tests.push_service import PushService


@pytest.fixture
def service() -> Iterator[PushService]:
    with PushService() as running:
        yield running
        assert running.complaints == []


@pytest.fixture
def fed(database: Database) -> Database:
    feed.attach(database)
    return database


def test_an_alert_reaches_every_phone_and_every_row_says_so(
    fed: Database, service: PushService, tmp_path: Path
) -> None:
    phones = [service.phone() for _ in range(40)]
    with working(fed, service, tmp_path):
        people = fed.write(lambda s: [subscribe(s, phone) for phone in phones])
        key = fed.write(lambda s: alert(s, people))
        notes = service.wait_for(40)
        wait_until(lambda: states(fed) == {"sent": 40})
    assert {note.phone for note in notes} == {phone.name for phone in phones}
    assert {note.topic for note in notes} == {uuid.UUID(key).hex}
    told = notes[0].data["tocsin"]
    assert notes[0].data["notification"]["title"] == "启动预案"
    assert notes[0].data["notification"]["data"] == told
    assert told["alert"] == key
    grant = tokens.read_token(SECRET, told["answer_token"], tokens.ANSWER, now())
    assert (grant.subject, grant.alert) == (told["recipient"], key)
    assert tokens.read_token(SECRET, told["receipt_token"], tokens.RECEIPT, now()).subject == told["delivery"]


def test_each_person_reads_their_own_language(fed: Database, service: PushService, tmp_path: Path) -> None:
    chinese, english = service.phone(), service.phone()
    people = fed.write(lambda s: [subscribe(s, chinese, "zh"), subscribe(s, english, "en")])
    fed.write(lambda s: alert(s, people))
    with working(fed, service, tmp_path):
        notes = {note.phone: note.data["notification"] for note in service.wait_for(2)}
    assert notes[chinese.name]["title"] == "启动预案"
    assert notes[english.name]["title"] == "Plan activated"
    assert [action["title"] for action in notes[english.name]["actions"]] == ["received", "on my way"]


def test_the_recipients_are_told_once_the_service_took_it(fed: Database, service: PushService, tmp_path: Path) -> None:
    people = fed.write(lambda s: [subscribe(s, service.phone()) for _ in range(3)])
    fed.write(lambda s: alert(s, people))
    with working(fed, service, tmp_path, Chore("told", told.due, told.note)):
        wait_until(lambda: states(fed) == {"noted": 3})
    with fed.read() as session:
        rows = list(session.scalars(select(Recipient)))
    assert all(row.told_at is not None and row.channels == ["push"] for row in rows)


def test_critical_goes_first_and_late_is_not_sent(fed: Database, service: PushService, tmp_path: Path) -> None:
    person = fed.write(lambda s: subscribe(s, service.phone()))
    fed.write(lambda s: [alert(s, [person], critical=False) for _ in range(3)])
    urgent = fed.write(lambda s: alert(s, [person], critical=True))
    late = fed.write(lambda s: alert(s, [person]))
    past = datetime.now(UTC) - timedelta(seconds=1)
    fed.write(lambda s: s.execute(update(Delivery).where(Delivery.subject == late).values(expires_at=past)))
    with working(fed, service, tmp_path):
        notes = service.wait_for(4)
        wait_until(lambda: states(fed) == {"sent": 4, "failed": 1})
    assert notes[0].topic == uuid.UUID(urgent).hex


def test_what_an_answer_took_back_is_not_sent(fed: Database, service: PushService, tmp_path: Path) -> None:
    people = fed.write(lambda s: [subscribe(s, service.phone()) for _ in range(2)])
    fed.write(lambda s: alert(s, people))
    with fed.read() as session:
        answered = session.scalars(select(Recipient.id).where(Recipient.person == people[0])).one()
    fed.write(lambda s: outbox.cancel(s, [answered]))
    with working(fed, service, tmp_path):
        service.wait_for(1)
        wait_until(lambda: states(fed) == {"sent": 1, "cancelled": 1})
    assert service.requests == 1


def test_an_answer_while_a_push_is_under_way_stops_every_further_try(fed: Database, service: PushService) -> None:
    person = fed.write(lambda s: subscribe(s, service.phone()))
    fed.write(lambda s: alert(s, [person]))
    (claimed,) = fed.write(lambda s: outbox.claim(s, "sender", 10))
    fed.write(lambda s: outbox.cancel(s, [str(claimed.recipient)]))
    again = outbox.Settled(claimed.id, claimed.attempt, outbox.PENDING, "failed", now() + timedelta(milliseconds=1))
    assert fed.write(lambda s: outbox.settle(s, [again])) == 1
    assert states(fed) == {"cancelled": 1}


def test_rows_of_a_dead_sender_that_were_answered_meanwhile_are_not_sent(
    fed: Database, service: PushService, tmp_path: Path
) -> None:
    people = fed.write(lambda s: [subscribe(s, service.phone()) for _ in range(2)])
    fed.write(lambda s: alert(s, people))
    first, _ = fed.write(lambda s: outbox.claim(s, "0123456789abcdef", 2))
    fed.write(lambda s: outbox.cancel(s, [str(first.recipient)]))
    with working(fed, service, tmp_path):
        service.wait_for(1)
        wait_until(lambda: states(fed) == {"sent": 1, "cancelled": 1})
    assert service.requests == 1


def test_what_was_answered_while_it_was_sent_counts_as_sent(fed: Database, service: PushService) -> None:
    person = fed.write(lambda s: subscribe(s, service.phone()))
    fed.write(lambda s: alert(s, [person]))
    (claimed,) = fed.write(lambda s: outbox.claim(s, "sender", 10))
    fed.write(lambda s: outbox.cancel(s, [str(claimed.recipient)]))
    fed.write(lambda s: outbox.settle(s, [outbox.Settled(claimed.id, claimed.attempt, outbox.SENT, "accepted")]))
    assert states(fed) == {"sent": 1}


def test_a_service_that_stumbles_is_asked_again(fed: Database, service: PushService, tmp_path: Path) -> None:
    phone = service.phone()
    service.answer(503, (429, {"Retry-After": "1"}), phone=phone)
    person = fed.write(lambda s: subscribe(s, phone))
    fed.write(lambda s: alert(s, [person]))
    with working(fed, service, tmp_path):
        service.wait_for(1)
        wait_until(lambda: states(fed) == {"sent": 1})
    assert [note.answered for note in service.notes] == [503, (429, {"Retry-After": "1"}), 201]
    assert len(service.topics(service.notes)) == 1


def test_one_phone_that_is_gone_is_retired(fed: Database, service: PushService, tmp_path: Path) -> None:
    gone, stays = service.phone(), service.phone()
    service.answer(410, phone=gone, after=410)
    people = fed.write(lambda s: [subscribe(s, phone) for phone in (gone, stays)])
    fed.write(lambda s: alert(s, people))

    def live() -> set[str]:
        with fed.read() as session:
            return set(session.scalars(select(Subscription.endpoint).where(Subscription.state == "live")))

    with working(fed, service, tmp_path):
        wait_until(lambda: live() == {stays.endpoint})
    with fed.read() as session:
        subscribed = {row.person: row.subscribed for row in session.execute(select(Device.person, Device.subscribed))}
    assert subscribed == {people[0]: False, people[1]: True}


@pytest.mark.expects_error_logs
def test_p3_a_storm_of_gone_opens_the_circuit_retires_nobody_and_all_are_told_when_it_is_over(
    fed: Database, service: PushService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.delivery.sending.STORM_PAUSE", 1.0)
    service.answer(after=410)
    people = fed.write(lambda s: [subscribe(s, service.phone()) for _ in range(60)])
    fed.write(lambda s: alert(s, people))

    def outcomes() -> set[str | None]:
        with fed.read() as session:
            return set(session.scalars(select(Delivery.outcome)))

    with working(fed, service, tmp_path):
        wait_until(lambda: "gone_storm" in outcomes())
        service.answer(after=201)
        before = service.requests
        assert before < 60 + 10, "the rest waits behind the open circuit"
        service.wait_for(60)
        wait_until(lambda: states(fed) == {"sent": 60})
    with fed.read() as session:
        assert set(session.scalars(select(Subscription.state))) == {"live"}
        assert set(session.scalars(select(Device.subscribed))) == {True}


def test_p7_a_service_that_is_not_there_is_asked_again_until_it_is(fed: Database, tmp_path: Path) -> None:
    with PushService() as first:
        port = first.port
        phones = [first.phone() for _ in range(12)]
    people = fed.write(lambda s: [subscribe(s, phone) for phone in phones])
    fed.write(lambda s: alert(s, people))
    again = PushService(port)
    again.phones.update({phone.name: phone for phone in phones})

    def refused() -> bool:
        with fed.read() as session:
            return bool(session.scalar(select(Delivery.id).where(Delivery.outcome == "unreachable").limit(1)))

    with working(fed, again, tmp_path):
        wait_until(refused)
        with again:
            again.wait_for(12)
            wait_until(lambda: states(fed) == {"sent": 12})
    with fed.read() as session:
        assert set(session.scalars(select(Subscription.state))) == {"live"}


def test_p5_what_could_only_be_tried_after_its_end_is_not_tried_again(
    fed: Database, service: PushService, tmp_path: Path
) -> None:
    service.answer(after=(429, {"Retry-After": "600"}))
    person = fed.write(lambda s: subscribe(s, service.phone()))
    fed.write(lambda s: [alert(s, [person], minutes=9), alert(s, [person], minutes=11)])
    with working(fed, service, tmp_path):
        wait_until(lambda: states(fed) == {"failed": 1, "pending": 1})
    assert service.requests == 2


def test_p9_what_was_taken_is_marked_while_another_service_lets_us_wait(
    fed: Database, service: PushService, tmp_path: Path
) -> None:
    slow = service.phone()
    service.answer("hang", phone=slow)
    people = fed.write(lambda s: [subscribe(s, phone) for phone in (slow, *(service.phone() for _ in range(20)))])
    fed.write(lambda s: alert(s, people))
    with working(fed, service, tmp_path):
        service.wait_for(20)
        wait_until(lambda: states(fed) == {"sent": 20, "claimed": 1}, 2.0)


def test_two_workers_take_turns_at_one_fan_out(
    fed: Database, service: PushService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.delivery.sending.MOST_IN_HAND", 10)
    service.delay = 0.05
    people = fed.write(lambda s: [subscribe(s, service.phone()) for _ in range(120)])
    owners: set[str] = set()

    def all_sent() -> bool:
        with fed.read() as session:
            owners.update(outbox.owners(session))
        return states(fed) == {"sent": 120}

    with working(fed, service, tmp_path), working(fed, service, tmp_path):
        fed.write(lambda s: alert(s, people))
        wait_until(all_sent, 20.0)
    assert len(owners) == 2
    assert len({note.phone for note in service.accepted}) == len(service.accepted) == 120


def test_a_key_mismatch_never_retires(fed: Database, service: PushService, tmp_path: Path) -> None:
    service.answer(after=403)
    people = fed.write(lambda s: [subscribe(s, service.phone()) for _ in range(10)])
    fed.write(lambda s: alert(s, people))
    with working(fed, service, tmp_path):
        wait_until(lambda: states(fed) == {"failed": 10})
    with fed.read() as session:
        assert set(session.scalars(select(Subscription.state))) == {"live"}
        assert set(session.scalars(select(Delivery.outcome))) == {"key_mismatch"}


def test_rows_of_a_dead_sender_are_taken_over_at_once(fed: Database, service: PushService, tmp_path: Path) -> None:
    people = fed.write(lambda s: [subscribe(s, service.phone()) for _ in range(5)])
    fed.write(lambda s: alert(s, people))
    assert len(fed.write(lambda s: outbox.claim(s, "0123456789abcdef", 3))) == 3
    with working(fed, service, tmp_path):
        service.wait_for(5)
        wait_until(lambda: states(fed) == {"sent": 5})
    with fed.read() as session:
        assert sorted(session.scalars(select(Delivery.attempt))) == [1, 1, 2, 2, 2]


def test_the_late_word_of_a_paused_sender_changes_nothing(fed: Database, service: PushService) -> None:
    person = fed.write(lambda s: subscribe(s, service.phone()))
    fed.write(lambda s: alert(s, [person]))
    (first,) = fed.write(lambda s: outbox.claim(s, "paused", 10))
    assert fed.write(lambda s: outbox.claim(s, "other", 10)) == []
    held = now() - timedelta(seconds=31)
    fed.write(lambda s: s.execute(update(Delivery).values(claimed_at=held)))
    (second,) = fed.write(lambda s: outbox.claim(s, "other", 10))
    assert (first.id, first.attempt + 1) == (second.id, second.attempt)
    late = outbox.Settled(first.id, first.attempt, outbox.FAILED, "late")
    assert fed.write(lambda s: outbox.settle(s, [late])) == 0
    assert (
        fed.write(lambda s: outbox.settle(s, [outbox.Settled(second.id, second.attempt, outbox.SENT, "accepted")])) == 1
    )
    assert states(fed) == {"sent": 1}


def test_a_chore_runs_when_it_is_due_and_a_failing_one_does_not_end_the_worker(
    fed: Database, service: PushService, tmp_path: Path
) -> None:
    due, ran = [now() + timedelta(seconds=0.3)], []

    def run(session: object) -> None:
        ran.append(now())
        due.clear()

    def fail(session: object) -> None:
        raise RuntimeError("no")

    good = Chore("good", lambda _: due[0] if due else None, run)
    bad = Chore("bad", lambda _: now(), fail)
    planned = due[0]
    with working(fed, service, tmp_path, bad, good):
        wait_until(lambda: bool(ran))
        person = fed.write(lambda s: subscribe(s, service.phone()))
        fed.write(lambda s: alert(s, [person]))
        service.wait_for(1)
    assert len(ran) == 1
    assert ran[0] >= planned


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_d13_a_worker_outlives_a_database_that_goes_away_and_comes_back(
    fed: Database, service: PushService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "SUBSCRIPTIONS_SECONDS", 0.2)
    name = name_in(fed.url)
    with psycopg.connect(address(fed.url, "postgres"), autocommit=True) as outside:

        def let_in(allowed: bool) -> None:
            outside.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {allowed}'.encode())
            outside.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])

        person, owned = fed.write(lambda s: subscribe(s, service.phone())), take_ownership(fed)
        assert owned.holds()
        with working(fed, service, tmp_path):
            wait_until(lambda: anybody(fed))
            let_in(False)
            assert (owned.holds(), owned.holds()) == (False, False), "however often it is asked"
            time.sleep(1.5)
            let_in(True)
            time.sleep(0.1)
            fed.write(lambda s: alert(s, [person]))
            service.wait_for(1, 20)
            wait_until(lambda: anybody(fed))


def test_a_delivery_without_words_is_parked(fed: Database, service: PushService, tmp_path: Path) -> None:
    person = fed.write(lambda s: subscribe(s, service.phone()))
    hour = now() + timedelta(hours=1)
    fed.write(lambda s: outbox.enqueue_push(s, [(person, None)], new_id(), "test", {}, expires_at=hour))
    words = {"title": {"zh": "推送测试", "en": "Push test"}, "body": {"zh": "可以收到。", "en": "It arrives."}}
    fed.write(lambda s: outbox.enqueue_push(s, [(person, None)], new_id(), "test", words, expires_at=hour))
    with working(fed, service, tmp_path):
        (note,) = service.wait_for(1)
        wait_until(lambda: states(fed) == {"sent": 1, "failed": 1})
    assert note.data["notification"]["title"] == "推送测试"
    assert "answer_token" not in note.data["tocsin"]


@pytest.mark.parametrize(
    "content", [{"title": "bare text"}, {"title": {"zh": 7}, "body": ["x"]}, {"title": {"zh": "x"}, "address": 5}]
)
def test_s15_a_delivery_that_breaks_its_writer_is_parked_and_the_others_go_out(
    fed: Database, service: PushService, tmp_path: Path, content: dict[str, object]
) -> None:
    person = fed.write(lambda s: subscribe(s, service.phone()))
    hour = now() + timedelta(hours=1)
    fed.write(lambda s: outbox.enqueue_push(s, [(person, None)], new_id(), "test", content, expires_at=hour))
    if "address" in content:
        fed.write(lambda s: s.execute(update(Delivery).values(channel="robot", subscription=None)))
    fed.write(lambda s: alert(s, [person]))
    with working(fed, service, tmp_path):
        service.wait_for(1)
        wait_until(lambda: states(fed) == {"sent": 1, "failed": 1})
