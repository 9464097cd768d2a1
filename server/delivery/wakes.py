"""Noticing that somebody committed something: SQLite's data version, asked often, or PostgreSQL's notifications."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import pysqlite3.dbapi2 as sqlite
import structlog

from server.db import Database

log = structlog.get_logger(__name__)

POLL_SECONDS = 0.02
RECONNECT_SECONDS = 1.0


class Bell:
    """Rings for everybody who waits; ringing while nobody waits is remembered once for each of them."""

    def __init__(self) -> None:
        self._events: set[asyncio.Event] = set()

    def ring(self) -> None:
        """Wake all."""
        for event in self._events:
            event.set()

    def listen(self) -> "Ear":
        """A listener of its own."""
        ear = Ear()
        self._events.add(ear.event)
        return ear


class Ear:
    """One listener of a bell."""

    def __init__(self) -> None:
        self.event = asyncio.Event()

    async def wait(self, seconds: float | None) -> bool:
        """Wait for the bell, at most so many seconds (None: for good); whether it rang."""
        rang = True
        try:
            async with asyncio.timeout(seconds):
                await self.event.wait()
        except TimeoutError:
            rang = False
        self.event.clear()
        return rang


@asynccontextmanager
async def watching(database: Database, bell: Bell, channels: Sequence[str]) -> AsyncIterator[None]:
    """Ring the bell after every commit (SQLite) or notification on these channels (PostgreSQL) while inside."""
    work = _poll(database, bell) if database.is_sqlite else _listen(database, bell, channels)
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _poll(database: Database, bell: Bell) -> None:
    path = database.engine.url.database
    assert path is not None
    connection = sqlite.connect(path, isolation_level=None)
    try:
        seen = None
        while True:
            # a few microseconds: it reads the shared memory of the log, not the file
            version = connection.execute("PRAGMA data_version").fetchone()[0]
            if version != seen:
                seen = version
                bell.ring()
            await asyncio.sleep(POLL_SECONDS)
    finally:
        connection.close()


async def _listen(database: Database, bell: Bell, channels: Sequence[str]) -> None:
    import psycopg  # noqa: PLC0415 - a tenth of a second to load, for nothing on SQLite

    address = database.url
    while True:
        try:
            connection = await psycopg.AsyncConnection.connect(address, autocommit=True)
            async with connection:
                for channel in channels:
                    await connection.execute(psycopg.sql.SQL("LISTEN {}").format(psycopg.sql.Identifier(channel)))
                bell.ring()  # what was committed before the first LISTEN
                async for _ in connection.notifies():
                    bell.ring()
        except psycopg.Error as error:
            log.warning("no notifications from the database", reason=type(error).__name__)
        await asyncio.sleep(RECONNECT_SECONDS)
        bell.ring()
