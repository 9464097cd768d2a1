"""Writing facts one by one, in batches and a batch again, ours beside the peers, in one run and in turns (W1 to W4).

`python -m bench.writing [--seconds S] [--clients N] [--rounds R] [--without-kinto]`. Ours: two web processes on SQLite, each fact
with its row, timeline entry, feed rows and receipt, on the disk before the answer. The peers keep bare documents and are installed
beside the bench when first needed; Kinto's PostgreSQL waits for the same disk, pouchdb-server for none. W3 is the run of 500 clients, each with a connection of its own.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.load import Load, Sender, middle, request, run
from bench.peers import kinto, pouchdb
from server.clock import TEST_CLOCK
from server.db import new_id
from tests.faults.runner.wire import Wire
from tests.house import House
from tests.postgres import running

BATCH, MANY = 25, 500
AS_OPERATED = {TEST_CLOCK: ""}
"""Settings of a house to be measured: reading the time from a file, many times a request, is for tests."""
TEXT = "水位上升"
HEAD = (
    "| server | facts/s (least – most) | p50 / p99 ms | processor ms a fact | other answers |\n|---|---:|---:|---:|---|"
)


@dataclass(frozen=True)
class Contestant:
    """A server under load: its processes and what its clients send; a batch again only where that means something."""

    name: str
    port: int
    process: psutil.Process
    single: Callable[[int], Sender]
    batch: Callable[[int], Sender]
    answer: Callable[[int], Sender] | None = None
    again: Callable[[int], Sender] | None = None


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.writing")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without-kinto", action="store_true")
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tocsin-writing-")))
        servers = [stack.enter_context(ours(folder, given.clients)), stack.enter_context(bare_pouchdb(folder))]
        if not given.without_kinto:
            servers.append(stack.enter_context(bare_kinto(folder)))
        for title, kind, each, clients, rounds in (
            ("One by one (W1)", "single", 1, given.clients, given.rounds),
            ("Answers to an alert, one by one", "answer", 1, given.clients, given.rounds),
            (f"{BATCH} a request (W2)", "batch", BATCH, given.clients, given.rounds),
            ("The same batch again (W4)", "again", BATCH, given.clients, given.rounds),
            (f"One by one, {MANY} clients (W3)", "single", 1, MANY, 1),
        ):
            table(title, servers, kind, each, clients, rounds, given.seconds)


def table(
    title: str, servers: Sequence[Contestant], kind: str, each: int, clients: int, rounds: int, seconds: float
) -> None:
    """Measure in turns, so that a noisy minute hits everybody, and print."""
    loads: dict[str, list[Load]] = {}
    for _ in range(rounds):
        for server in servers:
            if (make := getattr(server, kind)) is not None:
                load = run(server.port, [make(number) for number in range(clients)], seconds, [server.process])
                loads.setdefault(server.name, []).append(load)
    print(f"\n{title}, {clients} clients\n\n{HEAD}")
    for name, found in loads.items():
        rates = middle([load.rate * each for load in found])
        p50, p99 = (middle([load.quantile(share) for load in found]).split()[0] for share in (0.5, 0.99))
        processor = middle([load.processor * 1000 / each for load in found], ".2f")
        wrong: dict[int, int] = {}
        for load in found:
            wrong |= {status: wrong.get(status, 0) + count for status, count in load.wrong.items()}
        print(f"| {name} | {rates} | {p50} / {p99} | {processor} | {wrong or 'none'} |", flush=True)


@contextmanager
def ours(folder: Path, clients: int) -> Iterator[Contestant]:
    """Tocsin, with somebody signed in for every client of the usual number; more clients share those sessions."""
    house = House(folder, **AS_OPERATED)
    try:
        house.start("web")
        wires = [signed_in(house, number) for number in range(clients)]
        incident, alert = raised(wires[0][0], wires[1][0])
        for wire, _ in wires:
            wire.hang_up()  # the server ends a connection that stays silent for half a minute

        def put(number: int, path: str, body: dict[str, object]) -> bytes:
            return request("PUT", f"/api/v1{path}", body, **heads(wires[number % clients][0]))

        def send(number: int, items: list[dict[str, object]]) -> bytes:
            wire, device = wires[number % clients]
            return request("POST", "/api/v1/batch", {"device": device, "items": items}, **heads(wire))

        def items() -> list[dict[str, object]]:
            ids = [new_id() for _ in range(BATCH)]
            path = f"/api/v1/incidents/{incident}/entries"
            return [{"id": id, "seq": 1, "path": f"{path}/{id}", "body": {"text": TEXT}} for id in ids]

        def single(number: int) -> Sender:
            return lambda: put(number, f"/incidents/{incident}/entries/{new_id()}", {"text": TEXT})

        def answer(number: int) -> Sender:
            commanding = number - number % 2 + 1  # the leadership group was asked
            return lambda: put(commanding, f"/alerts/{alert}/answers/{new_id()}", {"kind": "received"})

        def again(number: int) -> Sender:
            (same,) = [items()]
            wire, device = wires[number % clients]
            assert wire.call("POST", "/batch", {"device": device, "items": same}).status == 200
            repeated = send(number, same)
            return lambda: repeated

        yield Contestant(
            "Tocsin on SQLite, whole effect", house.port, psutil.Process(house.processes["web"].pid), single,
            lambda number: lambda: send(number, items()), answer, again,
        )  # fmt: skip
    finally:
        house.stop()


@contextmanager
def bare_pouchdb(folder: Path) -> Iterator[Contestant]:
    """pouchdb-server: documents into one database."""
    (data := folder / "pouchdb").mkdir()
    with pouchdb(data) as peer:
        run(peer.port, [once(request("PUT", "/facts"))], 0, [])

        def document() -> dict[str, object]:
            return {"_id": new_id(), "text": TEXT, "incident": new_id()}

        def single(number: int) -> Sender:
            return lambda: request("PUT", f"/facts/{new_id()}", {"text": TEXT, "incident": new_id()})

        def batch(number: int) -> Sender:
            return lambda: request("POST", "/facts/_bulk_docs", {"docs": [document() for _ in range(BATCH)]})

        yield Contestant("pouchdb-server, bare documents, not on the disk", peer.port, peer.process, single, batch)


@contextmanager
def bare_kinto(folder: Path) -> Iterator[Contestant]:
    """Kinto: records into one collection, each on the disk before the answer, as with ours."""
    (data := folder / "kinto").mkdir()
    with running(durable=True) as url, kinto(data, url) as peer:
        head = {"Authorization": "Basic YmVuY2g6YmVuY2g="}
        for path in ("/v1/buckets/bench", "/v1/buckets/bench/collections/facts"):
            run(peer.port, [once(request("PUT", path, {}, **head))], 0, [])

        def single(number: int) -> Sender:
            path = "/v1/buckets/bench/collections/facts/records"
            body = {"data": {"text": TEXT, "incident": new_id()}}
            return lambda: request("PUT", f"{path}/{new_id()}", body, **head)

        def batch(number: int) -> Sender:
            def make() -> bytes:
                path = "/buckets/bench/collections/facts/records"
                asked = [
                    {"method": "PUT", "path": f"{path}/{new_id()}", "body": {"data": {"text": TEXT}}}
                    for _ in range(BATCH)
                ]
                return request("POST", "/v1/batch", {"requests": asked}, **head)

            return make

        yield Contestant("Kinto on PostgreSQL, bare records", peer.port, peer.process, single, batch)


def signed_in(house: House, number: int) -> tuple[Wire, str]:
    """A connection with a session of its own, of two people in turns."""
    wire, device = Wire(house.port), new_id()
    signing = {
        "username": ("visitors-1", "commander")[number % 2],
        "password": house.password,
        "device": {"id": device, "name": "bench"},
    }
    assert wire.call("POST", "/sessions", signing).status == 200
    wire.hang_up()
    return wire, device


def raised(by: Wire, commander: Wire) -> tuple[str, str]:
    """An incident that somebody raises, and the alert of it that the commander is asked to answer, by their ids."""
    incident = new_id()
    assert by.call("PUT", f"/incidents/{incident}", {"title": "漏水"}).status == 201
    for part in commander.call("POST", "/changes", {}).body["spaces"]:
        for row in part["rows"]:
            if row["type"] == "alert" and row["doc"]["incident"] == incident:
                return incident, str(row["id"])
    raise AssertionError("the commander was not asked")


def heads(wire: Wire) -> dict[str, str]:
    """What the app sends with every request."""
    return {"X_Tocsin": "1", "Accept_Language": "zh", "Cookie": f"tocsin={wire.cookie}"}


def once(request: bytes) -> Sender:
    """A client that always sends the same."""
    return lambda: request


if __name__ == "__main__":
    main()
