"""A path of the server's, killed at each of its writes: one forked process for each point, on a copy of one template."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from server.db import Model
from server.domain import timeline
from server.domain.incidents import Incident
from tests.cast import Stage
from tests.faults.runner.checker import Verdict, feed_says_what_rows_say

Deed = Callable[[Stage], str]
"""One thing done, in one transaction; returns what was answered. To do it again must change nothing and answer `again`."""
AGAIN = "again"
STRACE = shutil.which("strace")


class Doomed:
    """A process of its own that does some work and is killed at its so-maniest system call of a name; its threads each count."""

    def __init__(self, work: Callable[[], None], call: str, number: int, *, threads: bool = False) -> None:
        self.pid = os.fork()
        if not self.pid:
            try:
                os.kill(os.getpid(), signal.SIGSTOP)
                work()
                os._exit(0)
            finally:
                os._exit(3)
        os.waitpid(self.pid, os.WUNTRACED)
        assert STRACE is not None
        inject = ["-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}", *(["-f"] if threads else [])]
        self._tracer = subprocess.Popen([STRACE, "-qq", "-o", "/dev/null", *inject, "-p", str(self.pid)])
        status = Path(f"/proc/{self.pid}/status")
        until = time.monotonic() + 10
        while "TracerPid:\t0\n" in status.read_text():
            assert time.monotonic() < until, "strace may not watch other processes here"
            time.sleep(0.001)
        os.kill(self.pid, signal.SIGCONT)
        self._status: int | None = None

    def runs(self) -> bool:
        """Whether it is still at work."""
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._status = status if pid else None
        return self._status is None

    def ended(self) -> bool:
        """Wait for its end; False when it was killed."""
        if self._status is None:
            self._status = os.waitpid(self.pid, 0)[1]
        self._tracer.wait()
        ended = os.waitstatus_to_exitcode(self._status)
        assert ended in (0, -signal.SIGKILL), ended
        return ended == 0


def count(killed_at: Callable[[int], bool], first: int, step: int) -> int:
    """Kill at every `step`-th call, from the `first`, until there are not so many; returns how often that was."""
    number = first
    while killed_at(number):
        number += step
    return (number - first) // step


@dataclass
class Course:
    """What is done one after another on a stage, and how many rows each table has after each step of it."""

    stage: Stage
    deeds: list[Deed]
    whatever_is_due: bool = False
    """Whether there is one deed of a worker's, done until nothing is due any more; else each is a fact with an id of its own."""
    counts: list[dict[str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stage.database.dispose()
        self.file = Path(self.stage.database.url.removeprefix("sqlite:///"))
        self.template = self.file.with_name("template.db")
        shutil.copyfile(self.file, self.template)
        self.counts.append(self._rows())
        waiting = list(self.deeds)
        while waiting:
            deed = waiting.pop(0)
            if deed(self.stage) == AGAIN:
                assert self.whatever_is_due
                self.deeds.pop()
                break
            self.counts.append(self._rows())
            if self.whatever_is_due:
                self.deeds.append(deed)
                waiting.append(deed)
        self.stage.database.dispose()

    def points(self, call: str, first: int, step: int) -> int:
        """Kill at every `step`-th of the system calls of this name, from the `first`; returns how often that was."""
        return count(lambda number: self._killed_at(call, number), first, step)

    def _killed_at(self, call: str, number: int) -> bool:
        """Play once and kill at that call; False when there are not so many."""
        self.stage.database.dispose()
        for ending in ("-wal", "-shm"):
            self.file.with_name(f"{self.file.name}{ending}").unlink(missing_ok=True)
        shutil.copyfile(self.template, self.file)
        self.stage.app.extensions["tocsin_allowance"].reset()
        heard, ended = self._play(call, number)
        where = f"{call} {number}"
        kept = self._look(where)
        assert heard <= kept, f"{where}: what was answered is there"
        assert not ended or heard == kept == len(self.deeds), where
        if not ended:
            answers = [deed(self.stage) for deed in self.deeds]
            assert self.whatever_is_due or set(answers[:heard]) <= {AGAIN}, f"{where}: what was answered is a repeat"
            assert self._look(f"{where}, and again") == len(self.deeds), "a repeat ends the rest"
            self._look_closely(where)
        return not ended

    def _play(self, call: str, number: int) -> tuple[int, bool]:
        """Do the deeds in a process that is killed at the call; how many were answered, and whether it came to its end."""
        reading, writing = os.pipe()

        def work() -> None:
            for deed in self.deeds:
                deed(self.stage)
                os.write(writing, b".")

        doomed = Doomed(work, call, number)
        os.close(writing)
        heard = b""
        while some := os.read(reading, 64):
            heard += some
        os.close(reading)
        return len(heard), doomed.ended()

    def _rows(self) -> dict[str, int]:
        with self.stage.database.read() as session:
            tables = Model.metadata.sorted_tables
            return {table.name: session.scalar(select(func.count()).select_from(table)) or 0 for table in tables}

    def _look(self, where: str) -> int:
        """How many deeds took effect, each wholly: as many rows in every table as after so many deeds undisturbed."""
        rows = self._rows()
        assert rows in self.counts, (where, [self._differs(rows, one) for one in self.counts])
        return len(self.counts) - 1 - self.counts[::-1].index(rows)

    @staticmethod
    def _differs(rows: dict[str, int], wanted: dict[str, int]) -> dict[str, int]:
        return {name: rows[name] - count for name, count in wanted.items() if rows[name] != count}

    def _look_closely(self, where: str) -> None:
        with self.stage.database.read() as session:
            assert self._broken_chains(session) == [], where
            verdict = Verdict()
            feed_says_what_rows_say(session, verdict)
            assert verdict.wrong == [], where
            assert session.scalars(text("PRAGMA integrity_check")).all() == ["ok"], where
            assert session.execute(text("PRAGMA foreign_key_check")).all() == [], where

    @staticmethod
    def _broken_chains(session: Session) -> list[str]:
        incidents = session.scalars(select(Incident.id)).all()
        return [one for one in incidents if timeline.broken_at(session, one) is not None]
