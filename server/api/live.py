"""The live stream: tells open phones which spaces moved, through one hub for each web process."""

import logging
import threading
import time
from collections.abc import Generator, Iterator
from datetime import datetime, timedelta

import orjson
from flask import Flask, Response, current_app, g, request
from sqlalchemy import select

from server.api import health, http
from server.api.streams import BEAT, BYE, Listener, open_listener
from server.bulk import parts
from server.clock import now
from server.db import Database
from server.domain import feed, incidents, people
from server.domain.devices import SignIn
from server.domain.errors import Busy

blp = http.blueprint("live")
log = logging.getLogger("tocsin.live")
HEARTBEAT = 15.0
LOOK = 0.03
"""Seconds between two looks at SQLite's data version, a few microseconds each."""
GAP = 0.25
"""Seconds at least between two pokes, so that a crowd of commits becomes four pokes a second."""
RECHECK = 3.0
BREATH = 100
"""Streams looked at in one go, about a millisecond."""
MOST_STREAMS = 20_000
OVERLAP = timedelta(seconds=5)


class Hub:
    """Watches the database in one thread and tells the listeners of this process what moved."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.listeners: set[Listener] = set()
        self.closing = False
        self._worker_silent = False
        self._known: dict[str, int] = {}
        self._heard: set[str] = set()
        self._stood: dict[str, int] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def join(self, listener: Listener) -> None:
        """Add a stream; the watch begins with the first."""
        with self._lock:
            if len(self.listeners) >= MOST_STREAMS or self.closing:
                raise Busy(5)
            self.listeners.add(listener)
            self._stood.pop(listener.person, None)  # looked at anew once, whatever happened while it was opened
            if self._thread is None or not self._thread.is_alive():
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

    def _watch(self) -> None:
        wait = self._waiting()
        checked = beaten = time.monotonic()
        since = now() - OVERLAP
        with self.database.read() as session:
            self._known = feed.changed_since(session, since)
        while not self.closing and self.listeners:
            try:
                moved, at = next(wait), time.monotonic()
                if moved:
                    since = self._look(since)
                if at - checked > RECHECK:
                    checked = at
                    self._recheck()
                    self._watch_worker()
                if at - beaten > HEARTBEAT:
                    beaten = at
                    for listener in self._each():
                        listener.tell(BEAT)
                if moved:
                    time.sleep(max(0.0, at + GAP - time.monotonic()))
            except Exception:
                log.exception("the hub stumbled and goes on")
                time.sleep(1)
                wait.close()
                wait = self._waiting()
        wait.close()

    def _waiting(self) -> Generator[bool]:
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
                yield last is not None and current != last
                last = current
                time.sleep(LOOK)

    def _wait_postgresql(self) -> Generator[bool]:
        import psycopg  # noqa: PLC0415 - a tenth of a second to load, for nothing on SQLite

        url = self.database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("LISTEN tocsin")
            yield True
            while True:
                heard = any(True for _ in connection.notifies(timeout=RECHECK, stop_after=1))
                for _ in connection.notifies(timeout=0):
                    pass
                yield heard

    def _look(self, since: datetime) -> datetime:
        started = now()
        since = min(since, started - OVERLAP)  # the clock may have been set back
        with self.database.read() as session:
            found = feed.changed_since(session, since)
            ended = set(session.scalars(select(SignIn.id).where(SignIn.ended_at >= since)))
        moved = {space: version for space, version in found.items() if self._known.get(space) != version}
        self._known.update(moved)
        self._refresh(moved)
        pokes: dict[frozenset[str], bytes] = {}
        heard = frozenset(moved)
        for listener in self._each():
            if listener.session in ended:
                listener.close()
            elif mine := heard & listener.spaces:
                if mine not in pokes:
                    told = orjson.dumps({"spaces": {space: moved[space] for space in sorted(mine)}})
                    pokes[mine] = b"event: poke\ndata: " + told + b"\n\n"
                listener.tell(pokes[mine])
        return started - OVERLAP

    def _each(self) -> Iterator[Listener]:
        """Everybody who listens now; the requests of others are let in between, however many there are."""
        for number, listener in enumerate(list(self.listeners), 1):
            yield listener
            if number % BREATH == 0:
                time.sleep(0)

    def _refresh(self, moved: dict[str, int]) -> None:
        """Work out anew what people may hear of: all when a space is new, else those asked and those whose posts changed."""
        asked = {space.removeprefix("me:") for space in moved if space.startswith("me:")}
        new = {space for space in moved if space.startswith("incident:")} - self._heard
        self._heard |= new
        everybody = bool(new) or "org" in moved
        theirs: dict[str, list[Listener]] = {}
        for listener in self._each():
            if everybody or listener.person in asked:
                theirs.setdefault(listener.person, []).append(listener)
        if not theirs:
            return
        with self.database.read() as session:
            found = people.standings(session, theirs)
            for gone in theirs.keys() - found.keys():
                for listener in theirs[gone]:
                    listener.close()
            before, after = self._stood, {person: hash(one) for person, one in found.items()}
            self._stood = after if everybody else before | after
            concerned = [
                one for person, one in found.items() if new or person in asked or before.get(person) != after[person]
            ]
            for number, (person, spaces) in enumerate(incidents.spaces_of(session, concerned), 1):
                for listener in theirs[person]:
                    listener.spaces = spaces
                if number % BREATH == 0:
                    time.sleep(0)

    def _recheck(self) -> None:
        """Close the streams whose session has ended."""
        wanted = {listener.session for listener in self.listeners}
        if not wanted:
            return
        living: set[str] = set()
        with self.database.read() as session:
            for some in parts(list(wanted)):
                query = select(SignIn.id).where(SignIn.id.in_(some), SignIn.ended_at.is_(None))
                living |= set(session.scalars(query))
                time.sleep(0)
        for listener in self._each():
            if listener.session not in living:
                listener.close()

    def _watch_worker(self) -> None:
        """Say that limits and reminders stand still for as long as they do, and once when they run again."""
        silent, before = health.worker_silent(self.database), self._worker_silent
        self._worker_silent = silent
        if silent or before:
            event = b"event: worker\ndata: " + orjson.dumps({"silent": silent}) + b"\n\n"
            for listener in self._each():
                listener.tell(event)


@blp.route("/stream", methods=["GET"])
@blp.response(
    200, description="Server-sent events: poke, worker, bye; a comment every 15 s.", content_type="text/event-stream"
)
def stream() -> Response:
    """Listen for what moves."""
    hub: Hub = current_app.extensions["tocsin_hub"]
    spaces = http.read(lambda session: set(incidents.spaces(session, g.standing)))
    listener = open_listener(request.environ, g.standing.id, g.session, spaces)
    hub.join(listener)
    response = Response(listener.events(hub.leave), content_type="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response


def install(app: Flask, database: Database) -> None:
    """Give the application its hub."""
    app.extensions["tocsin_hub"] = Hub(database)
