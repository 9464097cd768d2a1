"""A fixed cast of people in a small scenic area, and for each of them a phone that speaks the real API."""

import copy
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from server.clock import clock, iso, now
from server.db import Database, new_id
from server.domain import climbing, devices, escalation, feed, injects, places, plans, supplies
from server.domain.people import Contact, Membership, Organisation, Person, Team
from server.planning.compiler import compile_plan

MORNING = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)  # a Monday, ten o'clock in Shanghai: working hours
LIBRARY = Path(__file__).parents[1] / "server" / "planning" / "library"
TICKETING, CROWD = "scenic-ticketing-failure", "large-crowd"
PLAN_FILES = ("000-21-scenic-ticketing-failure.yaml", "001-07-large-crowd.yaml")
TEAMS = ("leadership", "it", "security", "logistics", "communications", "visitor_centre", "finance", "inspection")
# name: (role, posts); who has no post belongs to no team.
PEOPLE: dict[str, tuple[str, dict[str, str]]] = {
    "admin": ("admin", {}),
    "commander": ("commander", {"leadership": "leader"}),
    "second": ("commander", {"leadership": "deputy"}),
    "it_lead": ("leader", {"it": "leader"}),
    "it_one": ("responder", {"it": "member"}),
    "security_lead": ("leader", {"security": "leader"}),
    "security_one": ("responder", {"security": "member"}),
    "security_two": ("responder", {"security": "member"}),
    "logistics_lead": ("leader", {"logistics": "leader"}),
    "logistics_one": ("responder", {"logistics": "member"}),
    "office_lead": ("leader", {"communications": "leader"}),
    "visitors_lead": ("leader", {"visitor_centre": "leader"}),
    "visitors_one": ("responder", {"visitor_centre": "member"}),
    "finance_lead": ("leader", {"finance": "leader"}),
    "inspection_lead": ("leader", {"inspection": "leader"}),
    "observer": ("observer", {}),
    "outsider": ("responder", {}),
    "leaver": ("responder", {"security": "member"}),
    "loser": ("responder", {}),
}
PASSWORD = "a password for tests"
PLACES = (("site", None, "site", 12000), ("windows", "site", "point", 120), ("gate", "site", "gate", 400))
SUPPLIES: tuple[tuple[str, bool, int, list[dict[str, Any]]], ...] = (
    ("paper-tickets", True, 1000, [{"from": 5001, "to": 6000, "state": "stock"}]),
    ("radios", False, 40, []),
)


@dataclass
class Cast:
    """The ids of everybody and everything, and the session tokens of their phones."""

    people: dict[str, str] = field(default_factory=dict)
    teams: dict[str, str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    supplies: dict[str, str] = field(default_factory=dict)
    devices: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)


def fill(session: Session, password_hash: str | None = None) -> Cast:
    """Set the organisation up in an empty database; `leaver` is disabled and `loser`'s phone revoked at the end."""
    cast = Cast()
    session.add(Organisation(id=new_id(), name={"zh": "云栖谷", "en": "Yunqi"}, timezone="Asia/Shanghai", settings={}))
    for rank, kind in enumerate(TEAMS):
        cast.teams[kind] = new_id()
        session.add(Team(id=cast.teams[kind], kind=kind, title={"zh": kind, "en": kind}, rank=rank, active=True))
    session.flush()
    for number, (name, (role, posts)) in enumerate(PEOPLE.items()):
        cast.people[name] = _person(session, cast, number, name, role, posts, password_hash)
    for code, parent, kind, capacity in PLACES:
        cast.places[code] = new_id()
        above = cast.places[parent] if parent else None
        title = {"zh": code, "en": code}
        session.add(
            places.Place(id=cast.places[code], parent=above, kind=kind, title=title, code=code, capacity=capacity)
        )
        session.flush()
    for key, serial, quantity, ranges in SUPPLIES:
        cast.supplies[key] = new_id()
        words = {"zh": key, "en": key}
        session.add(
            supplies.Supply(
                id=cast.supplies[key], key=key, title=words, unit=words, place=cast.places["site"], quantity=quantity,
                serial=serial, serials=copy.deepcopy(ranges),
            )
        )  # fmt: skip
    for file in PLAN_FILES:
        text = as_version(file, 1)
        revision, _ = plans.keep(session, compile_plan(text, file), text, cast.people["commander"])
        second = Person(id=cast.people["second"])
        plans.put_in_use(session, revision, second.id)
    _shut_out(session, cast)
    feed.epoch(session)
    return cast


def as_version(file: str, version: int) -> str:
    """The text of a plan of the library under another version."""
    text = (LIBRARY / file).read_text(encoding="utf-8")
    return re.sub(r"^version: \d+$", f"version: {version}", text, count=1, flags=re.MULTILINE)


def _person(
    session: Session, cast: Cast, number: int, name: str, role: str, posts: dict[str, str], password_hash: str | None
) -> str:
    person = Person(
        id=new_id(), username=name, name=name, role=role, phone=f"1390000{number:04d}", locale="zh",
        password_hash=password_hash, active=True,
    )  # fmt: skip
    session.add(person)
    session.flush()
    for team, post in posts.items():
        session.add(Membership(id=new_id(), person=person.id, team=cast.teams[team], role=post, rank=number))
    session.flush()
    feed.touch(session, Contact(person))
    cast.devices[name] = new_id()
    cast.tokens[name] = devices.sign_in(session, person, cast.devices[name], f"{name}'s phone")
    session.flush()
    return person.id


def _shut_out(session: Session, cast: Cast) -> None:
    leaver = session.get(Person, cast.people["leaver"])
    lost = session.get(devices.Device, cast.devices["loser"])
    assert leaver is not None
    assert lost is not None
    leaver.active = False
    devices.revoke(session, lost)


class Phone:
    """One person's signed-in phone: it sends facts, queues some while offline, and keeps the rows it pulled."""

    def __init__(self, app: Flask, name: str, person: str, device: str, token: str | None) -> None:
        self.app, self.name, self.person, self.device, self.token = app, name, person, device, token
        self.client: FlaskClient = app.test_client()
        if token is not None:
            self.client.set_cookie("tocsin", token, domain="localhost")
        self.cursors: dict[str, int] = {}
        self.rows: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.queue: list[dict[str, Any]] = []
        self.sequence = 0

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> TestResponse:
        """Any request, as the app makes it; `path` may leave /api/v1 out."""
        full = path if path.startswith("/api/") or path in {"/openapi.json", "/metrics"} else f"/api/v1{path}"
        headers = {"X-Tocsin": "1", "Accept-Language": "en", **more.pop("headers", {})}
        if body is not None:
            more["json"] = body
        return self.client.open(full, method=method, headers=headers, **more)

    def get(self, path: str, expect: int = 200) -> Any:
        """What a GET answers; fails on another status."""
        return self._expect(self.call("GET", path), expect)

    def post(self, path: str, body: Any, expect: int = 200) -> Any:
        """What a POST answers; fails on another status."""
        return self._expect(self.call("POST", path, body), expect)

    def put(self, path: str, body: Any, expect: int = 201) -> Any:
        """What a PUT answers; fails on another status."""
        return self._expect(self.call("PUT", path, body), expect)

    def fact(self, path: str, body: dict[str, Any] | None = None, expect: int = 201) -> str:
        """Send a fact under `path` with a fresh id and return the id."""
        id = new_id()
        self.put(f"{path}/{id}", body or {}, expect)
        return id

    def refused(self, path: str, body: dict[str, Any], status: int, code: str) -> None:
        """Send a fact that must be refused with this status and code."""
        answer = self.put(f"{path}/{new_id()}", body, status)
        assert answer["code"] == code, answer

    def later(self, path: str, body: dict[str, Any], id: str | None = None, **more: Any) -> str:
        """Queue a fact as if there were no network, stamped with the time it happened; returns its id."""
        id = id or new_id()
        self.sequence += 1
        body = {"occurred_at": iso(now()), **body}
        self.queue.append(
            {"id": id, "seq": self.sequence, "method": "PUT", "path": f"/api/v1{path}/{id}", "body": body, **more}
        )
        return id

    def drain(self) -> list[dict[str, Any]]:
        """Send what is queued in one batch and return the results, one for each."""
        waiting, self.queue = self.queue, []
        return self.batch(waiting)["results"]  # type: ignore[no-any-return]

    def batch(self, items: list[Any], expect: int = 200, **more: Any) -> Any:
        """What a batch answers."""
        return self.post("/batch", {"device": self.device, "person": self.person, "items": items, **more}, expect)

    def changes(self, expect: int = 200, **more: Any) -> Any:
        """What a pull answers, without keeping anything."""
        return self.post("/changes", {"cursors": self.cursors, **more}, expect)

    def sync(self, limit: int = 500, pages: int = 1_000_000) -> int:
        """Pull until nothing more is there (or so many pages) and keep the rows as a phone does; returns how many rows came."""
        came = 0
        for _ in range(pages):
            answer = self.changes(limit=limit)
            for space in answer["drop"]:
                self._forget(space)
            for part in answer["spaces"]:
                if part["reset"]:
                    self._forget(part["id"])
                for row in part["rows"]:
                    came += 1
                    key = (part["id"], row["type"], row["id"])
                    if row["op"] == "put":
                        self.rows[key] = row["doc"]
                    else:
                        self.rows.pop(key, None)
                self.cursors[part["id"]] = part["to"]
            if not any(part["more"] for part in answer["spaces"]):
                break
        return came

    def all(self, kind: str) -> list[dict[str, Any]]:
        """The documents of a type this phone holds, each id once."""
        return list({id: doc for (_, type, id), doc in sorted(self.rows.items()) if type == kind}.values())

    def one(self, type: str, /, **what: Any) -> dict[str, Any]:
        """The only document of a type with these values."""
        found = [doc for doc in self.all(type) if all(doc[name] == value for name, value in what.items())]
        assert len(found) == 1, (type, what, found)
        return found[0]

    def _forget(self, space: str) -> None:
        self.cursors.pop(space, None)
        self.rows = {key: doc for key, doc in self.rows.items() if key[0] != space}

    def _expect(self, answer: TestResponse, status: int) -> Any:
        assert answer.status_code == status, (self.name, answer.status_code, answer.get_data(as_text=True)[:2000])
        return answer.get_json(silent=True)


@dataclass
class Stage:
    """A running organisation: the application, its database, and everybody's phone."""

    app: Flask
    database: Database
    cast: Cast
    phones: dict[str, Phone] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Phone:
        if name not in self.phones:
            cast = self.cast
            self.phones[name] = Phone(self.app, name, cast.people[name], cast.devices[name], cast.tokens[name])
        return self.phones[name]

    def anonymous(self) -> Phone:
        """A phone nobody has signed in on."""
        return Phone(self.app, "anonymous", new_id(), new_id(), None)

    def tick(self) -> int:
        """Do what the worker does when it wakes: let injects happen, fire limits and remind the silent, until nothing is due."""
        done = 0
        while count := self.database.write(_what_is_due):
            done += count
        return done

    def move(self, **length: float) -> datetime:
        """Move the clock on and let the worker do its part at the end."""
        at = clock.move(timedelta(**length).total_seconds())
        self.tick()
        return at


def _what_is_due(session: Session) -> int:
    return injects.apply_due(session) + escalation.fire_due(session) + climbing.climb_due(session)
