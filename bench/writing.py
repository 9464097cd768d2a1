"""Writing facts: answers one by one and in batches, ours beside pouchdb-server, in one run.

`python -m bench.writing [--seconds S] [--clients N] [--peer FOLDER]`. FOLDER is where `npm install pouchdb-server` was run; without
it only ours is measured. Ours: two web processes on SQLite, each fact with its row, timeline entry, feed rows and receipt, durable.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path

from server.db import new_id
from tests.faults.runner.wire import Wire
from tests.house import House, free_port

BATCH = 25


class Load:
    """Clients in threads, each with a connection of its own; counts what was answered well, and how long it took."""

    def __init__(self, clients: int, seconds: float) -> None:
        self.clients, self.seconds = clients, seconds
        self.took: list[float] = []
        self.said: Counter[int] = Counter()

    def run(self, make: Callable[[int], Callable[[], int]]) -> float:
        """Requests a second; `make(number)` gives a client's way to send one request and say its status."""
        self.took, self.said = [], Counter()
        senders = [make(number) for number in range(self.clients)]
        start = time.perf_counter()
        threads = [threading.Thread(target=self._send, args=(sender, start + self.seconds)) for sender in senders]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(self.took) / (time.perf_counter() - start)

    def _send(self, sender: Callable[[], int], until: float) -> None:
        while (before := time.perf_counter()) < until:
            self.said[sender()] += 1
            self.took.append(time.perf_counter() - before)

    def quantile(self, share: float) -> float:
        """A quantile of the answer times in milliseconds."""
        return sorted(self.took)[min(int(len(self.took) * share), len(self.took) - 1)] * 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.writing")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", type=Path)
    given = parser.parse_args()
    load = Load(given.clients, given.seconds)
    print(
        "| server | one by one facts/s (least – most) | p50 / p99 ms | 25 a request facts/s | p99 ms | the same batch again | other answers |"
    )
    print("|---|---:|---:|---:|---:|---:|---|")
    if given.peer:
        print(peer(load, given.peer, given.rounds), flush=True)
    print(ours(load, given.rounds), flush=True)


def ours(load: Load, rounds: int) -> str:
    """Tocsin."""
    with tempfile.TemporaryDirectory(prefix="tocsin-writing-") as folder:
        house = House(Path(folder))
        try:
            house.start("web")
            wires = [signed_in(house, number) for number in range(load.clients)]
            incident = new_id()
            assert wires[0][0].call("PUT", f"/incidents/{incident}", {"title": "漏水"}).status == 201

            def single(number: int) -> Callable[[], int]:
                wire, _ = wires[number]
                return lambda: (
                    wire.call("PUT", f"/incidents/{incident}/entries/{new_id()}", {"text": "水位上升"}).status
                )

            def batch() -> list[dict[str, object]]:
                ids = [new_id() for _ in range(BATCH)]
                return [
                    {
                        "id": id,
                        "seq": 1,
                        "path": f"/api/v1/incidents/{incident}/entries/{id}",
                        "body": {"text": "水位上升"},
                    }
                    for id in ids
                ]

            def batches(number: int) -> Callable[[], int]:
                wire, device = wires[number]
                return lambda: wire.call("POST", "/batch", {"device": device, "items": batch()}).status

            same = [batch() for _ in wires]
            for (wire, device), items in zip(wires, same, strict=True):
                wire.call("POST", "/batch", {"device": device, "items": items})

            def repeats(number: int) -> Callable[[], int]:
                wire, device = wires[number]
                return lambda: wire.call("POST", "/batch", {"device": device, "items": same[number]}).status

            return _row("Tocsin on SQLite, whole effect", load, rounds, single, batches, repeats)
        finally:
            house.stop()


def peer(load: Load, folder: Path, rounds: int) -> str:
    """pouchdb-server, documents into one database, not waiting for the disk."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="tocsin-peer-") as data:
        program = folder.resolve() / "node_modules" / ".bin" / "pouchdb-server"
        server = subprocess.Popen(
            [program, "--port", str(port), "--dir", data, "--no-stdout-logs"], cwd=data, stdout=subprocess.DEVNULL
        )
        try:
            wait_for(port)
            ask_json(HTTPConnection("127.0.0.1", port), "PUT", "/facts", None)

            def single(number: int) -> Callable[[], int]:
                connection = HTTPConnection("127.0.0.1", port)
                return lambda: ask_json(
                    connection, "PUT", f"/facts/{new_id()}", {"text": "水位上升", "incident": new_id()}
                )

            def batches(number: int) -> Callable[[], int]:
                connection = HTTPConnection("127.0.0.1", port)
                return lambda: ask_json(
                    connection, "POST", "/facts/_bulk_docs",
                    {"docs": [{"_id": new_id(), "text": "水位上升", "incident": new_id()} for _ in range(BATCH)]},
                )  # fmt: skip

            return _row("pouchdb-server, bare documents", load, rounds, single, batches, None)
        finally:
            server.terminate()
            server.wait(10)


def _row(
    name: str, load: Load, rounds: int, single: Callable[[int], Callable[[], int]], batches: Callable[[int], Callable[[], int]],
    repeats: Callable[[int], Callable[[], int]] | None,
) -> str:  # fmt: skip
    rates = [load.run(single) for _ in range(rounds)]
    times = f"{load.quantile(0.5):.0f} / {load.quantile(0.99):.0f}"
    wrong = Counter({status: count for status, count in load.said.items() if status not in (200, 201, 202)})
    many = load.run(batches) * BATCH
    last = load.quantile(0.99)
    wrong.update({status: count for status, count in load.said.items() if status not in (200, 201, 202)})
    again = f"{load.run(repeats) * BATCH:,.0f}" if repeats else "–"
    spread = f"{statistics.median(rates):,.0f} ({min(rates):,.0f} – {max(rates):,.0f})"
    return f"| {name} | {spread} | {times} | {many:,.0f} | {last:.0f} | {again} | {dict(wrong) or 'none'} |"


def signed_in(house: House, number: int) -> tuple[Wire, str]:
    wire, device = Wire(house.port), new_id()
    signing = {
        "username": ("visitors-1", "commander")[number % 2],
        "password": house.password,
        "device": {"id": device, "name": "bench"},
    }
    assert wire.call("POST", "/sessions", signing).status == 200
    return wire, device


def ask_json(connection: HTTPConnection, method: str, path: str, body: object) -> int:
    raw = b"" if body is None else json.dumps(body).encode()
    connection.request(method, path, raw, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def wait_for(port: int) -> None:
    for _ in range(300):
        try:
            ask_json(HTTPConnection("127.0.0.1", port), "GET", "/", None)
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the peer does not answer")


if __name__ == "__main__":
    main()
