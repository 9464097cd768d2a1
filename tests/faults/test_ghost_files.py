"""A database file that is taken away or does not reach the disk: the processes stop writing and begin anew."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from server.db import new_id
from tests.faults.runner.wire import Lost, Wire
from tests.house import House

STRACE = shutil.which("strace")
pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    opened = House(tmp_path, TOCSIN_WEB_WORKERS="1")
    opened.start("web")
    yield opened
    opened.stop()


class Writer:
    """Somebody who writes lines into the log of one incident."""

    def __init__(self, house: House) -> None:
        self.house, self.wire, self.incident = house, Wire(house.port), new_id()
        device = {"id": new_id(), "name": "phone"}
        signing = {"username": "visitors-1", "password": house.password, "device": device}
        assert self.wire.call("POST", "/sessions", signing).status == 200
        assert self.wire.call("PUT", f"/incidents/{self.incident}", {"title": "漏水"}).status == 201

    def write(self, id: str) -> int:
        """The status of the answer; 0 where none came."""
        try:
            return self.wire.call("PUT", f"/incidents/{self.incident}/entries/{id}", {"text": "水位上升"}).status
        except Lost:
            return 0

    def write_in_the_end(self, id: str, seconds: float = 20) -> int:
        """Try until the server takes it."""
        until = time.monotonic() + seconds
        while (status := self.write(id)) not in (200, 201):
            assert status in (0, 503), status
            assert time.monotonic() < until, self.house.log("web")
            time.sleep(0.1)
        return status

    def lines(self) -> list[str]:
        found = self.wire.call("GET", f"/incidents/{self.incident}/timeline").body["entries"]
        return [line["refs"]["fact"] for line in found if line["kind"] == "log"]


def serving(house: House) -> int:
    return int(psutil.Process(house.processes["web"].pid).children()[0].pid)


def test_d9_a_database_file_replaced_under_a_running_process_is_not_written_to(house: House) -> None:
    writer, before = Writer(house), serving(house)
    first, second = new_id(), new_id()
    assert writer.write(first) == 201
    path = house.folder / "tocsin.db"
    house.command("backup", str(house.folder / "copy.db"))
    ghost = house.folder / "ghost.db"
    path.replace(ghost)
    for ending in ("-wal", "-shm"):
        (house.folder / f"tocsin.db{ending}").replace(house.folder / f"ghost.db{ending}")
    (house.folder / "copy.db").replace(path)
    assert writer.write(second) in (0, 503), "it is not written into the file that nobody sees any more"
    writer.write_in_the_end(second)
    assert writer.lines() == [first, second]
    assert serving(house) != before
    assert "was replaced; this process begins anew" in house.log("web")
    writer.wire.hang_up()


@pytest.mark.long
@pytest.mark.skipif(STRACE is None, reason="strace is not installed")
def test_d2_after_a_sync_that_failed_the_process_begins_anew_and_nothing_answered_is_lost(house: House) -> None:
    writer, before = Writer(house), serving(house)
    first, second = new_id(), new_id()
    assert writer.write(first) == 201
    inject = ["-e", "trace=fdatasync,fsync", "-e", "inject=fdatasync,fsync:error=EIO"]
    assert STRACE is not None
    tracer = subprocess.Popen([STRACE, "-f", "-qq", "-o", "/dev/null", "-p", str(before), *inject])
    try:
        until = time.monotonic() + 10
        while "TracerPid:\t0" in Path(f"/proc/{before}/status").read_text():
            assert time.monotonic() < until, "strace may not watch other processes here"
            time.sleep(0.05)
        assert writer.write(second) == 503
        assert writer.write_in_the_end(second) in (200, 201)
    finally:
        tracer.terminate()
        tracer.wait()
    assert writer.lines() == [first, second]
    assert serving(house) != before
    assert "could not be written; this process begins anew" in house.log("web")
    writer.wire.hang_up()
