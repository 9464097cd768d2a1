"""One run: start, play, hurt, heal, drain, stop, judge. `play` is all a test or the bench needs."""

import threading
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select

from server.config import Config
from server.domain.feed import Space
from server.domain.limits import RUNNING, Limit
from server.domain.steps import WAITING, Step
from server.opening import open_database
from tests.faults.runner.checker import Verdict, judge
from tests.faults.runner.ground import Ground
from tests.faults.runner.nemesis import Nemesis, schedule
from tests.faults.runner.phones import FieldPhone
from tests.pictures import jpeg

CREW = (
    "visitors-1", "commander", "it-lead", "security-1", "logistics-lead", "security-lead", "it-1", "visitors-lead",
    "finance-lead", "deputy", "security-2", "communications-lead",
)  # fmt: skip
EVERY = (0.4, 1.6)
QUIET_SECONDS = 40.0
ROUNDS = 4


@dataclass(frozen=True)
class Outcome:
    """What happened in a run and what the checker says of it."""

    seed: int
    verdict: Verdict
    counts: Counter[str]
    deeds: Counter[str]
    errors: list[str]

    def __str__(self) -> str:
        parts = [f"seed {self.seed}"]
        for title, found in (("checked", self.verdict.figures), ("phones", self.counts), ("nemesis", self.deeds)):
            parts.append(f"{title}: " + ", ".join(f"{name} {count}" for name, count in sorted(found.items())))
        parts += [f"WRONG {one}" for one in self.verdict.wrong[:40]]
        parts += [f"LOGGED {one}" for one in self.errors[:20]]
        return "\n".join(parts)


def play(
    folder: Path, seed: int, seconds: float, *, postgresql: bool = False, phones: int = 8, rate: float = 20.0,
    every: tuple[float, float] = EVERY, restores: int = 0,
) -> Outcome:  # fmt: skip
    """Run for `seconds` with `phones` people making about `rate` facts a second each, and judge what is left.

    `restores` times on the way the machine is lost and begins again on a backup from seconds before.
    """
    (folder / "house").mkdir(parents=True)
    ground = Ground(folder, postgresql)
    crew: list[FieldPhone] = []
    try:
        house = ground.house
        house.start()
        logs = folder / "phones"
        crew = [FieldPhone(logs / name, house.port, name, house.password, f"{seed} {name}") for name in CREW[:phones]]
        stopping, picture = threading.Event(), jpeg(200, 120)
        for phone in crew:
            phone.others = restores == 0
            phone.pull()
        threads = [threading.Thread(target=phone.play, args=(stopping, picture, rate)) for phone in crew]
        for thread in threads:
            thread.start()
        nemesis = Nemesis(ground)
        try:
            nemesis.play(schedule(seed, seconds, every, postgresql, restores))
        finally:
            stopping.set()
            for thread in threads:
                thread.join()
        drain(crew, restores > 0)
        house.move(900)
        until_quiet(ground)
        for phone in crew:
            phone.finish()
        house.stop()
        at = datetime.now(UTC) + timedelta(seconds=ground.ahead())
        verdict = judge(logs, ground.url, ground.photos, at - timedelta(seconds=30))
        counts: Counter[str] = Counter()
        for phone in crew:
            counts.update(phone.counts)
        return Outcome(seed, verdict, counts, nemesis.done, undeclared(ground))
    finally:
        ground.close()


def drain(crew: list[FieldPhone], restored: bool) -> None:
    """Let everybody send what is left. After a restore in rounds, for one may wait for what another brings back."""
    for _ in range(ROUNDS if restored else 1):
        for phone in crew:
            phone.notice()
            phone.missing.clear()
            phone.drain(QUIET_SECONDS)
    for phone in crew:
        phone.give_up_waiting()
        phone.drain(QUIET_SECONDS)
        phone.say_drained()


def until_quiet(ground: Ground) -> None:
    """Wait until nothing is due and nothing moves any more."""
    database = open_database(Config(database_url=ground.url))
    last, since, until = None, time.monotonic(), time.monotonic() + QUIET_SECONDS
    try:
        while time.monotonic() < until:
            at = datetime.now(UTC) + timedelta(seconds=ground.ahead())
            with database.read() as session:
                due = session.scalar(select(func.count()).where(Limit.status == RUNNING, Limit.due_at <= at)) or 0
                due += session.scalar(select(func.count()).where(Step.status == WAITING, Step.due_at <= at)) or 0
                state = (due, session.scalar(select(func.sum(Space.version))))
            if state != last or due:
                last, since = state, time.monotonic()
            elif time.monotonic() - since > 2.5:
                return
            time.sleep(0.1)
    finally:
        database.dispose()


def undeclared(ground: Ground) -> list[str]:
    """What the processes logged that no misfortune explains: a worker of gunicorn's gone, connections the database ended."""
    expected = (
        "was sent SIGKILL",
        "WORKER TIMEOUT",
        "no notifications from the database",
        "was deleted while still open",
        # the moments in which the database is killed and has not come back
        "Connection refused",
        "the database system is starting up",
        "the database system is not yet accepting connections",
        "the database system is shutting down",
        "for the database",  # who waits for it says so
        "a connection to the database was lost",
    )
    return [line for line in ground.house.complaints() if not any(words in line for words in expected)]
