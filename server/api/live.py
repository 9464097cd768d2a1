"""The live stream: tells open phones which spaces moved, through one hub for each web process."""

import logging
import queue
import threading
import time
from collections.abc import Generator, Iterator
from datetime import timedelta
from typing import Any

import orjson
import psycopg
from flask import Flask, Response, current_app, g, stream_with_context
from sqlalchemy import select

from server.api import http
from server.clock import now
from server.db import Database
from server.domain import feed, incidents, people
from server.domain.devices import SignIn
from server.domain.errors import Busy, NotFound

blp = http.blueprint("live")
log = logging.getLogger("tocsin.live")
HEARTBEAT = 15.0
TICK = 0.1
RECHECK = 3.0
MOST_STREAMS = 20_000
OVERLAP = timedelta(seconds=5)


class Listener:
    """One open stream: whose it is, what it may hear of, and the events that wait to be written."""

    def __init__(self, person: str, session: str, spaces: set[str]) -> None:
        self.person, self.session, self.spaces = person, session, spaces
        self.events: queue.Queue[bytes | None] = queue.Queue(maxsize=64)

    def tell(self, event: bytes) -> None:
        """Queue an event; a listener that cannot keep up is closed and catches up when it comes back."""
        try:
            self.events.put_nowait(event)
        except queue.Full:
            self.close()

    def close(self) -> None:
        """End the stream after what is queued, or at once when the queue is full."""
        while True:
            try:
                self.events.put_nowait(None)
                return
            except queue.Full:
                try:
                    self.events.get_nowait()
                except queue.Empty:
                    continue


class Hub:
    """Watches the database in one thread and tells the listeners of this process what moved."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.listeners: set[Listener] = set()
        self.closing = False
        self._known: dict[str, int] = {}
        self._heard: set[str] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def join(self, listener: Listener) -> None:
        """Add a stream; the watch begins with the first."""
        with self._lock:
            if len(self.listeners) >= MOST_STREAMS or self.closing:
                raise Busy(5)
            self.listeners.add(listener)
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
            listener.tell(b"event: bye\ndata: {}\n\n")
            listener.close()

    def _watch(self) -> None:
        wait = self._wait_sqlite() if self.database.is_sqlite else self._wait_postgresql()
        checked = time.monotonic()
        since = now() - OVERLAP
        with self.database.read() as session:
            self._known = feed.changed_since(session, since)
        while not self.closing and self.listeners:
            try:
                if next(wait):
                    since = self._look(since)
                if time.monotonic() - checked > RECHECK:
                    checked = time.monotonic()
                    self._recheck()
            except Exception:
                log.exception("the hub stumbled and goes on")
                time.sleep(1)
                wait = self._wait_sqlite() if self.database.is_sqlite else self._wait_postgresql()
        wait.close()

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
                time.sleep(TICK)

    def _wait_postgresql(self) -> Generator[bool]:
        url = self.database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("LISTEN tocsin")
            yield True
            while True:
                heard = any(True for _ in connection.notifies(timeout=RECHECK, stop_after=1))
                if heard:
                    time.sleep(TICK / 2)  # gathers what commits together into one poke
                    for _ in connection.notifies(timeout=0):
                        pass
                yield heard

    def _look(self, since: Any) -> Any:
        started = now()
        with self.database.read() as session:
            found = feed.changed_since(session, since)
        moved = {space: version for space, version in found.items() if self._known.get(space) != version}
        self._known.update(moved)
        self._refresh(moved)
        for listener in list(self.listeners):
            mine = {space: version for space, version in moved.items() if space in listener.spaces}
            if mine:
                listener.tell(b"event: poke\ndata: " + orjson.dumps({"spaces": mine}) + b"\n\n")
        return started - OVERLAP

    def _refresh(self, moved: dict[str, int]) -> None:
        """Work out anew what people may hear of: all when a space is new or posts may have changed, else those asked."""
        asked = {space.removeprefix("me:") for space in moved if space.startswith("me:")}
        new = {space for space in moved if space.startswith("incident:")} - self._heard
        self._heard |= new
        if not asked and not new and "org" not in moved:
            return
        with self.database.read() as session:
            for listener in list(self.listeners):
                if new or "org" in moved or listener.person in asked:
                    try:
                        listener.spaces = set(incidents.spaces(session, people.standing(session, listener.person)))
                    except NotFound:
                        listener.close()

    def _recheck(self) -> None:
        """Close the streams whose session has ended."""
        wanted = {listener.session for listener in self.listeners}
        if not wanted:
            return
        ids = list(wanted)
        living: set[str] = set()
        with self.database.read() as session:
            for start in range(0, len(ids), 400):
                query = select(SignIn.id).where(SignIn.id.in_(ids[start : start + 400]), SignIn.ended_at.is_(None))
                living |= set(session.scalars(query))
        for listener in list(self.listeners):
            if listener.session not in living:
                listener.close()


@blp.route("/stream", methods=["GET"])
@blp.response(200, description="Server-sent events: poke, bye; a comment every 15 s.", content_type="text/event-stream")
def stream() -> Response:
    """Listen for what moves."""
    hub: Hub = current_app.extensions["tocsin_hub"]
    spaces = http.read(lambda session: set(incidents.spaces(session, g.standing)))
    listener = Listener(g.standing.id, g.session, spaces)
    hub.join(listener)

    def events() -> Iterator[bytes]:
        try:
            yield b"retry: 2000\n: open\n\n"
            while True:
                try:
                    event = listener.events.get(timeout=HEARTBEAT)
                except queue.Empty:
                    yield b": beat\n\n"
                    continue
                if event is None:
                    return
                yield event
        finally:
            hub.leave(listener)

    response = Response(stream_with_context(events()), content_type="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response


def install(app: Flask, database: Database) -> None:
    """Give the application its hub."""
    app.extensions["tocsin_hub"] = Hub(database)
