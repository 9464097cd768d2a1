"""Catching up: pulls with nothing new and pages of 500 rows, at 10,000 changes and at many more, in one run.

`python -m bench.catching_up [--rows N] [--seconds S] [--peer FOLDER]`. FOLDER is where `npm install pouchdb-server` was run.
Ours: two web processes on SQLite. C3 is the ratio of the middle answer times at N and at 10,000 rows.
"""

import argparse
import json
import subprocess
import tempfile
from http.client import HTTPConnection
from pathlib import Path

from sqlalchemy import insert
from sqlalchemy.orm import Session

from bench.writing import Load, ask_json, signed_in, wait_for
from server.app import open_database
from server.clock import now
from server.config import Config
from server.db import new_id
from server.domain.feed import Change, Space
from tests.house import House, free_port

FEW, PAGE, SPACES = 10_000, 500, 200


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.catching_up")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--clients", type=int, default=10)
    parser.add_argument("--peer", type=Path)
    given = parser.parse_args()
    load = Load(given.clients, given.seconds)
    print("| server | rows | nothing new req/s | p50 ms | page of 500 req/s | p50 ms |")
    print("|---|---:|---:|---:|---:|---:|")
    if given.peer:
        print(peer(load, given.peer), flush=True)
    with tempfile.TemporaryDirectory(prefix="tocsin-catching-up-") as folder:
        house = House(Path(folder))
        try:
            fill(folder, 0, FEW)
            house.start("web")
            print(ours(load, house, FEW), flush=True)
            house.stop()
            fill(folder, FEW, given.rows)
            house.start("web")
            print(ours(load, house, given.rows), flush=True)
        finally:
            house.stop()


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


def ours(load: Load, house: House, rows: int) -> str:
    """Tocsin: a phone that is up to date, and one that is 500 rows behind."""
    wires = [signed_in(house, number)[0] for number in range(load.clients)]
    cursors: dict[str, int] = {}
    more = True
    while more:
        answer = wires[0].call("POST", "/changes", {"cursors": cursors}).body
        cursors |= {part["id"]: part["to"] for part in answer["spaces"]}
        more = any(part["more"] for part in answer["spaces"])
    shared = {"org": cursors["org"]}
    mine = []
    for wire in wires:
        known = {part["id"]: part["to"] for part in wire.call("POST", "/changes", {"cursors": shared}).body["spaces"]}
        mine.append({**known, **shared})
    asked = [{"cursors": one} for one in mine]
    behind = [{"cursors": {**one, "org": one["org"] - PAGE}} for one in mine]
    found = sum(len(part["rows"]) for part in wires[0].call("POST", "/changes", behind[0]).body["spaces"])
    assert found == PAGE, found
    nothing = load.run(lambda number: lambda: wires[number].call("POST", "/changes", asked[number]).status)
    first = load.quantile(0.5)
    page = load.run(lambda number: lambda: wires[number].call("POST", "/changes", behind[number]).status)
    for wire in wires:
        wire.hang_up()
    return f"| Tocsin on SQLite | {rows:,} | {nothing:,.0f} | {first:.1f} | {page:,.0f} | {load.quantile(0.5):.1f} |"


def peer(load: Load, folder: Path) -> str:
    """pouchdb-server with 10,000 documents: _changes since the end, and the last 500 with their documents."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="tocsin-peer-") as data:
        program = folder.resolve() / "node_modules" / ".bin" / "pouchdb-server"
        server = subprocess.Popen(
            [program, "--port", str(port), "--dir", data, "--no-stdout-logs"], cwd=data, stdout=subprocess.DEVNULL
        )
        try:
            wait_for(port)
            connection = HTTPConnection("127.0.0.1", port)
            ask_json(connection, "PUT", "/facts", None)
            for _ in range(FEW // PAGE):
                docs = [{"_id": new_id(), "title": "现场情况", "text": "水位上升" * 8} for _ in range(PAGE)]
                ask_json(connection, "POST", "/facts/_bulk_docs", {"docs": docs})

            def pull(number: int, since: int):  # type: ignore[no-untyped-def]
                own = HTTPConnection("127.0.0.1", port)
                path = f"/facts/_changes?since={since}&include_docs=true&limit={PAGE}"
                return lambda: ask_json(own, "GET", path, None)

            nothing = load.run(lambda number: pull(number, FEW))
            first = load.quantile(0.5)
            page = load.run(lambda number: pull(number, FEW - PAGE))
            return (
                f"| pouchdb-server | {FEW:,} | {nothing:,.0f} | {first:.1f} | {page:,.0f} | {load.quantile(0.5):.1f} |"
            )
        finally:
            server.terminate()
            server.wait(10)


if __name__ == "__main__":
    main()
