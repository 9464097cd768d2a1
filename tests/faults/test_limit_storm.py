"""Limits while their workers are killed five times a second, and limits met at the very moment they pass."""

import os
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from server.clock import clock, now
from server.db import new_id
from server.domain import escalation, limits
from server.domain.limits import MET, PASSED, RUNNING, Limit
from server.domain.timeline import Entry
from tests.cast import Stage
from tests.faults.runner.limit_storm import play

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]
PAIRS = int(os.environ.get("TOCSIN_TEST_PAIRS", "120"))
LIMITS = int(os.environ.get("TOCSIN_TEST_LIMITS", "2000"))
SEED = 20261127


def storm(stage: Stage, folder: Path, count: int, seconds: float) -> None:
    clock.release()  # the workers live in the real time
    stage.database.dispose()
    came = play(stage.database.url, folder, SEED, count, seconds)
    assert came.wrong == [], str(came)
    assert came.killed >= 2 * seconds, str(came)


def test_limits_fire_once_while_their_workers_are_killed_five_times_a_second(stage: Stage, tmp_path: Path) -> None:
    storm(stage, tmp_path, 150, 3.0)


@pytest.mark.long
def test_limits_fire_once_through_a_long_storm(stage: Stage, tmp_path: Path) -> None:
    storm(stage, tmp_path, LIMITS, max(LIMITS / 40, 10))


def test_what_is_met_within_five_milliseconds_of_its_end_has_one_winner(stage: Stage) -> None:
    """One side meets the limit as a person's fact does, the other lets it pass as a worker does, 5 ms apart at most."""
    incident = stage["visitors_one"].fact("/incidents", {"title": "漏水"})
    random, met, failed = Random(SEED), Counter[str](), []
    tasks: queue.SimpleQueue[tuple[str, float] | None] = queue.SimpleQueue()
    done: queue.SimpleQueue[None] = queue.SimpleQueue()

    def meet(key: str, session: Session) -> bool:
        found = session.get(Limit, key)
        assert found is not None
        return limits.end(session, found, MET)

    def person() -> None:
        while (task := tasks.get()) is not None:
            key, at = task
            time.sleep(max(0.0, at - time.monotonic()))
            try:
                met[key] += stage.database.write(partial(meet, key))
            except Exception as error:
                failed.append(error)
            done.put(None)

    other = threading.Thread(target=person)
    other.start()
    keys = [new_id() for _ in range(PAIRS)]
    try:
        for number, key in enumerate(keys):
            stage.database.write(_make(incident, key, number))
            at = time.monotonic() + 0.006
            tasks.put((key, at + random.uniform(-0.005, 0.005)))
            time.sleep(max(0.0, at - time.monotonic()))
            stage.database.write(escalation.fire_due)
            done.get()
    finally:
        tasks.put(None)
        other.join()
    assert failed == []
    with stage.database.read() as session:
        states = {one.id: one.status for one in session.scalars(select(Limit).where(Limit.id.in_(keys)))}
        fired = Counter(one.refs["limit"] for one in session.scalars(select(Entry).where(Entry.kind == "limit_passed")))
    assert set(states) == set(keys)
    assert {key for key, state in states.items() if state == MET} == {key for key in keys if met[key] == 1}
    assert {key for key, state in states.items() if state == PASSED} == {key for key in keys if fired[key] == 1}
    assert {met[key] + fired[key] for key in keys} == {1}, "exactly one of the two wins"
    assert min(Counter(states.values())[MET], Counter(states.values())[PASSED]) > PAIRS // 20, "both win now and then"


def _make(incident: str, key: str, number: int) -> Callable[[Session], None]:
    words = {"zh": "时限", "en": "limit"}

    def unit(session: Session) -> None:
        due = now() - timedelta(milliseconds=1)
        session.add(
            Limit(
                id=key, incident=incident, key=f"pair-{number}", title=words, rule={}, started_at=due, due_at=due,
                length_seconds=1, status=RUNNING,
            )
        )  # fmt: skip

    return unit
