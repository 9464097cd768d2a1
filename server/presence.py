"""Whether a worker is there: it holds a lock that the kernel or the database frees when it dies, and anybody may look."""

import fcntl
import os
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from server.db import Database

_KEY = {"class": 0x746F63, "key": 1}


class Presence:
    """One process's word that it works. Several hold it beside each other."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._handle: int | None = None
        self._connection: Connection | None = None

    def hold(self) -> bool:
        """Give the word, or make sure that it still stands; False when the database cannot be reached now."""
        if self._database.is_sqlite:
            if self._handle is None:
                self._handle = os.open(_path(self._database), os.O_RDWR | os.O_CREAT, 0o600)
                fcntl.flock(self._handle, fcntl.LOCK_SH)
            return True
        try:
            if self._connection is None:
                connection = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
                connection.execute(text("SELECT pg_advisory_lock_shared(:class, :key)"), _KEY)
                self._connection = connection
            self._connection.execute(text("SELECT 1"))
        except SQLAlchemyError:
            self.release()
            return False
        return True

    def release(self) -> None:
        """Take the word back."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        if self._connection is not None:
            self._connection.invalidate()  # a connection that goes back into the pool would keep the lock
            self._connection.close()
            self._connection = None


def anybody(database: Database) -> bool:
    """Whether some worker lives. One that is stopped or hangs still counts: what it leaves undone tells on it."""
    if not database.is_sqlite:
        query = text(
            "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND classid = :class AND objid = :key"
            " AND objsubid = 2 AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
        )
        with database.read() as session:
            return bool(session.scalar(query, _KEY))
    try:
        handle = os.open(_path(database), os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _path(database: Database) -> Path:
    path = database.engine.url.database
    assert path is not None
    return Path(f"{path}.worker")
