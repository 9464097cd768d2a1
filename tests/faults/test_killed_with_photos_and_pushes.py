"""D1 for what leaves the database: a photo on its way into the folder, and pushes on their way out, killed at every write and send."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import uvloop
from PIL import Image
from sqlalchemy import select

from server.db import Database
from server.delivery import worker
from server.domain import feed
from server.domain.field_reports import Photo, Upload
from server.domain.outbox import NOTED, SENT, Delivery
from tests.cast import Stage
from tests.delivery.household import alert, states, subscribe
from tests.faults import worker_process
from tests.faults.points import STRACE, Doomed, count
from tests.faults.runner.checker import Verdict, feed_says_what_rows_say
from tests.faults.test_photos import padded
from tests.pictures import promise, tus_headers
from tests.push_service import PushService
from tests.situation import ticketing

STEP = int(os.environ.get("TOCSIN_TEST_KILL_STEP", "1"))
pytestmark = [
    pytest.mark.faults, pytest.mark.timeout(3600), pytest.mark.skipif(STRACE is None, reason="strace is not installed"),
]  # fmt: skip
SENDS = "sendto,sendmsg,writev"
PLACES = [
    ("sqlite", "pwrite64"), ("sqlite", "fsync,fdatasync"), ("sqlite", "write"),
    ("postgresql", SENDS), ("postgresql", "fsync,fdatasync"), ("postgresql", "write"),
]  # fmt: skip
"""Where a process is killed: at what it writes into the database, at what it writes to disk, and at what it sends to somebody."""
PHOTO = padded(700_000)
PIECES = (300_000, 600_000, len(PHOTO))
PHONES = 6


class Uploading:
    """A photo that its report promised, sent as the phone does, and what must be true of it at every moment."""

    def __init__(self, stage: Stage, incident: str) -> None:
        self.stage, self.phone, self.photo = stage, stage["security_one"], promise(PHOTO)
        self.folder: Path = stage.app.extensions["tocsin_config"].photos_folder
        body = {"incident": incident, "type": "crowd", "photos": [self.photo]}
        self.report = self.phone.fact("/reports", body)
        self.path = f"/uploads/{self.photo['id']}"

    def send(self, *, asks: bool = False) -> None:
        """Send it whole: a first try with the first bytes in the first request, any other asks first where the server stands."""
        kind = "application/offset+octet-stream"
        piece = b"" if asks else PHOTO[: PIECES[0]]
        given: dict[str, Any] = {"data": piece, "content_type": kind, "headers": tus_headers(self.photo)}
        answer = self.phone.call("POST", "/uploads", **given)
        assert answer.status_code == 201, answer.get_data(as_text=True)
        reached = int(answer.headers["Upload-Offset"])
        for end in PIECES:
            if reached < end:
                said = {"Tus-Resumable": "1.0.0", "Upload-Offset": str(reached)}
                piece = PHOTO[reached:end]
                answer = self.phone.call("PATCH", self.path, data=piece, content_type=kind, headers=said)
                assert answer.status_code == 204, answer.get_data(as_text=True)
                reached = int(answer.headers["Upload-Offset"])
        assert reached == len(PHOTO)

    def look(self, where: str) -> bool:
        """What is said to be there is there, and what is not said to be there is not shown; returns whether it is delivered."""
        with self.stage.database.read() as session:
            promised, begun = session.get(Photo, self.photo["id"]), session.get(Upload, self.photo["id"])
        assert promised is not None
        part = self.folder / f"{self.photo['id']}.part"
        if promised.state == "delivered":
            assert begun is not None
            assert (begun.state, begun.offset) == ("done", len(PHOTO)), where
            for ending in ("jpg", "thumbnail.jpg"):
                with Image.open(self.folder / f"{self.photo['id']}.{ending}") as picture:
                    picture.load()
        else:
            assert promised.state == "waiting", where
            if begun is not None and begun.offset:
                assert part.read_bytes()[: begun.offset] == PHOTO[: begun.offset], (
                    f"{where}: what is recorded is on disk"
                )
        shown = self.phone.call("GET", f"/photos/{self.photo['id']}")
        shown.close()
        assert shown.status_code == (200 if promised.state == "delivered" else 404), where
        return promised.state == "delivered"

    def look_at_the_end(self, where: str) -> None:
        """It was delivered once, its report says so, and nothing is left lying about."""
        assert self.look(where), where
        self.phone.sync()
        assert [one["state"] for one in self.phone.one("report", id=self.report)["photos"]] == ["delivered"], where
        left = sorted(path.name for path in self.folder.glob(f"{self.photo['id']}*"))
        assert left == [f"{self.photo['id']}.jpg", f"{self.photo['id']}.thumbnail.jpg"], where


def photo_points(stage: Stage, call: str, first: int, step: int) -> int:
    """Kill the sending of a photo at every `step`-th call of this name, from the `first`; returns how often that was."""
    incident, number = ticketing(stage, activate=True), first
    while True:
        sending, where = Uploading(stage, incident), f"{call} {number}"
        stage.app.extensions["tocsin_allowance"].reset()
        stage.database.dispose()
        ended = Doomed(sending.send, call, number).ended()
        delivered = sending.look(where)
        assert delivered or not ended, where
        sending.send(asks=True)
        sending.look_at_the_end(where)
        if ended:
            break
        number += step
    with stage.database.read() as session:
        verdict = Verdict()
        feed_says_what_rows_say(session, verdict)
        assert verdict.wrong == []
    return (number - first) // step


def work_until_told(url: str, folder: str, origin: str) -> None:
    """A worker whose database work is all done by one thread: each thread's calls are counted by themselves."""
    worker.THREADS = 1
    at_work = worker.Worker(*worker_process.at_hand(url, folder, origin))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.get_loop().add_signal_handler(signal.SIGTERM, at_work.stop)
        runner.run(at_work.run())


class Fan:
    """Phones that are alerted by a worker of its own process, which is killed on the way."""

    def __init__(self, database: Database, service: PushService, folder: Path) -> None:
        self.database, self.service, self.folder = database, service, folder
        self.phones = [service.phone() for _ in range(PHONES)]
        feed.attach(database)
        self.people = database.write(lambda session: [subscribe(session, phone) for phone in self.phones])
        self.told = 0

    def points(self, call: str, first: int, step: int) -> int:
        """Kill at every `step`-th call of this name, from the `first`; returns how often that was."""
        return count(lambda number: self._killed_at(call, number), first, step)

    def _killed_at(self, call: str, number: int) -> bool:
        where = f"{call} {number}"
        self.service.notes.clear()
        self.database.write(lambda session: alert(session, self.people))
        self.told += PHONES
        ended = self._work(call, number)
        with self.database.read() as session:
            settled = select(Delivery.person).where(Delivery.state.in_((SENT, NOTED)))
            marked = Counter(session.scalars(settled))
        before = {
            phone.name for phone, person in zip(self.phones, self.people, strict=True)
            if marked[person] == self.told // PHONES
        }  # fmt: skip
        if states(self.database) != {NOTED: self.told}:
            assert not ended
            assert self._work("none", 1), "the next worker comes to its end"
        assert states(self.database) == {NOTED: self.told}, where
        got = Counter(note.phone for note in self.service.accepted)
        assert set(got) == {phone.name for phone in self.phones}, f"{where}: nobody is skipped"
        assert max(got.values()) <= 2, where
        assert {name for name, times in got.items() if times > 1} <= set(got) - before, (
            f"{where}: what is marked is not sent again"
        )
        assert (
            len({(note.phone, note.topic, note.data["notification"]["tag"]) for note in self.service.accepted})
            == PHONES
        )
        return not ended

    def _work(self, call: str, number: int) -> bool:
        """Let a worker work until everybody is told, or it is killed; whether it came to its end."""
        self.database.dispose()
        work = partial(work_until_told, self.database.url, str(self.folder), self.service.origin)
        doomed, until = Doomed(work, call, number, threads=True), time.monotonic() + 30
        while doomed.runs() and states(self.database) != {NOTED: self.told}:
            assert time.monotonic() < until, states(self.database)
            time.sleep(0.02)
        if doomed.runs():
            os.kill(doomed.pid, signal.SIGTERM)
        return doomed.ended()


@pytest.fixture
def service() -> Iterator[PushService]:
    with PushService() as running:
        yield running
        assert running.complaints == []


@pytest.mark.long
@pytest.mark.parametrize(("stage", "call"), PLACES, indirect=["stage"])
def test_d1_a_photo_is_delivered_once_however_often_the_server_dies_over_it(stage: Stage, call: str) -> None:
    count = photo_points(stage, call, 1, STEP)
    print(f"a photo: {count} points at {call}")  # noqa: T201 - the figure of this test
    assert count


@pytest.mark.long
@pytest.mark.parametrize(("database_url", "call"), PLACES, indirect=["database_url"])
def test_d1_everybody_is_told_however_often_the_worker_dies(
    database: Database, service: PushService, tmp_path: Path, call: str
) -> None:
    count = Fan(database, service, tmp_path).points(call, 1, STEP)
    print(f"pushes: {count} points at {call}")  # noqa: T201 - the figure of this test
    assert count


def test_d1_a_photo_killed_here_and_there(stage: Stage) -> None:
    call, first, step = ("pwrite64", 15, 15) if stage.database.is_sqlite else (SENDS, 30, 40)
    assert photo_points(stage, call, first, step) >= 1


def test_d1_pushes_killed_here_and_there(database: Database, service: PushService, tmp_path: Path) -> None:
    call, first, step = ("pwrite64", 10, 15) if database.is_sqlite else (SENDS, 30, 40)
    assert Fan(database, service, tmp_path).points(call, first, step) >= 1
