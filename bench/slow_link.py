"""Draining over a slow link: 500 queued items and 20 photos over 400 kbit/s with 400 ms to and fro (C4).

`python -m bench.slow_link [--items N] [--photos N] [--kilobits N] [--milliseconds N]`. A small proxy on loopback holds back what
passes; the client sends as the app does: batches of at most 50 items and 256 KiB one after the other, then each photo in pieces
of 256 KiB. Prints the round trips of the items and the share of the link that the photos took.
"""

import argparse
import io
import random
import tempfile
import time
from pathlib import Path

from PIL import Image

from bench.writing import AS_OPERATED, signed_in
from server.db import new_id
from tests.faults.runner.link import Link
from tests.faults.runner.wire import Wire
from tests.house import House
from tests.pictures import promise, tus_headers

BATCH, PIECE = 50, 256 * 1024


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
            for id, raw in pictures:
                upload(far, id, raw)
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
                f"{sum(1 + -(-len(raw) // PIECE) for _, raw in pictures)} | {took:.1f} | {share:.0%} |"
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


def upload(wire: Wire, id: str, raw: bytes) -> None:
    """Send a photo piece by piece."""
    begun = wire.call("POST", "/uploads", None, **tus_headers(promised(id, raw)))
    assert begun.status == 201, begun
    for offset in range(0, len(raw), PIECE):
        answer = wire.call(
            "PATCH", f"/uploads/{id}", raw[offset : offset + PIECE], Tus_Resumable="1.0.0", Upload_Offset=str(offset),
            Content_Type="application/offset+octet-stream",
        )  # fmt: skip
        assert answer.status == 204, answer


def promised(id: str, raw: bytes) -> dict[str, object]:
    """What the report says of a photo."""
    return {**promise(raw), "id": id}


if __name__ == "__main__":
    main()
