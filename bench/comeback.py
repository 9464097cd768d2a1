"""Everybody comes back at once: phones that were out of reach for hours send what they have (P20).

`python -m bench.comeback [--phones N] [--items N] [--photos N] [--within S]`. The phones come back one after another within so many
seconds, each with its queue in batches of 50 and then its photos; what is answered 503 or 429 is sent again after the time the
server names. Meanwhile somebody answers an alert five times a second; their answer times are the figure.
"""

import argparse
import heapq
import random
import re
import selectors
import tempfile
import threading
import time
from collections import Counter, deque
from pathlib import Path

from sqlalchemy import func, select

from bench.load import Connection, request
from bench.slow_link import BATCH, promised
from bench.writing import AS_OPERATED, heads, raised, signed_in
from server.config import Config
from server.db import new_id
from server.domain.facts import Fact
from server.domain.field_reports import Photo
from server.opening import open_database
from tests.faults.runner.wire import Wire
from tests.house import House
from tests.pictures import jpeg, tus_headers

SIGN_INS = 40
AGAIN = {0, 423, 429, 503}
AFTER = re.compile(rb"(?i)\r\nretry-after: (\d+)\r\n")


class Returning:
    """A phone that has come back: what it still has to send, and its connection."""

    def __init__(self, port: int, wire: Wire, device: str, incident: str, items: int, photos: int) -> None:
        self.requests: deque[bytes] = deque()
        pictures = [(new_id(), jpeg(800, 600) + random.randbytes(16)) for _ in range(photos)]
        queue = []
        for number in range(items):
            id = new_id()
            path = f"/api/v1/incidents/{incident}/entries/{id}"
            body: dict[str, object] = {"text": f"水位上升 {number}"}
            if number < photos:
                path = f"/api/v1/reports/{id}"
                body = {"incident": incident, "type": "status", "text": "现场", "photos": [promised(*pictures[number])]}
            queue.append({"id": id, "seq": number + 1, "path": path, "body": body})
        for start in range(0, items, BATCH):
            sent = {"device": device, "items": queue[start : start + BATCH]}
            self.requests.append(request("POST", "/api/v1/batch", sent, **heads(wire)))
        for id, raw in pictures:
            begin = {name.replace("-", "_"): value for name, value in tus_headers(promised(id, raw)).items()}
            self.requests.append(request("POST", "/api/v1/uploads", None, **heads(wire), **begin))
            more = {"Tus_Resumable": "1.0.0", "Upload_Offset": "0", "Content_Type": "application/offset+octet-stream"}
            head = request("PATCH", f"/api/v1/uploads/{id}", None, **heads(wire), **more)
            self.requests.append(head.replace(b"Content-Length: 0", b"Content-Length: %d" % len(raw)) + raw)
        self.port = port
        self.connection: Connection | None = None

    def send(self, selector: selectors.BaseSelector, number: int) -> None:
        """Send the next thing, over a new connection when there is none."""
        if self.connection is None:
            self.connection = Connection(self.port, lambda: self.requests[0])
            selector.register(self.connection.socket, selectors.EVENT_READ, number)
        self.connection.send()

    def hang_up(self, selector: selectors.BaseSelector) -> None:
        """Close the connection."""
        assert self.connection is not None
        selector.unregister(self.connection.socket)
        self.connection.socket.close()
        self.connection = None


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.comeback")
    parser.add_argument("--phones", type=int, default=500)
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--photos", type=int, default=1)
    parser.add_argument("--within", type=float, default=20.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tocsin-comeback-") as folder:
        house = House(Path(folder), **AS_OPERATED)
        try:
            house.start("web")
            wires = [signed_in(house, number) for number in range(SIGN_INS)]
            incident, alert = raised(wires[0][0], wires[1][0])
            phones = [
                Returning(house.port, *wires[number % SIGN_INS], incident, given.items, given.photos)
                for number in range(given.phones)
            ]
            stopping, took = threading.Event(), list[float]()
            answering = threading.Thread(target=answer, args=(wires[1][0], alert, stopping, took))
            answering.start()
            seconds, said = come_back(phones, given.within)
            stopping.set()
            answering.join()
        finally:
            house.stop()
        facts, delivered = kept(folder)
    took.sort()
    print(
        "| phones | items | photos | all there after s | answers meanwhile p50 / p99 / max ms | told to come again | other |"
    )
    print("|---:|---:|---:|---:|---:|---:|---|")
    again = sum(said[status] for status in AGAIN)
    other = {status: count for status, count in said.items() if status not in AGAIN | {200, 201, 204}}
    print(
        f"| {given.phones} | {facts} of {given.phones * given.items} | {delivered} of {given.phones * given.photos} | {seconds:.0f} | "
        f"{took[len(took) // 2]:.0f} / {took[int(len(took) * 0.99)]:.0f} / {took[-1]:.0f} | {again} | {other or 'none'} |"
    )


def come_back(phones: list[Returning], within: float) -> tuple[float, Counter[int]]:
    """Let them send until nothing is left; returns the seconds that took, and what was answered how often."""
    said: Counter[int] = Counter()
    start = time.perf_counter()
    due = [(start + within * number / len(phones), number) for number in range(len(phones))]
    left = len(phones)
    with selectors.EpollSelector() as selector:
        while left:
            while due and due[0][0] <= time.perf_counter():
                number = heapq.heappop(due)[1]
                phones[number].send(selector, number)
            for key, _ in selector.select(0.02):
                phone = phones[key.data]
                assert phone.connection is not None
                status = phone.connection.receive()
                if status is None:
                    continue
                said[status] += 1
                if status in AGAIN:
                    named = AFTER.search(phone.connection.got)
                    later = int(named[1]) if named else 1
                    phone.hang_up(selector)
                    heapq.heappush(due, (time.perf_counter() + later * random.uniform(1, 1.25), key.data))
                    continue
                phone.requests.popleft()
                if phone.requests:
                    phone.send(selector, key.data)
                else:
                    left -= 1
                    phone.hang_up(selector)
    return time.perf_counter() - start, said


def answer(wire: Wire, alert: str, stopping: threading.Event, took: list[float]) -> None:
    """Answer five times a second and note how long each took, in milliseconds."""
    while not stopping.wait(0.2):
        start = time.perf_counter()
        status = wire.call("PUT", f"/alerts/{alert}/answers/{new_id()}", {"kind": "received"}).status
        took.append((time.perf_counter() - start) * 1000)
        assert status in (201, 503), status


def kept(folder: str) -> tuple[int, int]:
    """The items and the photos that the database holds."""
    database = open_database(Config(database_url=f"sqlite:///{folder}/tocsin.db"))
    try:
        with database.read() as session:
            applied = select(func.count()).where(Fact.outcome == "applied", Fact.path.not_like("%/answers/%"))
            facts = (session.scalar(applied) or 0) - 1  # the incident itself
            return facts, session.scalar(select(func.count()).where(Photo.state == "delivered")) or 0
    finally:
        database.dispose()


if __name__ == "__main__":
    main()
