"""The live stream: tells open phones which spaces moved, through one hub for each web process."""

import logging
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from datetime import datetime, timedelta
from typing import TypeVar

import orjson
from flask import Flask, Response, current_app, g, request

from server.api import health, http
from server.api.streams import BEAT, BYE, Event, Listener, Sockets, open_listener
from server.bulk import parts
from server.clock import now
from server.db import Database, outage
from server.domain import devices, feed, incidents, people
from server.domain.errors import Busy

blp = http.blueprint("live")
log = logging.getLogger("tocsin.live")
HEARTBEAT = 15.0
LOOK = 0.03
"""Seconds between two looks at SQLite's data version, a few microseconds each."""
GAP = 0.25
"""Seconds at least between two pokes, so that a crowd of commits becomes four pokes a second."""
RECHECK = 3.0
TURN = 0.002
"""Seconds of work on many streams before requests are let in."""
MOST_STREAMS = 20_000
OVERLAP = timedelta(seconds=5)
T = TypeVar("T")


class Hub:
    """Watches the database in one thread and tells the listeners of this process what moved."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.listeners: set[Listener] = set()
        self.sockets = Sockets(lambda count: None)
        self.breathe: Callable[[], None] = lambda: time.sleep(0)
        """Lets the requests of others go first."""
        self.closing = False
        self._worker_silent = False
        self._known: dict[str, int] = {}
        self._heard: set[str] = set()
        self._stood: dict[str, int] = {}
        self._alike: dict[frozenset[str], frozenset[str]] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def alike(self, person: str, spaces: Iterable[str]) -> frozenset[str]:
        """The spaces besides a person's own, as one set for all who may hear of the same."""
        found = frozenset(spaces) - {f"me:{person}"}
        return self._alike.setdefault(found, found)

    def join(self, listener: Listener) -> None:
        """Add a stream; the watch begins with the first."""
        with self._lock:
            if len(self.listeners) >= MOST_STREAMS or self.closing:
                raise Busy(5)
            self.listeners.add(listener)
            self._stood.pop(listener.person, None)  # looked at anew once, whatever happened while it was opened
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="hub", daemon=True)
                self._thread.start()

    def leave(self, listener: Listener) -> None:
        """Take a stream away."""
        with self._lock:
            self.listeners.discard(listener)

    def close(self) -> None:
        """End every stream at once; phones come back to the next process."""
        self.closing = True
        for listener in list(self.listeners):
            listener.tell(BYE)
            listener.close()

    def _end(self, listener: Listener) -> None:
        listener.close()
        self.leave(listener)

    def _goes_on(self) -> bool:
        with self._lock:
            if self.listeners and not self.closing:
                return True
            self._thread = None  # whoever joins from here on begins another watch
            return False

    def _watch(self) -> None:
        wait = self._waiting()
        checked = beaten = time.monotonic()
        since = now() - OVERLAP
        while self._goes_on():
            try:
                moved, at = next(wait), time.monotonic()
                for listener in self.sockets.hung_up():
                    self._end(listener)
                if moved:
                    since = self._look(since)
                if at - checked > RECHECK:
                    checked = at
                    self._recheck()
                    self._watch_worker()
                if at - beaten > HEARTBEAT:
                    beaten = at
                    self._tell(BEAT)
                if moved:
                    time.sleep(max(0.0, at + GAP - time.monotonic()))
            except Exception as error:
                if reason := outage(error):
                    log.warning("the hub waits for the database: %s", reason)
                else:
                    log.exception("the hub stumbled and goes on")
                time.sleep(1)
                wait.close()
                wait = self._waiting()
        wait.close()

    def _waiting(self) -> Generator[bool]:
        """Whether something may have moved, at first yes: what was missed before it began to wait is found by looking."""
        return self._wait_sqlite() if self.database.is_sqlite else self._wait_postgresql()

    def _wait_sqlite(self) -> Generator[bool]:
        with self.database.engine.connect() as connection:
            raw = connection.connection.dbapi_connection
            assert raw is not None
            connection.rollback()
            last = None
            while True:
                cursor = raw.cursor()
                current = cursor.execute("PRAGMA data_version").fetchone()
                cursor.close()
                yield current != last
                last = current
                time.sleep(LOOK)

    def _wait_postgresql(self) -> Generator[bool]:
        import psycopg  # noqa: PLC0415 - a tenth of a second to load, for nothing on SQLite

        url = self.database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("LISTEN tocsin")
            while True:
                # Also when nothing was heard: a connection may be cut without either end being told.
                yield True
                for _ in connection.notifies(timeout=RECHECK, stop_after=1):
                    pass
                for _ in connection.notifies(timeout=0):
                    pass

    def _look(self, since: datetime) -> datetime:
        started = now()
        since = min(since, started - OVERLAP)  # the clock may have been set back
        with self.database.read() as session:
            found = feed.changed_since(session, since)
            ended = devices.ended_since(session, since)
        moved = {space: version for space, version in found.items() if self._known.get(space) != version}
        if not moved and not ended:
            return started - OVERLAP
        self._known.update(moved)
        asked = {space.removeprefix("me:") for space in moved if space.startswith("me:")}
        self._refresh(moved, asked)
        heard = frozenset(moved)
        theirs: dict[frozenset[str], frozenset[str]] = {}
        pokes: dict[frozenset[str], Event] = {}
        for listener in self._by_turns(list(self.listeners)):
            if listener.session in ended:
                self._end(listener)
                continue
            mine = theirs.get(listener.spaces)
            if mine is None:
                mine = theirs[listener.spaces] = heard & listener.spaces
            if listener.person in asked:
                mine |= {f"me:{listener.person}"}
            if not mine:
                continue
            event = pokes.get(mine)
            if event is None:
                told = orjson.dumps({"spaces": {space: moved[space] for space in sorted(mine)}})
                event = pokes[mine] = Event.of(b"event: poke\ndata: " + told + b"\n\n")
            listener.tell(event)
        return started - OVERLAP

    def _tell(self, event: Event) -> None:
        for listener in self._by_turns(list(self.listeners)):
            listener.tell(event)

    def _by_turns(self, things: Iterable[T]) -> Iterator[T]:
        """One after another; the requests of others are let in between, however many there are."""
        until = time.monotonic() + TURN
        for thing in things:
            yield thing
            if time.monotonic() >= until:
                self.breathe()
                until = time.monotonic() + TURN

    def _refresh(self, moved: dict[str, int], asked: set[str]) -> None:
        """Work out anew what people may hear of: all when a space is new, else those asked and those whose posts changed."""
        new = {space for space in moved if space.startswith("incident:")} - self._heard
        self._heard |= new
        everybody = bool(new) or "org" in moved
        if not everybody and not asked:
            return
        theirs: dict[str, list[Listener]] = {}
        for listener in self._by_turns(list(self.listeners)):
            if everybody or listener.person in asked:
                theirs.setdefault(listener.person, []).append(listener)
        before = self._stood
        if everybody:
            self._stood = {}
        if new:
            self._alike = {}
        with self.database.read() as session:
            for some in self._by_turns(parts(list(theirs))):
                found = people.standings(session, some)
                for gone in set(some) - found.keys():
                    for listener in theirs[gone]:
                        self._end(listener)
                after = {person: hash(one) for person, one in found.items()}
                self._stood |= after
                concerned = [
                    one
                    for person, one in found.items()
                    if new or person in asked or before.get(person) != after[person]
                ]
                self.breathe()
                for person, spaces in self._by_turns(incidents.spaces_of(session, concerned)):
                    shared = self.alike(person, spaces)
                    for listener in theirs[person]:
                        listener.spaces = shared

    def _recheck(self) -> None:
        """Close the streams whose session has ended."""
        kept = self.database.kept()  # before anything is read
        if kept is not None and kept.get("streams checked"):
            return  # nobody has committed anything since
        theirs: dict[str, list[Listener]] = {}
        for listener in list(self.listeners):
            theirs.setdefault(listener.session, []).append(listener)
        with self.database.read() as session:
            for some in self._by_turns(parts(list(theirs))):
                for ended in devices.ended_of(session, some):
                    for listener in theirs[ended]:
                        self._end(listener)
        if kept is not None:
            kept["streams checked"] = True

    def _watch_worker(self) -> None:
        """Say that limits and reminders stand still for as long as they do, and once when they run again."""
        silent, before = health.worker_silent(self.database), self._worker_silent
        self._worker_silent = silent
        if silent or before:
            self._tell(Event.of(b"event: worker\ndata: " + orjson.dumps({"silent": silent}) + b"\n\n"))


@blp.route("/stream", methods=["GET"])
@blp.response(
    200, description="Server-sent events: poke, worker, bye; a comment every 15 s.", content_type="text/event-stream"
)
def stream() -> Response:
    """Listen for what moves."""
    hub: Hub = current_app.extensions["tocsin_hub"]
    spaces = hub.alike(g.standing.id, http.read(lambda session: incidents.spaces(session, g.standing)))
    listener = open_listener(request.environ, hub.sockets, g.standing.id, g.session, spaces)
    hub.join(listener)
    response = Response(listener.events(hub.leave), content_type="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response


def install(app: Flask, database: Database) -> None:
    """Give the application its hub."""
    app.extensions["tocsin_hub"] = Hub(database)
