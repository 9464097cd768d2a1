"""The live stream: idle streams, memory of each, and how long a broadcast takes to the first and the last of them.

`python -m bench.live [--streams N] [--rounds N]` runs ours (one web process, SQLite, each stream of a person of its own) and the usual recipe of a generator with a
queue under gunicorn's gevent worker, one after the other, and prints a table.
"""

import argparse
import json
import resource
import secrets
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil
from sqlalchemy.orm import Session

from bench.writing import AS_OPERATED, signed_in
from server.clock import now
from server.db import Database, new_id
from server.domain import devices, people
from tests.faults.runner.wire import Wire
from tests.house import House, free_port


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.live")
    parser.add_argument("--streams", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, given.streams * 2 + 500)), hard))
    print(
        "| server, one process | streams | KB each | first ms | last ms (least – most) | GET p99 ms: idle → streams → one event a second → all left |"
    )
    print("|---|---:|---:|---:|---:|---:|")
    for measure in (recipe, ours):
        print(measure(given.streams, given.rounds), flush=True)


def ours(count: int, rounds: int) -> str:
    """Tocsin's hub: a fact is committed, the hub hears of it and tells every stream."""
    with tempfile.TemporaryDirectory(prefix="tocsin-live-") as folder:
        house = House(Path(folder), TOCSIN_WEB_WORKERS="1", **AS_OPERATED)
        try:
            house.start("web")
            wire = Wire(house.port)
            signing = {"username": "commander", "password": house.password, "device": {"id": new_id(), "name": "bench"}}
            assert wire.call("POST", "/sessions", signing).status == 200
            teller = signed_in(house, 1)[0]
            incident = new_id()
            assert wire.call("PUT", f"/incidents/{incident}", {"title": "漏水"}).status == 201
            worker = psutil.Process(house.processes["web"].pid).children()[0]

            def tell() -> None:
                assert teller.call("PUT", f"/incidents/{incident}/entries/{new_id()}", {"text": "一"}).status == 201

            def ask() -> None:
                assert wire.call("GET", "/me").status == 200

            heads = [
                f"GET /api/v1/stream HTTP/1.1\r\nHost: localhost:{house.port}\r\nCookie: tocsin={cookie}\r\n\r\n"
                for cookie in crowd(Path(folder), count)
            ]
            return _row("Tocsin, commit to poke", count, rounds, house.port, heads, worker, tell, ask)
        finally:
            house.stop()


def crowd(folder: Path, count: int) -> list[str]:
    """So many observers, each signed in; what their phones hold for it."""
    database = Database(f"sqlite:///{folder}/tocsin.db")
    at, cookies = now(), [secrets.token_hex(16) for _ in range(count)]

    def unit(session: Session) -> None:
        persons, phones = [new_id() for _ in cookies], [new_id() for _ in cookies]
        for number, person in enumerate(persons):
            session.add(people.Person(id=person, username=f"o{number}", name=f"观察员{number}", role="observer"))
        session.flush()
        for person, phone in zip(persons, phones, strict=True):
            session.add(devices.Device(id=phone, person=person, name="bench", created_at=at, last_seen_at=at))
        session.flush()
        for cookie, person, phone in zip(cookies, persons, phones, strict=True):
            kept = devices.digest(cookie)
            session.add(devices.SignIn(id=kept, person=person, device=phone, created_at=at, used_at=at))

    database.write(unit)
    database.dispose()
    return cookies


def recipe(count: int, rounds: int) -> str:
    """The peer: a request makes the process put the event into every stream's queue."""
    port = free_port()
    command = [
        sys.executable, "-m", "gunicorn", "-k", "gevent", "-w", "1", "--worker-connections", "20000", "-b", f"127.0.0.1:{port}",
        "--log-level", "error", "--no-control-socket", "bench.queue_recipe:app",
    ]  # fmt: skip
    server = subprocess.Popen(command)
    try:
        _wait_for(port)
        worker = _child(server.pid)

        def tell() -> None:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/tell", data=b"").close()

        heads = [f"GET /stream HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"]
        return _row("generator + queue, gevent", count, rounds, port, heads, worker, tell, None)
    finally:
        for process in (*psutil.Process(server.pid).children(), psutil.Process(server.pid)):
            process.kill()  # told to end politely it waits half a minute for its streams
        server.wait()


def _row(
    name: str, count: int, rounds: int, port: int, heads: list[str], worker: psutil.Process, tell: Callable[[], None],
    ask: Callable[[], None] | None,
) -> str:  # fmt: skip
    tell()
    before = _p99(ask) if ask else 0.0
    empty = worker.memory_info().rss
    streams = [_open(port, heads[number % len(heads)]) for number in range(count)]
    each = (worker.memory_info().rss - empty) / count / 1024
    firsts, lasts = [], []
    for _ in range(rounds):
        time.sleep(0.5)
        first, last = _broadcast(streams, tell)
        firsts.append(first)
        lasts.append(last)
    after = _p99(ask) if ask else 0.0
    busy = _p99_while(ask, tell) if ask else 0.0
    for stream in streams:
        stream.close()
    spread = f"{statistics.median(lasts):.0f} ({min(lasts):.0f} – {max(lasts):.0f})"
    time.sleep(1)
    left = _p99(ask) if ask else 0.0
    p99 = f"{before:.0f} → {after:.0f} → {busy:.0f} → {left:.0f}" if ask else "–"
    return f"| {name} | {count:,} | {each:.1f} | {statistics.median(firsts):.0f} | {spread} | {p99} |"


def _open(port: int, head: str) -> socket.socket:
    stream = socket.create_connection(("127.0.0.1", port), timeout=20)
    stream.sendall(head.encode())
    got = b""
    while b"open\n\n" not in got:
        got += stream.recv(4096)
    stream.setblocking(False)
    return stream


def _broadcast(streams: list[socket.socket], tell: Callable[[], None]) -> tuple[float, float]:
    """Milliseconds from the request to the first and to the last stream that heard of it."""
    with selectors.EpollSelector() as selector:
        for stream in streams:
            selector.register(stream, selectors.EVENT_READ)
        waiting = {stream.fileno(): stream for stream in streams}
        start = time.perf_counter()
        telling = threading.Thread(target=tell)
        telling.start()
        first = 0.0
        while waiting:
            found = selector.select(20)
            assert found, f"{len(waiting)} streams never heard"
            for key, _ in found:
                stream = waiting[key.fd]
                if b"event: poke" in stream.recv(65536):
                    first = first or time.perf_counter()
                    del waiting[key.fd]
                    selector.unregister(stream)
        last = time.perf_counter()
        telling.join()
    time.sleep(0.3)
    for stream in streams:
        _drain(stream)
    return (first - start) * 1000, (last - start) * 1000


def _drain(stream: socket.socket) -> None:
    try:
        while stream.recv(65536):
            pass
    except BlockingIOError:
        return


def _p99(ask: Callable[[], None], times: int = 400) -> float:
    """Of so many requests, one each 10 ms."""
    took = []
    for _ in range(times):
        start = time.perf_counter()
        ask()
        took.append((time.perf_counter() - start) * 1000)
        time.sleep(max(0.0, start + 0.01 - time.perf_counter()))
    return sorted(took)[int(times * 0.99) - 1]


def _p99_while(ask: Callable[[], None], tell: Callable[[], None]) -> float:
    """The same while something is told to everybody each second."""
    ended = threading.Event()

    def go_on() -> None:
        while not ended.wait(1):
            tell()

    telling = threading.Thread(target=go_on)
    telling.start()
    try:
        return _p99(ask)
    finally:
        ended.set()
        telling.join()


def _child(pid: int) -> psutil.Process:
    while not (found := psutil.Process(pid).children()):
        time.sleep(0.05)
    return found[0]


def _wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(json.dumps({"port": port, "answers": False}))


if __name__ == "__main__":
    main()
