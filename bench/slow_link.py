"""Draining over a slow link: 500 queued items and 20 photos over 400 kbit/s with 400 ms to and fro (C4).

`python -m bench.slow_link [--items N] [--photos N] [--kilobits N] [--milliseconds N]`. A small proxy on loopback holds back what
passes; the client sends as the app does: batches of at most 50 items and 256 KiB one after the other, then each photo with the
request that begins it, in pieces as large as the link has shown to take, the next one while the answer to the last is waited for.
Prints the round trips of the items and the share of the link that the photos took.
"""

import argparse
import io
import random
import tempfile
import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from bench.writing import AS_OPERATED, signed_in
from server.db import new_id
from tests.faults.runner.link import Link
from tests.faults.runner.wire import Reply, Wire
from tests.house import House
from tests.pictures import promise, tus_headers

BATCH = 50
PIECE, LARGEST, LAST, SECONDS, NEARLY = 256 * 1024, 1024 * 1024, 1.25, 10.0, 0.8
"""As in the app: the first and the largest piece, how much longer a last one may be, how long one takes, when the next photo goes."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.slow_link")
    parser.add_argument("--items", type=int, default=500)
    parser.add_argument("--photos", type=int, default=20)
    parser.add_argument("--kilobits", type=float, default=400)
    parser.add_argument("--milliseconds", type=float, default=400)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tocsin-slow-link-") as folder:
        house = House(Path(folder), **AS_OPERATED)
        try:
            house.start("web")
            near, device = signed_in(house, 0)
            incident = new_id()
            assert near.call("PUT", f"/incidents/{incident}", {"title": "漏水"}).status == 201
            near.hang_up()
            link = Link(house.port, given.kilobits, given.milliseconds)
            far = Wire(link.port, near.cookie)
            pictures = [picture(number) for number in range(given.photos)]
            items = queued(incident, given.items - given.photos, pictures)
            start = time.perf_counter()
            trips = send(far, device, items)
            text, before = time.perf_counter() - start, link.passed["up"]
            start = time.perf_counter()
            requests = Uploads(link.port, near.cookie).send(pictures)
            took = time.perf_counter() - start
            size, passed = sum(len(raw) for _, raw in pictures), link.passed["up"] - before
            share = size / (took * given.kilobits * 125) if pictures else 0.0
            print(f"{given.kilobits:.0f} kbit/s, {given.milliseconds:.0f} ms to and fro\n")
            print("| what | how much | requests | seconds | share of the link |\n|---|---:|---:|---:|---:|")
            print(
                f"| {len(items)} queued items | {before / 1024:,.0f} KiB | {trips} | {text:.1f} | "
                f"{before / (text * given.kilobits * 125):.0%} |"
            )
            print(
                f"| {len(pictures)} photos | {size / 1024:,.0f} KiB ({passed / 1024:,.0f} with heads) | "
                f"{requests} | {took:.1f} | {share:.0%} |"
            )
        finally:
            house.stop()


def picture(number: int) -> tuple[str, bytes]:
    """A photo as the app sends it: 1,600 pixels wide, a few hundred kilobytes."""
    chance = random.Random(number)
    small = Image.frombytes("RGB", (200, 150), chance.randbytes(200 * 150 * 3))
    raw = io.BytesIO()
    small.resize((1600, 1200), Image.Resampling.BILINEAR).save(raw, "JPEG", quality=60)
    return new_id(), raw.getvalue()


def queued(incident: str, entries: int, pictures: list[tuple[str, bytes]]) -> list[dict[str, object]]:
    """What waits in the queue: lines of the log, and a report for each photo."""
    items = []
    for _ in range(entries):
        id = new_id()
        path = f"/api/v1/incidents/{incident}/entries/{id}"
        items.append({"id": id, "path": path, "body": {"text": "二号门水位上升，已请排水组增援"}})
    for photo, raw in pictures:
        id = new_id()
        body = {"incident": incident, "type": "status", "text": "现场情况", "photos": [promised(photo, raw)]}
        items.append({"id": id, "path": f"/api/v1/reports/{id}", "body": body})
    return [{"seq": number, "method": "PUT", **item} for number, item in enumerate(items, 1)]


def send(wire: Wire, device: str, items: list[dict[str, object]]) -> int:
    """Send them batch by batch; returns how many requests that took."""
    trips = 0
    for start in range(0, len(items), BATCH):
        answer = wire.call("POST", "/batch", {"device": device, "items": items[start : start + BATCH]})
        assert answer.status == 200, answer
        assert {one["status"] for one in answer.body["results"]} == {"applied"}, answer.body
        trips += 1
    return trips


class Uploads:
    """Sends photos as the app does, no more than two at a time."""

    def __init__(self, port: int, cookie: str) -> None:
        self._wires = deque(Wire(port, cookie) for _ in range(2))
        self._size, self._pace = PIECE, 0.0
        self._requests = 0

    def send(self, pictures: list[tuple[str, bytes]]) -> int:
        """Send them; returns how many requests that took."""
        before: Future[None] | None = None
        with ThreadPoolExecutor(2) as pool:
            for id, raw in pictures:
                leaving = threading.Event()
                mine = pool.submit(self._upload, id, raw, leaving)
                leaving.wait()
                if before is not None:
                    before.result()
                before = mine
            if before is not None:
                before.result()
        return self._requests

    def _upload(self, id: str, raw: bytes, leaving: threading.Event) -> None:
        wire, offset = self._wires.popleft(), 0
        try:
            while offset < len(raw):
                left = len(raw) - offset
                size = left if left <= self._size * LAST else self._size
                timer = threading.Timer(size * self._pace * NEARLY, leaving.set)
                if size == left and self._pace:
                    timer.start()
                start = time.perf_counter()
                answer = self._piece(wire, id, raw, offset, size)
                took = time.perf_counter() - start
                timer.cancel()
                assert int(answer.headers["upload-offset"]) == offset + size, answer
                offset += size
                if size >= PIECE / 2:
                    self._pace = took / size
                if size >= self._size:
                    self._size = min(self._size * 2, LARGEST, max(PIECE, int(SECONDS / self._pace)))
        finally:
            leaving.set()
            self._wires.append(wire)

    def _piece(self, wire: Wire, id: str, raw: bytes, offset: int, size: int) -> Reply:
        self._requests += 1
        piece, kind = raw[offset : offset + size], "application/offset+octet-stream"
        if offset == 0:
            said = {name.replace("-", "_"): value for name, value in tus_headers(promised(id, raw)).items()}
            return wire.call("POST", "/uploads", piece, **said, Content_Type=kind)
        return wire.call(
            "PATCH", f"/uploads/{id}", piece, Tus_Resumable="1.0.0", Upload_Offset=str(offset), Content_Type=kind
        )


def promised(id: str, raw: bytes) -> dict[str, object]:
    """What the report says of a photo."""
    return {**promise(raw), "id": id}


if __name__ == "__main__":
    main()
