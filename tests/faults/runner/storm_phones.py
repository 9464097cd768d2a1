"""Phones of a storm: each sends fact after fact, in batches or one by one, again and again until it has its answer."""

import threading
import time
from collections import Counter
from random import Random
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from server.clock import iso, now
from server.db import Database, new_id
from server.domain.alerts import Alert
from tests.faults.runner.wire import Lost, Reply, Wire

SINGLE, REPEATED, UNHEARD_SHARE = 0.4, 0.05, 0.03
"""Shares: facts sent one by one instead of as a batch, batches sent again once answered, answers cut off on their way."""
ENTRIES_OF_ONE = 2_500
"""Facts after which a phone raises its next incident."""
LATER = {429, 503}
AWAY_SECONDS = 30.0
Made = tuple[str, str, str, dict[str, Any]]
"""Kind, id, path under /api/v1, body."""


class Acknowledged:
    """What the phones were told has taken effect: ids by kind. For several threads at once."""

    def __init__(self) -> None:
        self.ids: dict[str, set[str]] = {}
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.enough = threading.Event()
        self.total = 0
        self._changed = threading.Condition()

    def add(self, facts: list[tuple[str, str]]) -> None:
        """Keep what was acknowledged now, as (kind, id)."""
        with self._changed:
            for kind, id in facts:
                self.ids.setdefault(kind, set()).add(id)
            self.total += len(facts)
            self._changed.notify_all()

    def note(self, what: str, wrong: bool = False, **more: object) -> None:
        """Count something that happened; what must not happen is kept in full."""
        with self._changed:
            self.counts[what] += 1
            if wrong:
                self.wrong.append(f"{what}: {more}")
                self._changed.notify_all()

    def wait_for(self, total: int, seconds: float = 60.0) -> None:
        """Wait until so many are acknowledged. Raises AssertionError when none came for `seconds`, or something is wrong."""
        with self._changed:
            while self.total < total:
                before = self.total
                self._changed.wait_for(lambda: self.total > before or self.wrong, seconds)  # noqa: B023 - done with at once
                said = f"{self.total} of {total} acknowledged, {self.counts}: {self.wrong[:3]}"
                assert self.total > before, said
                assert not self.wrong, said


class StormPhone:
    """One person's phone. `sign_in` first; `play` then sends until enough was acknowledged, and has no fact left behind."""

    def __init__(
        self, port: int, username: str, password: str, random: Random, heard: Acknowledged, places: list[str], teams: list[str],
        url: str,
    ) -> None:  # fmt: skip
        self.username, self.password, self.random, self.heard = username, password, random, heard
        self.wire, self.device = Wire(port), new_id()
        self.places, self.teams, self.url = places, teams, url
        self.incident, self.alert, self.sequence = "", "", 0
        self._of_one = 0

    def sign_in(self) -> None:
        """Get a session."""
        device = {"id": self.device, "name": "storm"}
        said = {"username": self.username, "password": self.password, "device": device}
        reply = self.wire.call("POST", "/sessions", said)
        assert reply.status == 200, reply

    def play(self) -> None:
        """Send until told that it is enough."""
        try:
            while not self.heard.enough.is_set():
                if not self.incident or self._of_one >= ENTRIES_OF_ONE:
                    self._raise()
                facts = [self._make() for _ in range(self.random.randint(6, 50))]
                self._of_one += len(facts)
                if self.random.random() < SINGLE:
                    for fact in facts[:10]:
                        self._bring([fact], single=True)
                else:
                    self._bring(facts)
        except Exception as error:
            self.heard.note("a phone failed", wrong=True, error=repr(error))
            raise
        finally:
            self.wire.hang_up()

    def _raise(self) -> None:
        """Raise the next incident; commanders are asked about it and answer."""
        id = new_id()
        self._bring([("incident", id, f"/incidents/{id}", self._body(title="漏水"))], single=True)
        self.incident, self._of_one = id, 0
        self.alert = alert_of(self.url, id)

    def _make(self) -> Made:
        """The next fact by chance."""
        id, chance, commands = new_id(), self.random.random(), self.username == "commander"
        self.sequence += 1
        if commands and chance < 0.01:
            order = self._body(
                incident=self.incident, team=self.random.choice(self.teams), title="请到现场", text="请到现场"
            )
            return "order", id, f"/orders/{id}", order
        if commands and chance < 0.4:
            return "answer", id, f"/alerts/{self.alert}/answers/{id}", self._body(kind="received")
        if chance < 0.55:
            report = self._body(incident=self.incident, type="status", text=f"水位上升 {self.sequence}")
            return "report", id, f"/reports/{id}", report
        if chance < 0.7:
            counted = {"place": self.random.choice(self.places), "kind": "in", "count": self.random.randint(1, 900)}
            return "tally", id, f"/tallies/{id}", self._body(incident=self.incident, **counted)
        return "entry", id, f"/incidents/{self.incident}/entries/{id}", self._body(text=f"水位上升 {self.sequence}")

    def _body(self, **said: Any) -> dict[str, Any]:
        return {**said, "occurred_at": iso(now())}

    def _bring(self, facts: list[Made], single: bool = False) -> None:
        """Send until every one is acknowledged; now and then once more after that."""
        left, pause, what = {fact[1]: fact for fact in facts}, 0.02, "requests"
        while left:
            self.heard.note(what)
            what = "sent again"
            try:
                results = self._send(list(left.values()), single)
            except Lost:
                self.heard.note("lost")
                results = []
            self.heard.add([self._settled(left, one) for one in results if one["status"] in ("applied", "duplicate")])
            for one in results:
                if one["status"] not in ("applied", "duplicate", "retry_later"):
                    self.heard.note("refused", wrong=True, result=one, fact=left.pop(one["id"]))
            if not results:
                time.sleep(self.random.uniform(0.5, 1) * pause)
                pause = min(pause * 2, 0.5)
        if self.random.random() < REPEATED:
            self._repeat(facts, single)

    def _settled(self, left: dict[str, Made], result: dict[str, Any]) -> tuple[str, str]:
        if result["status"] == "duplicate":
            self.heard.note("known already")
        kind, id, *_ = left.pop(result["id"])
        return kind, id

    def _repeat(self, facts: list[Made], single: bool) -> None:
        """Send what was answered already: all of it must be known."""
        with_answers: list[dict[str, Any]] = []
        try:
            with_answers = self._send(facts, single)
        except Lost:
            self.heard.note("lost")
        for one in with_answers:
            self.heard.note("repeated")
            if one["status"] not in ("duplicate", "retry_later"):
                self.heard.note("applied twice", wrong=True, result=one)

    def _send(self, facts: list[Made], single: bool) -> list[dict[str, Any]]:
        """The results of one request; empty when the server said to come later. Raises Lost."""
        cut = "unheard" if self.random.random() < UNHEARD_SHARE else ""
        if single:
            (_, id, path, body), *_ = facts
            reply = self.wire.call("PUT", path, body, cut)
            if reply.status in (200, 201):
                return [{"id": id, "status": "applied" if reply.status == 201 else "duplicate"}]
        else:
            items = [
                {"id": id, "seq": number, "method": "PUT", "path": f"/api/v1{path}", "body": body}
                for number, (_, id, path, body) in enumerate(facts)
            ]
            reply = self.wire.call("POST", "/batch", {"device": self.device, "items": items}, cut)
            if reply.status == 200:
                results: list[dict[str, Any]] = reply.body["results"]
                return results
        return self._put_off(reply)

    def _put_off(self, reply: Reply) -> list[dict[str, Any]]:
        self.heard.note(f"http {reply.status}", wrong=reply.status not in LATER, body=reply.body)
        time.sleep(min(float(reply.headers.get("retry-after", "0.2")), 0.2))
        return []


def alert_of(url: str, incident: str) -> str:
    """The id of the alert about an incident; the database may be away for a while."""
    until = time.monotonic() + AWAY_SECONDS
    while True:
        database = Database(url)
        try:
            with database.read() as session:
                return session.scalars(select(Alert.id).where(Alert.incident == incident)).first() or ""
        except SQLAlchemyError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        finally:
            database.dispose()
