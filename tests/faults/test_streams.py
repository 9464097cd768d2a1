"""The live stream on the real web process: tells what moved, ends at once when it must, and loses nothing over a gap."""

import contextlib
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from server.db import new_id
from tests.faults.runner.wire import Lost, Wire
from tests.house import House, Phone

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]
IDLE = 60
connections = contextlib.ExitStack()
"""What a test has open; closed after each."""


class Stream:
    """An open stream as a browser reads it."""

    def __init__(self, port: int, cookie: str, version: str = "1.1") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        head = f"GET /api/v1/stream HTTP/{version}\r\nHost: localhost:{port}\r\nCookie: tocsin={cookie}\r\n\r\n"
        connections.callback(self._socket.close)
        self._socket.sendall(head.encode())
        self.got = b""
        self.read_until(b": open\n\n")

    def read_until(self, words: bytes, seconds: float = 20) -> float:
        """Read until these words have come; returns how long it took."""
        start = time.monotonic()
        self._socket.settimeout(seconds)
        while words not in self.got:
            some = self._socket.recv(65536)
            assert some, f"the stream ended: {self.got!r}"
            self.got += some
        return time.monotonic() - start

    def read_to_the_end(self, seconds: float = 20) -> float:
        """Read until the server ends the stream; returns how long it took."""
        start = time.monotonic()
        self._socket.settimeout(seconds)
        with contextlib.suppress(ConnectionError):
            while some := self._socket.recv(65536):
                self.got += some
        return time.monotonic() - start

    def pokes(self) -> list[dict[str, int]]:
        """The pokes so far: versions by space."""
        lines = [line for line in self.got.split(b"\n") if line.startswith(b'data: {"spaces"')]
        return [json.loads(line.removeprefix(b"data: "))["spaces"] for line in lines]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    opened = House(tmp_path, TOCSIN_WEB_WORKERS="1")
    opened.start("web")
    with connections:
        yield opened
    opened.stop()
    assert [line for line in opened.complaints() if "SIGKILL" not in line] == []


def signed_in(house: House, username: str) -> Wire:
    wire = Wire(house.port)
    connections.callback(wire.hang_up)
    signing = {"username": username, "password": house.password, "device": {"id": new_id(), "name": "phone"}}
    assert wire.call("POST", "/sessions", signing).status == 200
    return wire


def raise_incident(wire: Wire) -> str:
    incident = new_id()
    assert wire.call("PUT", f"/incidents/{incident}", {"title": "漏水"}).status == 201
    return incident


def write(wire: Wire, incident: str) -> None:
    assert wire.call("PUT", f"/incidents/{incident}/entries/{new_id()}", {"text": "水位上升"}).status == 201


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_stream_hears_of_what_its_person_may_see_and_of_nothing_else(house: House, version: str) -> None:
    visitors, other = signed_in(house, "visitors-1"), signed_in(house, "finance-1")
    mine, theirs = Stream(house.port, visitors.cookie, version), Stream(house.port, other.cookie, version)
    incident = raise_incident(visitors)
    assert mine.read_until(incident.encode()) < 5
    write(visitors, incident)
    time.sleep(1)
    house_wide = signed_in(house, "admin")
    place = {"kind": "point", "title": {"zh": "南门", "en": "South gate"}, "code": "south"}
    assert house_wide.call("PUT", f"/places/{new_id()}", place).status == 204
    theirs.read_until(b'"org"')
    assert incident.encode() not in theirs.got


def test_streams_end_at_once_when_the_process_is_told_to_stop(house: House) -> None:
    wire = signed_in(house, "commander")
    streams = [Stream(house.port, wire.cookie) for _ in range(IDLE)]
    raise_incident(wire)
    for stream in streams:
        stream.read_until(b"event: poke")  # the head alone may come before the stream can be told anything
    process = house.processes["web"]
    start = time.monotonic()
    process.terminate()
    for stream in streams:
        stream.read_to_the_end(5)
        assert b"event: bye" in stream.got
    assert process.wait(10) == 0
    assert time.monotonic() - start < 5, "2 s, on a machine with nothing else to do"
    assert "graceful timeout" not in house.log("web"), "neither a stream nor an idle connection holds up a restart"
    house.processes.pop("web")


def test_a_stream_ends_when_its_session_does(house: House) -> None:
    wire, staying = signed_in(house, "visitors-1"), signed_in(house, "visitors-2")
    stream, kept = Stream(house.port, wire.cookie), Stream(house.port, staying.cookie)
    assert wire.call("DELETE", "/sessions/current").status == 204
    assert stream.read_to_the_end(6) < 4
    raise_incident(staying)
    kept.read_until(b"event: poke")


def test_who_joins_a_team_hears_of_its_work_at_once(house: House) -> None:
    admin, finance = signed_in(house, "admin"), Phone(house, "finance-1")
    visitors = signed_in(house, "visitors-1")
    incident = raise_incident(visitors)
    me = signed_in(house, "finance-1")
    stream = Stream(house.port, me.cookie)
    team = next(one for one in admin.call("POST", "/changes", {"cursors": {}}).body["spaces"] if one["id"] == "org")
    centre = next(row["id"] for row in team["rows"] if row["type"] == "team" and row["doc"]["kind"] == "visitor_centre")
    post = {"person": finance.me["person"]["id"], "team": centre, "role": "member", "rank": 9, "ended": False}
    assert admin.call("PUT", f"/memberships/{new_id()}", post).status == 204
    stream.read_until(b'"org"')
    time.sleep(0.5)
    write(visitors, incident)
    stream.read_until(f'"incident:{incident}"'.encode())


def test_what_happened_in_a_gap_is_pulled_after_it(house: House) -> None:
    phone, writer = Phone(house, "commander"), signed_in(house, "visitors-1")
    cookie = signed_in(house, "commander").cookie
    incident = raise_incident(writer)
    stream = Stream(house.port, cookie)
    house.kill("web")
    stream.read_to_the_end()
    house.start("web")
    writer.hang_up()
    write(writer, incident)
    phone.pull()
    again = Stream(house.port, cookie)
    space = f"incident:{incident}"
    before = told = phone.cursors[space]  # which the stream may tell once more as it begins
    threading.Timer(0.3, write, (writer, incident)).start()
    while told <= before:
        again.read_until(f'"{space}"'.encode())
        told, again.got = again.pokes()[-1][space], b""
    phone.pull()
    assert phone.cursors[space] >= told
    assert len([one for one in phone.all("entry") if one["kind"] == "log"]) == 2


class Load:
    """People who write lines into one incident all the time, and whoever fails to."""

    def __init__(self, house: House) -> None:
        self.writers = [signed_in(house, name) for name in ("visitors-1", "visitors-2", "visitors-lead")]
        self.incident = raise_incident(self.writers[0])
        self.failed: list[object] = []
        self.written: list[str] = []

    def write(self, wire: Wire, stopping: threading.Event, pause: float = 0.03) -> None:
        """Write until told to stop."""
        while not stopping.wait(pause):
            id = new_id()
            try:
                reply = wire.call("PUT", f"/incidents/{self.incident}/entries/{id}", {"text": "水位上升"})
            except Lost as lost:
                self.failed.append(repr(lost.__context__))
                continue
            if reply.status == 201:
                self.written.append(id)
            else:
                self.failed.append(reply)

    def lines(self, reader: Phone) -> list[str]:
        """What a phone has of the lines."""
        reader.pull()
        return sorted(one["refs"]["fact"] for one in reader.all("entry") if one["kind"] == "log")


@pytest.mark.long
def test_s10_a_rolling_restart_under_load_fails_no_request_and_loses_no_event(house: House) -> None:
    load = Load(house)
    reader = Phone(house, "commander")
    cookie = signed_in(house, "commander").cookie
    stopping = threading.Event()
    seen = 0

    def listen() -> None:
        nonlocal seen
        while not stopping.is_set():
            with contextlib.suppress(OSError, AssertionError):
                stream = Stream(house.port, cookie)
                reader.pull()  # as the app does whenever its stream opens
                seen += 1
                stream.read_to_the_end(60)

    threads = [threading.Thread(target=load.write, args=(wire, stopping)) for wire in load.writers]
    threads.append(threading.Thread(target=listen))
    for thread in threads:
        thread.start()
    master = house.processes["web"]
    try:
        for _ in range(2):
            old = {child.pid for child in psutil.Process(master.pid).children()}
            os.kill(master.pid, signal.SIGHUP)
            until = time.monotonic() + 60
            while old & {child.pid for child in psutil.Process(master.pid).children()}:
                assert time.monotonic() < until, "the old process stays"
                time.sleep(0.05)
    finally:
        stopping.set()
        house_down = house.processes["web"].poll()
        for stream in threads[:-1]:
            stream.join(30)
    assert house_down is None
    assert load.failed == []
    assert len(load.written) > 30
    assert load.lines(reader) == sorted(load.written)
    assert seen >= 2, "the stream comes back after each restart"


def shares(house: House, count: int) -> list[int]:
    """Open so many connections at once; how many of them each process has then."""
    web = psutil.Process(house.processes["web"].pid)
    with contextlib.ExitStack() as opened:
        own = {opened.enter_context(socket.create_connection(("127.0.0.1", house.port))) for _ in range(count)}
        ports, until = {one.getsockname()[1] for one in own}, time.monotonic() + 10
        while time.monotonic() < until:
            # one the kernel still keeps for whoever takes it next belongs to no process
            has = [[one.raddr.port for one in child.net_connections() if one.raddr] for child in web.children()]
            found = [len(ports.intersection(one)) for one in has]
            if sum(found) == count:
                return found
            time.sleep(0.05)
    raise AssertionError(f"nobody took some of the connections: {found}")


def test_s13_processes_that_give_way_after_so_many_requests_lose_none(tmp_path: Path) -> None:
    house = House(tmp_path, TOCSIN_WEB_WORKERS="2", TOCSIN_WEB_REQUESTS="40")
    with connections:
        try:
            house.start("web")
            while 0 in shares(house, 8) or len(shares(house, 8)) < 2:
                time.sleep(0.1)  # until both serve
            bursts = sorted(max(shares(house, 40)) for _ in range(3))
            assert bursts[1] <= 30, "neither process has nearly all of a burst"
            load, reader, stopping = Load(house), Phone(house, "commander"), threading.Event()
            stream = Stream(house.port, signed_in(house, "commander").cookie)
            threads = [threading.Thread(target=load.write, args=(wire, stopping, 0.005)) for wire in load.writers]
            for thread in threads:
                thread.start()
            served: set[int] = set()
            until = time.monotonic() + 30
            while len(served) < 5 and time.monotonic() < until:
                served |= {child.pid for child in psutil.Process(house.processes["web"].pid).children()}
                time.sleep(0.05)
            stream.read_to_the_end()
            stopping.set()
            for thread in threads:
                thread.join(30)
            assert len(served) >= 5, "two processes, and three that came after them"
            assert load.failed == []
            assert load.lines(reader) == sorted(load.written)
        finally:
            house.stop()


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
def test_s7_the_stream_and_the_health_say_within_ten_seconds_that_the_worker_is_gone(
    tmp_path: Path, kind: str, make_empty_database: Callable[[str], str]
) -> None:
    house = House(tmp_path, make_empty_database(kind) if kind == "postgresql" else "", TOCSIN_WEB_WORKERS="1")
    with connections:
        try:
            house.start()
            admin, wire = signed_in(house, "admin"), signed_in(house, "commander")

            def health() -> str:
                return str(admin.call("GET", "/health/deep").body["status"])

            until = time.monotonic() + 20
            while health() != "ok":
                assert time.monotonic() < until
                time.sleep(0.1)
            stream = Stream(house.port, wire.cookie)
            house.kill("worker")
            assert stream.read_until(b'event: worker\ndata: {"silent":true}') < 10
            assert health() == "worker_silent"
            house.start("worker")
            stream.read_until(b'event: worker\ndata: {"silent":false}')
            assert health() == "ok"
        finally:
            house.stop()
