"""A phone's durable queue: a file of JSON lines that tells, after any crash, what is still to be sent."""

import json
import os
from pathlib import Path
from typing import Any


class Queue:
    """Facts waiting in the order they were made; what the server has answered for good is `settled`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.waiting: dict[str, dict[str, Any]] = {}
        self.settled: dict[str, dict[str, Any]] = {}
        self.sequence = 0
        if path.is_file():
            for line in path.read_text().splitlines():
                self._take(json.loads(line))
        self._file = path.open("a")

    def add(self, path: str, id: str, body: dict[str, Any]) -> dict[str, Any]:
        """Queue a fact; it is on disk when this returns."""
        item = {"id": id, "seq": self.sequence + 1, "method": "PUT", "path": f"/api/v1{path}/{id}", "body": body}
        self._write({"made": item})
        return item

    def settle(self, id: str) -> None:
        """The server has answered this one for good."""
        if id in self.waiting:
            self._write({"settled": id})

    def offer_again(self) -> None:
        """Everything that was answered waits again, in the order it was made."""
        self._write({"again": True})

    def close(self) -> None:
        """Close the file, as a phone that is switched off."""
        self._file.close()

    def _write(self, event: dict[str, Any]) -> None:
        self._file.write(json.dumps(event, ensure_ascii=False) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._take(event)

    def _take(self, event: dict[str, Any]) -> None:
        if item := event.get("made"):
            self.waiting[item["id"]] = item
            self.sequence = item["seq"]
        elif event.get("again"):
            everything = [*self.waiting.values(), *self.settled.values()]
            self.waiting = {one["id"]: one for one in sorted(everything, key=lambda one: one["seq"])}
            self.settled = {}
        else:
            self.settled[event["settled"]] = self.waiting.pop(event["settled"])
