"""One alert to COUNT subscriptions through the outbox on SQLite: `python -m bench.outbox_run ORIGIN COUNT`.

A worker runs in a process of its own and has had time to seal its envelopes. Prints one JSON line: seconds from the
decision to the last acceptance by the push service (`seconds`), to its commit (`committed`), until every row said that it
was sent (`stored`), until every recipient's row said so (`noted`), the processor time both processes spent on it
(`cpu_decision`, `cpu_sent` until all was stored, both as `cpu`, `cpu_noted` after that), and the worker's peak memory.
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
from sqlalchemy import func, select
from sqlalchemy.orm import Session

import server.domain
from server.clock import now
from server.db import Database, Model, new_id
from server.domain import alerts, feed, timeline
from server.domain.incidents import Incident
from server.domain.outbox import Delivery
from tests.delivery.household import subscribe
from tests.push_service import Phone

STARTING_SECONDS = 5.0


def main(origin: str, count: int) -> None:
    """Set up, decide, wait, print."""
    with tempfile.TemporaryDirectory() as name:
        for module in pkgutil.iter_modules(server.domain.__path__, "server.domain."):
            importlib.import_module(module.name)  # a table is known once its module is
        database = Database(f"sqlite:///{Path(name) / 'tocsin.db'}")
        Model.metadata.create_all(database.engine)
        people = database.write(lambda session: [subscribe(session, phone(origin, number)) for number in range(count)])
        timeline.attach(database)
        feed.attach(database)
        command = [sys.executable, "-m", "tests.faults.worker_process", database.url, name, origin]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as worker:
            try:
                wait_until_idle(worker.pid)
                print(json.dumps(decided(database, people, origin, worker.pid)))
            finally:
                worker.terminate()
        database.dispose()


def decided(database: Database, people: list[str], origin: str, worker: int) -> dict[str, float]:
    """Alert everybody and watch until the last row is done."""
    count, before = len(people), posts(origin)
    incident = database.write(lambda session: open_incident(session, people[0]))
    worked = processor_seconds(worker)
    own = time.process_time()
    started = time.perf_counter()
    database.write(lambda session: alert_all(session, incident, people))
    committed = time.perf_counter() - started
    decision = time.process_time() - own
    while posts(origin) - before < count:
        time.sleep(0.005)
    seconds = time.perf_counter() - started
    while states(database).get("sent", 0) + states(database).get("noted", 0) < count:
        time.sleep(0.01)
    stored = time.perf_counter() - started
    sent = processor_seconds(worker) - worked
    while states(database) != {"noted": count}:
        time.sleep(0.1)
    noted = time.perf_counter() - started
    peak = int(re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{worker}/status").read_text())[0]) / 1024
    return {
        "seconds": seconds, "committed": committed, "stored": stored, "noted": noted, "cpu_decision": decision,
        "cpu_sent": sent, "cpu": decision + sent, "cpu_noted": processor_seconds(worker) - worked - sent, "mb": peak,
    }  # fmt: skip


def open_incident(session: Session, by: str) -> str:
    """An activated incident to alert about."""
    key, at = new_id(), now()
    session.add(Incident(id=key, title="售票系统故障", by=by, started_at=at, received_at=at, status="activated"))
    return key


def alert_all(session: Session, incident: str, people: list[str]) -> None:
    """The decision: an alert, a recipient, a push and the phones' rows for each person."""
    found = session.get(Incident, incident)
    assert found is not None
    words = {"zh": "启动预案", "en": "Plan activated"}, {"zh": "请立即到位。", "en": "Take your post."}
    alerts.issue(session, found, *words, to=people, critical=True, by=people[0])


def states(database: Database) -> dict[str, int]:
    """How many deliveries stand in which state, counted by the database."""
    with database.read() as session:
        counted = session.execute(select(Delivery.state, func.count()).group_by(Delivery.state))
        return {row.state: row[1] for row in counted}


def wait_until_idle(process: int) -> None:
    """Wait until a worker has started and sealed all its envelopes."""
    time.sleep(STARTING_SECONDS)
    worked = processor_seconds(process)
    while True:
        time.sleep(1.0)
        before, worked = worked, processor_seconds(process)
        if worked - before < 0.15:
            return


def processor_seconds(process: int) -> float:
    """What a process has used of its processors so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def phone(origin: str, number: int) -> Phone:
    """A phone whose messages nobody reads."""
    return Phone(str(number), f"{origin}/wpush/{number}", ec.generate_private_key(ec.SECP256R1()), os.urandom(16))


def posts(origin: str) -> int:
    """How many messages the push service has taken."""
    with urllib.request.urlopen(f"{origin}/", timeout=30) as answer:
        return int(answer.read())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
