"""One alert to COUNT subscriptions through the outbox on SQLite: `python -m bench.outbox_run ORIGIN COUNT`.

A worker runs in a process of its own and has had time to seal its envelopes. Prints one JSON line: seconds from the
decision to the last acceptance by the push service (`seconds`), until every row said so (`stored`), until every
recipient's row said so (`noted`), and the worker's peak memory.
"""

import importlib
import json
import os
import pkgutil
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy.orm import Session

import server.domain
from server.db import Database, Model
from server.domain import feed
from tests.delivery.household import alert, states, subscribe
from tests.push_service import Phone

SEALING_SECONDS = 0.0003


def main(origin: str, count: int) -> None:
    """Set up, decide, wait, print."""
    with tempfile.TemporaryDirectory() as name:
        for module in pkgutil.iter_modules(server.domain.__path__, "server.domain."):
            importlib.import_module(module.name)  # a table is known once its module is
        database = Database(f"sqlite:///{Path(name) / 'tocsin.db'}")
        Model.metadata.create_all(database.engine)
        people = database.write(lambda session: [subscribe(session, phone(origin, number)) for number in range(count)])
        feed.attach(database)
        command = [sys.executable, "-m", "tests.faults.worker_process", database.url, name, origin]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as worker:
            try:
                time.sleep(4 + count * SEALING_SECONDS)
                print(json.dumps(decided(database, people, origin, worker.pid)))
            finally:
                worker.terminate()
        database.dispose()


def decided(database: Database, people: list[str], origin: str, worker: int) -> dict[str, float]:
    """Alert everybody and watch until the last row is done."""
    count, before = len(people), posts(origin)
    started = time.perf_counter()
    database.write(lambda session: alert_all(session, people))
    committed = time.perf_counter() - started
    while posts(origin) - before < count:
        time.sleep(0.005)
    seconds = time.perf_counter() - started
    while states(database).get("sent", 0) + states(database).get("noted", 0) < count:
        time.sleep(0.01)
    stored = time.perf_counter() - started
    while states(database) != {"noted": count}:
        time.sleep(0.1)
    noted = time.perf_counter() - started
    peak = int(re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{worker}/status").read_text())[0]) / 1024
    return {"seconds": seconds, "committed": committed, "stored": stored, "noted": noted, "mb": peak}


def alert_all(session: Session, people: list[str]) -> None:
    """The decision: an alert, a recipient and a push for each person."""
    alert(session, people)


def phone(origin: str, number: int) -> Phone:
    """A phone whose messages nobody reads."""
    return Phone(str(number), f"{origin}/wpush/{number}", ec.generate_private_key(ec.SECP256R1()), os.urandom(16))


def posts(origin: str) -> int:
    """How many messages the push service has taken."""
    with urllib.request.urlopen(f"{origin}/", timeout=30) as answer:
        return int(answer.read())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
