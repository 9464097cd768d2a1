"""Senders killed in the middle of a fan-out: nobody is skipped, and a repeat carries the same topic and tag."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from server.clock import now
from server.db import Database, new_id
from server.domain import alerts, feed, rolls
from server.domain.alerts import Recipient
from server.domain.incidents import Incident
from server.domain.outbox import Delivery
from tests.delivery.household import alert, states, subscribe
from tests.push_service import PushService

pytestmark = pytest.mark.faults

WORDS = {"zh": "启动预案", "en": "Plan activated"}

Start = Callable[[], "subprocess.Popen[bytes]"]


@pytest.fixture
def service() -> Iterator[PushService]:
    with PushService() as running:
        yield running
        assert running.complaints == []


@pytest.fixture
def fed(database: Database) -> Database:
    feed.attach(database)
    return database


@pytest.fixture
def start(fed: Database, service: PushService, tmp_path: Path) -> Iterator[Start]:
    running: list[subprocess.Popen[bytes]] = []

    def begin() -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "tests.faults.worker_process", fed.url, str(tmp_path), service.origin]
        running.append(subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL))
        return running[-1]

    yield begin
    for process in running:
        if process.poll() is None:
            process.terminate()
        process.wait(10)


def order(session: Session, people: list[str]) -> str:
    """An alert as the domain issues it: to so many that they are called part by part."""
    at = now()
    incident = Incident(id=new_id(), title="故障", by=people[0], started_at=at, received_at=at, status="activated")
    session.add(incident)
    session.flush()
    return alerts.issue(session, incident, WORDS, WORDS, to=people, critical=True).id


def kill(process: "subprocess.Popen[bytes]") -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)


def quiet(service: PushService) -> int:
    """How many requests the service has had once it has read what the dead one left in its sockets."""
    seen = -1
    while seen != service.requests:
        seen = service.requests
        time.sleep(0.3)
    return seen


def wait_until_all(database: Database, state: str, count: int, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while states(database) != {state: count}:
        assert time.monotonic() < end, states(database)
        time.sleep(0.05)


def repeats(service: PushService) -> Counter[tuple[str, str, str]]:
    """How often each phone got each alert, told apart as the phone does: by topic and tag."""
    return Counter((note.phone, note.topic, note.data["notification"]["tag"]) for note in service.accepted)


@pytest.mark.parametrize("after", [1, 150, 299])
def test_killed_at_any_point_of_a_fan_out_nobody_is_skipped(
    fed: Database, service: PushService, start: Start, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rolls, "PART", 70)
    phones = [service.phone() for _ in range(300)]
    people = fed.write(lambda s: [subscribe(s, phone) for phone in phones])
    first = start()
    fed.write(lambda s: order(s, people))
    service.wait_for(after, 20)
    kill(first)
    sent_before = quiet(service)
    start()
    wait_until_all(fed, "noted", 300)
    with fed.read() as session:
        assert sorted(session.scalars(select(Recipient.person))) == sorted(people), "each is asked once"
    got = repeats(service)
    assert {phone for phone, _, _ in got} == {phone.name for phone in phones}
    assert len(got) == 300, "every repeat has the topic and tag of the first"
    assert max(got.values()) <= 2
    assert sum(got.values()) <= 300 + sent_before, "only what the dead one had sent can come twice"


def test_killed_again_and_again_everybody_is_told_in_the_end(fed: Database, service: PushService, start: Start) -> None:
    service.delay = 0.02
    people = fed.write(lambda s: [subscribe(s, service.phone()) for _ in range(400)])
    fed.write(lambda s: alert(s, people))
    for _ in range(4):
        process = start()
        reached = len(service.accepted)
        service.wait_for(min(reached + 60, 400), 20)
        kill(process)
    start()
    wait_until_all(fed, "noted", 400)
    got = repeats(service)
    assert len(got) == 400
    with fed.read() as session:
        attempts = {row.id: row.attempt for row in session.execute(select(Delivery.id, Delivery.attempt))}
    assert sum(got.values()) <= sum(attempts.values())


def test_killed_while_the_service_holds_the_answer_the_alert_comes_again(
    fed: Database, service: PushService, start: Start
) -> None:
    phone = service.phone()
    service.answer("hang", phone=phone)
    person = fed.write(lambda s: subscribe(s, phone))
    fed.write(lambda s: alert(s, [person]))
    first = start()
    end = time.monotonic() + 20
    while not service.notes:
        assert time.monotonic() < end
        time.sleep(0.02)
    kill(first)
    start()
    service.wait_for(1, 20)
    wait_until_all(fed, "noted", 1)
    first_note, second_note = service.notes
    assert first_note.topic == second_note.topic
    assert first_note.data["notification"]["tag"] == second_note.data["notification"]["tag"]
    assert first_note.data["tocsin"]["delivery"] == second_note.data["tocsin"]["delivery"]


def test_two_senders_share_the_work_and_repeat_nothing(
    fed: Database, service: PushService, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rolls, "PART", 40)
    people = fed.write(lambda s: [subscribe(s, service.phone()) for _ in range(300)])
    start()
    start()
    fed.write(lambda s: [alert(s, people[:60]), order(s, people[60:])])
    service.wait_for(300, 20)
    wait_until_all(fed, "noted", 300)
    assert set(repeats(service).values()) == {1}


def test_one_of_two_senders_is_killed_and_the_other_takes_over(
    fed: Database, service: PushService, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rolls, "PART", 40)
    service.delay = 0.05
    people = fed.write(lambda s: [subscribe(s, service.phone()) for _ in range(400)])
    pair = start(), start()
    fed.write(lambda s: order(s, people))
    service.wait_for(100, 20)
    kill(pair[0])
    wait_until_all(fed, "noted", 400)
    got = repeats(service)
    assert len(got) == 400
    assert max(got.values()) <= 2
    assert pair[1].poll() is None


def test_told_to_stop_it_marks_what_it_sent_and_ends(fed: Database, service: PushService, start: Start) -> None:
    people = fed.write(lambda s: [subscribe(s, service.phone()) for _ in range(50)])
    process = start()
    fed.write(lambda s: alert(s, people))
    service.wait_for(50, 20)
    process.terminate()
    assert process.wait(10) == 0
    assert set(states(fed)) <= {"sent", "noted"}
    assert sum(states(fed).values()) == 50
