"""Whether the web stays quick while an alert goes to COUNT people: `python -m bench.meanwhile`.

A whole Tocsin on SQLite (two web processes, one worker) and a local push service. Some phones pull and some write a fact
all the time, each at its own pace; a commander then gives an order to everybody. Compares how long their requests take
while nothing happens with how long they take from the order until every recipient's row says that they were told. `busy` counts what was answered 503.
"""

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bench.fanout import sink
from bench.outbox_run import phone, wait_until_idle
from bench.writing import AS_OPERATED
from server.db import Database, new_id
from server.domain.outbox import NOTED, Delivery
from server.domain.people import Membership, Team
from tests.delivery.household import subscribe
from tests.house import House, Phone

CLIENTS = 8
PAUSE = 0.1
IDLE_SECONDS = 10.0

Took = dict[str, list[float]]


def main() -> None:
    """Run and print the table in Markdown."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=10_000)
    options.add_argument("--rounds", type=int, default=3)
    asked = options.parse_args()
    with sink("0") as origin, tempfile.TemporaryDirectory() as name:
        house = House(Path(name), TOCSIN_PUSH_TEST_ORIGINS=origin, **AS_OPERATED)
        database = Database(f"sqlite:///{Path(name) / 'tocsin.db'}")
        team = database.write(lambda session: everybody(session, origin, asked.count))
        house.start()
        try:
            wait_until_idle(house.processes["worker"].pid)
            report(*measure(house, database, team, asked.count, asked.rounds))
        finally:
            house.stop()
            database.dispose()


def everybody(session: Session, origin: str, count: int) -> str:
    """A team of so many people, each with a phone."""
    team = new_id()
    session.add(Team(id=team, kind="service", title={"zh": "全体", "en": "Everybody"}))
    session.flush()
    for number in range(count):
        person = subscribe(session, phone(origin, number))
        session.add(Membership(id=new_id(), person=person, team=team))
    return team


def measure(
    house: House, database: Database, team: str, count: int, rounds: int
) -> tuple[Took, Took, list[float], list[float]]:
    """Times while idle and meanwhile, how long the order itself took, and until all were told; in milliseconds."""
    commander, visitor = Phone(house, "commander"), Phone(house, "visitors-1")
    incident = new_id()
    status, said = visitor.put(f"/incidents/{incident}", {"plan": "scenic-ticketing-failure", "title": "售票系统故障"})
    assert status == 201, said
    phones = [Phone(house, "visitors-1") for _ in range(CLIENTS)]
    idle: Took = {"pull": [], "fact": [], "busy": []}
    meanwhile: Took = {"pull": [], "fact": [], "busy": []}
    orders, told = [], []
    for done in range(1, rounds + 1):
        with_clients(phones, incident, idle, lambda: time.sleep(IDLE_SECONDS))

        def alert(done: int = done) -> None:
            started = time.perf_counter()
            body = {"incident": incident, "team": team, "title": "请立即到位", "critical": True, "audience": "everyone"}
            status, said = commander.put("/orders/", body)
            assert status == 201, said
            orders.append((time.perf_counter() - started) * 1000)
            while noted(database) < done * count:
                time.sleep(0.1)
            told.append((time.perf_counter() - started) * 1000)

        with_clients(phones, incident, meanwhile, alert)
        wait_until_idle(house.processes["worker"].pid)
    return idle, meanwhile, orders, told


def with_clients(phones: list[Phone], incident: str, took: Took, work: Callable[[], None]) -> None:
    """Let the phones pull and write at their pace while `work` runs, and keep how long each request took."""
    over = threading.Event()

    def live(number: int) -> None:
        one = phones[number]
        while not over.wait(PAUSE):
            kind = "fact" if number % 2 else "pull"
            started = time.perf_counter()
            if kind == "fact":
                status, said = one.put(f"/incidents/{incident}/entries/", {"text": "巡查正常"})
            else:
                status, said = one.call("POST", "/changes", {"cursors": one.cursors})
            assert status in (200, 201, 503), said
            took[kind if status != 503 else "busy"].append((time.perf_counter() - started) * 1000)

    threads = [threading.Thread(target=live, args=(number,)) for number in range(len(phones))]
    for thread in threads:
        thread.start()
    try:
        work()
    finally:
        over.set()
        for thread in threads:
            thread.join()


def noted(database: Database) -> int:
    """How many deliveries have been sent and noted at their recipients."""
    with database.read() as session:
        query = select(func.count()).where(Delivery.state == NOTED)
        return session.scalar(query) or 0


def report(idle: Took, meanwhile: Took, orders: list[float], told: list[float]) -> None:
    """Print what was found."""
    print(
        "| request | idle p50 / p99 ms | meanwhile p50 / p99 ms | p99 of idle | requests |\n|---|---:|---:|---:|---:|"
    )
    for kind in idle:
        if not idle[kind] or not meanwhile[kind]:
            print(f"| {kind} | – | – | – | {len(idle[kind])}, {len(meanwhile[kind])} |")
            continue
        before, after = (sorted(took[kind]) for took in (idle, meanwhile))
        ratio = percentile(after, 0.99) / percentile(before, 0.99)
        print(f"| {kind} | {told_as(before)} | {told_as(after)} | {ratio:.1f} | {len(before)}, {len(after)} |")
    spread = [f"{statistics.median(took):,.0f} ({min(took):,.0f} – {max(took):,.0f})" for took in (orders, told)]
    print(f"\nThe order itself took {spread[0]} ms; after {spread[1]} ms every recipient's row said so.")


def told_as(took: list[float]) -> str:
    """Median and 99th of a hundred."""
    return f"{statistics.median(took):,.0f} / {percentile(took, 0.99):,.0f}"


def percentile(took: list[float], share: float) -> float:
    """The value that this share of sorted values does not exceed."""
    return took[min(int(len(took) * share), len(took) - 1)]


if __name__ == "__main__":
    main()
