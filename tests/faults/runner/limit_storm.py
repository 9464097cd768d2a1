"""Many limits that come due while their workers are killed: each must fire once, never early, and soon."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.clock import now
from server.config import Config
from server.db import Database, new_id
from server.domain import timeline
from server.domain.incidents import Incident
from server.domain.limits import PASSED, RUNNING, Limit
from server.domain.people import Person
from server.domain.timeline import Entry
from server.opening import open_database

LEAD = 3.0
"""Seconds until the first limit is due, counted from when the workers are begun."""
CALM_SECONDS = 60.0
"""So long after the last that fired, those that are left are given up."""
TOGETHER = 25
"""Limits of one incident."""


@dataclass
class Storm:
    """What came of a storm: how late limits fired (seconds, sorted), and what was wrong."""

    limits: int
    killed: int
    parents: int
    late: list[float]
    wrong: list[str] = field(default_factory=list)

    def later_than(self, share: float) -> float:
        """The lateness that only this share of the limits exceeds."""
        return self.late[min(len(self.late) - 1, int(len(self.late) * (1 - share)))]

    def __str__(self) -> str:
        return (
            f"{self.limits} limits, {self.killed} processes at work and {self.parents} whole workers killed: late p50 {self.later_than(0.5):.3f} s, "
            f"p99 {self.later_than(0.01):.3f} s, max {self.late[-1]:.3f} s; {len(self.wrong)} wrong"
        )


def play(
    url: str, folder: Path, seed: int, limits: int, seconds: float, *, workers: int = 2, kills: float = 5.0, whole: int = 0,
) -> Storm:  # fmt: skip
    """Let `limits` come due over `seconds` while `kills` of the workers die a second, with their parent in one of `whole`.

    The database holds an organisation.
    """
    database = open_database(Config(database_url=url))
    given = map(str, (workers, seconds + LEAD, kills, whole, seed))
    command = [sys.executable, "-m", "tests.faults.runner.workers", *given]
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        "TOCSIN_DATA": str(folder), "DATABASE_URL": url, "TOCSIN_SECRET_KEY": "s" * 40,
    }  # fmt: skip
    process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        json.loads(process.stdout.readline())
        prepare(database, Random(seed), limits, seconds)
        killed = json.loads(process.stdout.readline())
        calm(url)
        said, _ = process.communicate("stop\n", timeout=60)
        found = _judge(database, limits, killed["copies"], killed["parents"])
        # One that was still loading when it was told to stop knows no better end than the signal's own.
        ends = json.loads(said)["ends"]
        if not set(ends) <= {0, -signal.SIGTERM}:
            found.wrong.append(f"a worker did not end well when told to: {ends}")
        return found
    finally:
        process.kill()
        process.wait()
        database.dispose()


def calm(url: str) -> None:
    """Wait until every limit has fired, for as long as they do."""
    database = open_database(Config(database_url=url))
    left, until = -1, 0.0
    try:
        while left and (left < 0 or time.monotonic() < until):
            with database.read() as session:
                waiting = session.scalar(select(func.count()).where(Limit.status == RUNNING)) or 0
            if waiting != left:
                left, until = waiting, time.monotonic() + CALM_SECONDS
            time.sleep(0.1)
    finally:
        database.dispose()


def prepare(database: Database, random: Random, limits: int, seconds: float) -> None:
    with database.read() as session:
        by = session.scalar(select(Person.id).where(Person.active).limit(1))
    assert by is not None, "the database holds nobody"
    start = now() + timedelta(seconds=LEAD)
    words = {"zh": "时限", "en": "limit"}

    def unit(session: Session) -> None:
        for first in range(0, limits, TOGETHER):
            incident = Incident(
                id=new_id(), title=f"{first}", by=by, started_at=now(), received_at=now(), status="reported"
            )
            session.add(incident)
            session.flush()
            for number in range(first, min(first + TOGETHER, limits)):
                due = start + timedelta(seconds=random.uniform(0, seconds))
                session.add(
                    Limit(
                        id=new_id(), incident=incident.id, key=f"storm-{number}", title=words, rule={}, started_at=now(),
                        due_at=due, length_seconds=60, status=RUNNING,
                    )
                )  # fmt: skip

    database.write(unit)


def _judge(database: Database, limits: int, killed: int, parents: int) -> Storm:
    storm = Storm(limits, killed, parents, [])
    with database.read() as session:
        fired = Counter(one.refs["limit"] for one in session.scalars(select(Entry).where(Entry.kind == "limit_passed")))
        found = list(session.scalars(select(Limit).where(Limit.key.startswith("storm-"))))
        for limit in found:
            if limit.status != PASSED or limit.fired_at is None:
                storm.wrong.append(f"{limit.key} did not fire")
                continue
            if fired[limit.id] != 1:
                storm.wrong.append(f"{limit.key} fired {fired[limit.id]} times")
            if limit.fired_at < limit.due_at:
                storm.wrong.append(f"{limit.key} fired early")
            storm.late.append((limit.fired_at - limit.due_at).total_seconds())
        if len(found) != limits:
            storm.wrong.append(f"{limits - len(found)} limits are gone")
        for incident in session.scalars(select(Limit.incident).distinct()):
            if (broken := timeline.broken_at(session, incident)) is not None:
                storm.wrong.append(f"the chain of {incident} breaks at {broken}")
    storm.late.sort()
    storm.late = storm.late or [0.0]
    return storm
