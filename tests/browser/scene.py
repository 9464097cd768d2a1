"""What walks begin with: a ticketing failure that was reported and activated, so that every team has its order."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from server.db import new_id
from tests.house import House, Phone

SECONDS = 20
Found = TypeVar("Found")


@dataclass(frozen=True)
class Scene:
    """An activated incident, and the commander's own view of the server."""

    incident: str
    commander: Phone

    def facts(self, kind: str, /, **wanted: Any) -> list[dict[str, Any]]:
        """The rows of a type of this incident that have these values, as a commander sees them now."""
        self.commander.pull()
        return [
            row
            for row in self.commander.all(kind)
            if row.get("incident") in (None, self.incident)
            and all(row.get(key) == value for key, value in wanted.items())
        ]

    def wait_for(self, kind: str, count: int = 1, /, **wanted: Any) -> list[dict[str, Any]]:
        """The rows once there are `count`; fails when there never are, or are more."""
        return until(lambda: found if len(found := self.facts(kind, **wanted)) >= count else None)

    def person(self, name: str) -> str:
        """A person's id by their name."""
        return next(str(row["id"]) for row in self.commander.all("person") if row["name"] == name)


def activated(house: House, title: str = "三个窗口都不能出票", plan: str = "scenic-ticketing-failure") -> Scene:
    """Report a fault, a ticketing failure unless told otherwise, and activate its plan."""
    commander = Phone(house, "commander")
    incident = new_id()
    commander.pull()
    place = next(row["id"] for row in commander.all("place") if row["code"] == "windows")
    body = {"plan": plan, "title": title, "place": place, "text": "重启后仍无响应"}
    visitor = Phone(house, "visitors-1")
    assert visitor.put(f"/incidents/{incident}", body)[0] == 201
    status, answer = commander.put(f"/incidents/{incident}/decisions/", {"kind": "activate"})
    assert status == 201, answer
    return Scene(incident, commander)


def until(found: Callable[[], Found | None], seconds: float = SECONDS) -> Found:
    """What `found` gives, once it gives something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if (value := found()) is not None:
            return value
        time.sleep(0.25)
    raise AssertionError("it never came")
