"""Catching up: pulls with nothing new and pages of 500 rows, at 10,000 changes and at many more, in one run (C1 to C3).

`python -m bench.catching_up [--rows N] [--seconds S] [--clients N] [--rounds R] [--without-kinto]`. Ours: two web processes on
SQLite, with a session checked at each request, and each client with as many sessions in turn as its requests need to be let
through; the peers, installed beside the bench when first needed, hold fewer:
Kinto takes minutes to take more in.
C3 is the ratio of the middle answer times at N and at 10,000 rows.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import cycle
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from bench.load import Load, Sender, middle, request, run
from bench.peers import kinto, pouchdb
from bench.writing import AS_OPERATED, heads, once
from server.api.allowance import MOST
from server.clock import now
from server.config import Config
from server.db import new_id
from server.domain import devices
from server.domain.feed import Change, Space
from server.domain.people import Person
from server.opening import open_database
from tests.faults.runner.wire import Wire
from tests.house import House
from tests.postgres import running

FEW, FEWEST, PAGE, SPACES = 10_000, 1_500, 500, 200
FASTEST = 20_000
"""Answers a second that sessions are made for: a session may ask for no more than 3,000 a minute."""
HEAD = "| server | rows | req/s (least – most) | p50 / p99 ms | processor ms | other answers |\n|---|---:|---:|---:|---:|---|"


@dataclass(frozen=True)
class Contestant:
    """A server with its rows: what a client sends that is up to date, and one that is 500 rows behind."""

    name: str
    rows: int
    port: int
    process: psutil.Process
    nothing: Callable[[int], Sender]
    page: Callable[[int], Sender]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.catching_up")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without-kinto", action="store_true")
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tocsin-catching-up-")))
        each = int(FASTEST * given.seconds * given.rounds / given.clients) // MOST + 1
        servers = [
            stack.enter_context(ours(folder / str(rows), rows, given.clients, each)) for rows in (FEW, given.rows)
        ]
        servers.append(stack.enter_context(full_pouchdb(folder)))
        if not given.without_kinto:
            servers.append(stack.enter_context(full_kinto(folder)))
        for title, kind in (("Nothing new (C1)", "nothing"), (f"A page of {PAGE} rows (C2)", "page")):
            table(title, servers, kind, given.clients, given.rounds, given.seconds)


def table(title: str, servers: Sequence[Contestant], kind: str, clients: int, rounds: int, seconds: float) -> None:
    """Measure in turns, so that a noisy minute hits everybody, and print."""
    loads: list[list[Load]] = [[] for _ in servers]
    for _ in range(rounds):
        for server, found in zip(servers, loads, strict=True):
            senders = [getattr(server, kind)(number) for number in range(clients)]
            found.append(run(server.port, senders, seconds, [server.process]))
    print(f"\n{title}, {clients} clients\n\n{HEAD}")
    for server, found in zip(servers, loads, strict=True):
        p50, p99 = (middle([load.quantile(share) for load in found], ",.1f").split()[0] for share in (0.5, 0.99))
        rate = middle([load.rate for load in found])
        processor = middle([load.processor * 1000 for load in found], ".2f")
        wrong = {status: count for load in found for status, count in load.wrong.items()}
        print(
            f"| {server.name} | {server.rows:,} | {rate} | {p50} / {p99} | {processor} | {wrong or 'none'} |",
            flush=True,
        )


def fill(folder: str, start: int, end: int) -> None:
    """Add rows to the feed: the first 10,000 to the space everybody reads, the rest to others of the organisation."""
    database = open_database(Config(database_url=f"sqlite:///{folder}/tocsin.db"))

    def unit(session: Session) -> None:
        name = "org" if start == 0 else f"incident:bench-{start % SPACES}"
        spaces = ["org"] if start == 0 else [f"{name}-{number}" for number in range(SPACES)]
        for space in spaces:
            if session.get(Space, space) is None:
                session.add(Space(id=space, version=0, min_version=0, changed_at=now()))
        session.flush()
        versions = {space: session.get_one(Space, space).version for space in spaces}
        rows = []
        for number in range(start, end):
            space = spaces[number % len(spaces)]
            versions[space] += 1
            id = new_id()
            document = json.dumps({"id": id, "title": {"zh": "现场情况", "en": "Situation"}, "text": "水位上升" * 8})
            rows.append(
                {"space": space, "type": "entry", "entity": id, "version": versions[space], "document": document}
            )
            if len(rows) == 5000 or number == end - 1:
                session.execute(insert(Change), rows)
                rows = []
        for space in spaces:
            session.get_one(Space, space).version = versions[space]

    database.write(unit)
    database.dispose()


@contextmanager
def ours(folder: Path, rows: int, clients: int, sessions: int = 1) -> Iterator[Contestant]:
    """Tocsin with this many rows in its feed; every client has so many sessions."""
    folder.mkdir()
    house = House(folder, **AS_OPERATED)
    try:
        fill(str(folder), 0, FEW)
        fill(str(folder), FEW, rows)
        house.start("web")
        tokens = signed_in(str(folder), clients, sessions)
        wires = [Wire(house.port, own[0]) for own in tokens]
        org = caught_up(wires[0], {})["org"]
        mine = [caught_up(wire, {"org": org}) for wire in wires]
        found = wires[0].call("POST", "/changes", {"cursors": {**mine[0], "org": org - PAGE}}).body
        assert sum(len(part["rows"]) for part in found["spaces"]) == PAGE
        for wire in wires:
            wire.hang_up()

        def pull(number: int, behind: int) -> Sender:
            cursors = {**mine[number], "org": org - behind}
            own = [heads(Wire(house.port, token)) for token in tokens[number]]
            return cycle([request("POST", "/api/v1/changes", {"cursors": cursors}, **head) for head in own]).__next__

        web = psutil.Process(house.processes["web"].pid)
        yield Contestant(
            "Tocsin on SQLite", rows, house.port, web, lambda number: pull(number, 0), lambda number: pull(number, PAGE)
        )
    finally:
        house.stop()


def signed_in(folder: str, clients: int, sessions: int) -> list[list[str]]:
    """The tokens of so many sessions for each client, whose are two people in turns."""
    database = open_database(Config(database_url=f"sqlite:///{folder}/tocsin.db"))

    def unit(session: Session) -> list[list[str]]:
        names = [("visitors-1", "commander")[number % 2] for number in range(clients)]
        people = {one.username: one for one in session.scalars(select(Person).where(Person.username.in_(names)))}
        return [[devices.sign_in(session, people[name], new_id(), "bench") for _ in range(sessions)] for name in names]

    try:
        return database.write(unit)
    finally:
        database.dispose()


def caught_up(wire: Wire, cursors: dict[str, int]) -> dict[str, int]:
    """The cursors of a phone that has pulled everything."""
    while True:
        parts = wire.call("POST", "/changes", {"cursors": cursors}).body["spaces"]
        cursors = cursors | {part["id"]: part["to"] for part in parts}
        if not any(part["more"] for part in parts):
            return cursors


@contextmanager
def full_pouchdb(folder: Path) -> Iterator[Contestant]:
    """pouchdb-server: _changes since the end, and the last 500 with their documents."""
    (data := folder / "pouchdb").mkdir()
    with pouchdb(data) as peer:
        run(peer.port, [once(request("PUT", "/facts"))], 0, [])
        for _ in range(FEW // PAGE):
            docs = [{"_id": new_id(), "title": "现场情况", "text": "水位上升" * 8} for _ in range(PAGE)]
            run(peer.port, [once(request("POST", "/facts/_bulk_docs", {"docs": docs}))], 0, [])

        def pull(behind: int) -> Sender:
            return once(request("GET", f"/facts/_changes?since={FEW - behind}&include_docs=true&limit={PAGE}"))

        yield Contestant(
            "pouchdb-server", FEW, peer.port, peer.process, lambda number: pull(0), lambda number: pull(PAGE)
        )


@contextmanager
def full_kinto(folder: Path) -> Iterator[Contestant]:
    """Kinto: records changed since the newest, and the newest 500."""
    (data := folder / "kinto").mkdir()
    with running(durable=True) as url, kinto(data, url) as peer:
        head = {"Authorization": "Basic YmVuY2g6YmVuY2g="}
        records = "/buckets/bench/collections/facts/records"
        for path in ("/v1/buckets/bench", "/v1/buckets/bench/collections/facts"):
            run(peer.port, [once(request("PUT", path, {}, **head))], 0, [])
        record = {"data": {"title": "现场情况", "text": "水位上升" * 8}}
        for _ in range(FEWEST // 25):
            asked = [{"method": "PUT", "path": f"{records}/{new_id()}", "body": record} for _ in range(25)]
            run(peer.port, [once(request("POST", "/v1/batch", {"requests": asked}, **head))], 0, [])
        wire = HTTPConnection("127.0.0.1", peer.port)

        def shown(asked: str) -> list[dict[str, Any]]:
            wire.request("GET", f"/v1{records}?{asked}", headers=head)
            found: list[dict[str, Any]] = json.loads(wire.getresponse().read())["data"]
            return found

        newest = shown(f"_limit={PAGE + 1}")
        end, behind = int(newest[0]["last_modified"]), int(newest[PAGE]["last_modified"])
        assert (len(shown(f"_since={end}")), len(shown(f"_since={behind}&_limit={PAGE}"))) == (0, PAGE)
        wire.close()

        def pull(since: int) -> Sender:
            return once(request("GET", f"/v1{records}?_since={since}&_limit={PAGE}", **head))

        yield Contestant(
            "Kinto on PostgreSQL",
            FEWEST,
            peer.port,
            peer.process,
            lambda number: pull(end),
            lambda number: pull(behind),
        )


if __name__ == "__main__":
    main()
