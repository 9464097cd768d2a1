"""Phones of the runner: they make facts, send batches with every misfortune of a network, pull, and log what they heard."""

import base64
import hashlib
import json
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

from server.clock import iso, now
from server.db import new_id
from tests.faults.runner.doings import Rows, next_fact
from tests.faults.runner.queues import Queue
from tests.faults.runner.wire import AFTER, BEFORE, UNHEARD, WHOLE, Lost, Reply, Wire

AGAIN, SHUFFLED, TWICE, CUT, OTHER = 0.05, 0.10, 0.08, 0.12, 0.02
KEPT = {"applied", "duplicate", "refused", "conflict"}
ASK_AGAIN_SECONDS = 1.0
"""How long what is missing since a backup was restored waits for other phones, before it is asked for again."""
CHUNK = 3_000


class FieldPhone:
    """One person's phone. `play` runs in a thread of its own until told to stop; `drain` then sends what is left."""

    def __init__(self, folder: Path, port: int, username: str, password: str, seed: str) -> None:
        self.folder, self.username, self.random = folder, username, Random(seed)
        folder.mkdir(parents=True)
        self.wire = Wire(port)
        self.others = True
        """Whether this phone also tries to use an id twice for different things."""
        self.queue = Queue(folder / "queue.jsonl")
        self.cursors: dict[str, int] = {}
        self.rows: Rows = {}
        self.photos: dict[str, bytes] = {}
        self.tried: set[str] = set()
        self.delivered: dict[str, bytes] = {}
        self.missing: dict[str, float] = {}
        """What the server refused for want of what it speaks of, and until when it waits; only after a restored backup."""
        self.waits_for_others = False
        self.counts: Counter[str] = Counter()
        self._log = (folder / "log.jsonl").open("a")
        self._log_lock = threading.Lock()
        device = {"id": new_id(), "name": "phone"}
        reply = self.wire.call("POST", "/sessions", {"username": username, "password": password, "device": device})
        assert reply.status == 200, reply
        self.me: dict[str, Any] = reply.body
        self.epoch = str(reply.body["epoch"])
        self.note("signed_in", person=self.me["person"]["id"], role=self.me["person"]["role"])

    def note(self, event: str, **more: Any) -> None:
        """Write a line into the log the checker reads."""
        with self._log_lock:
            self._log.write(json.dumps({"event": event, "at": time.time(), **more}, ensure_ascii=False) + "\n")
            self._log.flush()

    def play(self, stopping: threading.Event, picture: bytes, rate: float) -> None:
        """Make about `rate` facts a second, send and pull, until told to stop."""
        pulled = 0.0
        while not stopping.is_set():
            for _ in range(self.random.choice((1, 1, 2, 5))):
                self.make(picture)
            try:
                self.send()
                self.upload()
                if time.monotonic() - pulled > 1:
                    self.pull()
                    pulled = time.monotonic()
            except Lost:
                self.counts["lost"] += 1
                stopping.wait(self.random.uniform(0.05, 0.3))
            if self.random.random() < 0.01:
                self.switch_off_and_on()
            stopping.wait(self.random.uniform(0, 4.5 / rate))

    def make(self, picture: bytes) -> None:
        """Make the next fact, if chance found one that fits, perhaps a report with a photo."""
        made = next_fact(self.random, self.rows, self.me, f"{self.username}-{self.queue.sequence + 1}")
        if made is None:
            return
        path, id, body = made
        if path == "/incidents":
            self.rows[("", "incident", id)] = {"id": id, "status": "raised here", "by": self.me["person"]["id"]}
        if path == "/reports" and self.random.random() < 0.3:
            photo = picture + self.random.randbytes(
                16
            )  # another content each time; readers ignore what follows the end
            photo_id = new_id()
            digest = hashlib.sha256(photo).hexdigest()
            body["photos"] = [{"id": photo_id, "sha256": digest, "size": len(photo), "mime": "image/jpeg"}]
            self.photos[photo_id] = photo
        item = self.queue.add(path, id, {**body, "occurred_at": iso(now())})
        self.note("made", id=id, path=item["path"], photos=[one["id"] for one in body.get("photos", ())])
        self.counts["made"] += 1

    def send(self, gently: bool = False) -> None:
        """Send what waits in one batch; unless `gently`, with answered ones again, out of order, twice at once, or cut off."""
        due = [one for id, one in self.queue.waiting.items() if self.missing.get(id, 0) <= time.monotonic()]
        items = due[: self.random.randint(1, 50)]
        if not gently:
            if self.queue.settled and self.random.random() < 0.5:
                again = [one for one in self.queue.settled.values() if self.random.random() < AGAIN][:10]
                items = (items + again)[:50]
            if self.random.random() < SHUFFLED:
                self.random.shuffle(items)
        if not items:
            return
        sender = {"device": self.me["device"]["id"], "person": self.me["person"]["id"], "epoch": self.epoch}
        body = {**sender, "items": items}
        # What a backup lacks would be taken under an id that another fact had.
        if not gently and self.random.random() < OTHER and self.queue.settled and self.others:
            self._send_other_content()
        cut = self.random.choice((BEFORE, AFTER, UNHEARD)) if not gently and self.random.random() < CUT else WHOLE
        self.wire.connect()  # what finds no server was not sent
        self.note("sent", ids=[item["id"] for item in items], cut=cut)
        if not gently and self.random.random() < TWICE:
            other = threading.Thread(target=self._send_as_worker, args=(body,))
            other.start()
            try:
                self._hear(self.wire.call("POST", "/batch", body, cut))
            finally:
                other.join()
            return
        self._hear(self.wire.call("POST", "/batch", body, cut))

    def _send_as_worker(self, body: dict[str, Any]) -> None:
        """The same batch at the same moment over another connection, as a service worker beside the page might."""
        wire = Wire(self.wire.port, self.wire.cookie)
        try:
            self._hear(wire.call("POST", "/batch", body), settle=False)
        except Lost:
            self.counts["lost"] += 1
        finally:
            wire.hang_up()

    def _send_other_content(self) -> None:
        """Send an answered id with other content: it must be refused and change nothing."""
        item = self.random.choice(list(self.queue.settled.values()))
        body = {**item["body"], "occurred_at": "2020-01-01T00:00:00.000Z"}
        reply = self.wire.call("PUT", item["path"].removeprefix("/api/v1"), body)
        code = reply.body.get("code") if isinstance(reply.body, dict) else None
        self.note("other_content", id=item["id"], status=reply.status, code=code)

    def _hear(self, reply: Reply, settle: bool = True) -> None:
        """Log what the server said of each item and settle what it answered for good."""
        if reply.status == 409 and reply.body.get("code") == "epoch_changed":
            if settle:
                self._offer_again(reply.headers["x-tocsin-epoch"])
            return
        if reply.status != 200:
            code = reply.body.get("code") if isinstance(reply.body, dict) else None
            self.note("whole", status=reply.status, code=code)
            self.counts[f"http {reply.status}"] += 1
            time.sleep(min(float(reply.headers.get("retry-after", "0.2")), 0.3))
            return
        results = [{name: one.get(name) for name in ("id", "status", "http", "code")} for one in reply.body["results"]]
        self.note("heard", epoch=reply.body["epoch"], results=results)
        for one in results:
            self.counts[one["status"]] += 1
            if settle and self.waits_for_others and one["status"] == "refused" and one["http"] == 404:
                self.missing[one["id"]] = time.monotonic() + ASK_AGAIN_SECONDS
                self.counts["waits for others"] += 1
            elif settle and one["status"] in KEPT:
                self.queue.settle(one["id"])

    def _offer_again(self, epoch: str) -> None:
        """The server was restored from a backup: everything it had answered is offered again, and every space pulled anew."""
        if epoch == self.epoch:
            return
        self.epoch, self.waits_for_others = epoch, True
        self.queue.offer_again()
        self.photos |= self.delivered
        self.cursors = {}
        self.counts["offered again"] += 1

    def give_up_waiting(self) -> None:
        """A day has passed: what is still missing will not come back, and its refusal is final."""
        self.waits_for_others = False
        self.missing.clear()

    def upload(self) -> None:
        """Bring one photo further, as far as the network allows."""
        for id in self.due_photos():
            self._upload(id, self.photos[id])
            return

    def due_photos(self) -> list[str]:
        """Photos whose report the server has answered for good."""
        promised = self._promised_by_settled()
        return [id for id in self.photos if id in promised]

    def _promised_by_settled(self) -> set[str]:
        return {photo["id"] for item in self.queue.settled.values() for photo in item["body"].get("photos", ())}

    def _upload(self, id: str, photo: bytes) -> None:
        given = {"id": id, "sha256": hashlib.sha256(photo).hexdigest(), "mime": "image/jpeg"}
        metadata = ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in given.items())
        piece, cut = b"", WHOLE
        if id not in self.tried:  # the first bytes go with the first request, and only then
            self.tried.add(id)
            piece, cut = photo[:CHUNK], self._cut_of_a_piece()
        reply = self.wire.call(
            "POST", "/uploads", piece, cut, Tus_Resumable="1.0.0", Upload_Length=str(len(photo)), Upload_Metadata=metadata,
            Content_Type="application/offset+octet-stream",
        )  # fmt: skip
        if reply.status == 423:
            self._held()
            return
        if reply.headers.get("x-tocsin-epoch") != self.epoch:
            return  # its report is offered again first
        if reply.status == 404:
            self.note("photo", id=id, state="not promised")  # its report was refused
            self.delivered.pop(id, None)
            del self.photos[id]
            return
        offset = int(reply.headers.get("upload-offset", "-1"))
        while 0 <= offset < len(photo):
            piece = photo[offset : offset + CHUNK]
            reply = self.wire.call(
                "PATCH", f"/uploads/{id}", piece, self._cut_of_a_piece(), Tus_Resumable="1.0.0", Upload_Offset=str(offset),
                Content_Type="application/offset+octet-stream",
            )  # fmt: skip
            if reply.status == 423:
                self._held()
                return
            if reply.status not in (204, 409):
                self.note("whole", status=reply.status, code=(reply.body or {}).get("code"))
                return
            offset = int(reply.headers.get("upload-offset", "-1"))
        if offset == len(photo):
            self.note("photo", id=id, state="sent")
            self.delivered[id] = self.photos.pop(id)

    def _cut_of_a_piece(self) -> str:
        return self.random.choice((BEFORE, AFTER, UNHEARD)) if self.random.random() < 0.05 else WHOLE

    def _held(self) -> None:
        self.counts["held"] += 1  # the request that was cut off is still being worked on
        time.sleep(0.1)

    def pull(self) -> None:
        """Pull until nothing more is there, keeping rows and cursors as the app does."""
        more = True
        while more:
            reply = self.wire.call("POST", "/changes", {"cursors": self.cursors, "epoch": self.epoch})
            if reply.status != 200:
                self._hear(reply)
                return
            if reply.body["epoch"] != self.epoch:
                self._offer_again(reply.body["epoch"])
                continue
            more = any(part["more"] for part in reply.body["spaces"])
            for space in reply.body["drop"]:
                self._forget(space)
            for part in reply.body["spaces"]:
                if part["reset"] or part["id"] not in self.cursors:
                    self._forget(part["id"])
                for row in part["rows"]:
                    if row["op"] == "put":
                        self.rows[(part["id"], row["type"], row["id"])] = row["doc"]
                    else:
                        self.rows.pop((part["id"], row["type"], row["id"]), None)
                self.cursors[part["id"]] = part["to"]
        self._forget("")  # what was raised here and is not confirmed yet

    def _forget(self, space: str) -> None:
        self.cursors.pop(space, None)
        self.rows = {key: doc for key, doc in self.rows.items() if key[0] != space}

    def switch_off_and_on(self) -> None:
        """Lose everything that is not in the queue's file."""
        self.queue.close()
        self.queue = Queue(self.queue.path)
        self.rows, self.cursors = {}, {}
        self.counts["restarts"] += 1

    def drain(self, seconds: float) -> None:
        """Send everything that is left, photos too."""
        until = time.monotonic() + seconds
        while (self.queue.waiting.keys() - self.missing.keys() or self.due_photos()) and time.monotonic() < until:
            try:
                self.send(gently=True)
                self.upload()
            except Lost:
                time.sleep(0.1)

    def notice(self) -> None:
        """Hear from the server in which of its lives it is."""
        with suppress(Lost):
            self.pull()

    def say_drained(self) -> None:
        """Log what is left once everybody has drained."""
        self.note("drained", waiting=sorted(self.queue.waiting), photos=sorted(self.photos))

    def finish(self) -> None:
        """Pull the last time and log what this phone holds, space by space."""
        for _ in range(20):
            try:
                self.pull()
                break
            except Lost:
                time.sleep(0.2)
        held: dict[str, dict[str, str]] = {space: {} for space in self.cursors}
        for (space, type, id), doc in self.rows.items():
            held.setdefault(space, {})[f"{type} {id}"] = digest(doc)
        self.note("final", spaces=held)
        self.queue.close()
        self._log.close()
        self.wire.hang_up()


def digest(document: Any) -> str:
    """A short hash of a document, the same however its keys are ordered and whether a whole number is written 0 or 0.0."""
    whole = json.loads(
        json.dumps(document), parse_float=lambda text: int(float(text)) if float(text).is_integer() else float(text)
    )
    text = json.dumps(whole, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
