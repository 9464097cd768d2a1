"""Whose deliveries are whose: an owner's name with a lock that the kernel or the database frees when its process dies.

Nobody waits for a lease to run out. A sender that is killed leaves its rows behind under a name whose lock can be had,
so the next one that looks takes them over at once.
"""

import fcntl
import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from server.db import Database


class Ownership(Protocol):
    """A name no other process has, and the means to tell whether other names still have a living process."""

    name: str

    def holds(self) -> bool:
        """Whether the name is still ours; a lost one must not claim anything more."""
        ...

    def dead(self, others: Iterable[str]) -> list[str]:
        """Those of the other names whose process is gone."""
        ...

    def release(self) -> None:
        """Give the name up."""
        ...


def take_ownership(database: Database) -> Ownership:
    """A fresh name, held as long as this process lives."""
    if database.is_sqlite:
        path = database.engine.url.database
        assert path is not None
        return FileOwnership(Path(f"{path}.owners"))
    return AdvisoryOwnership(database)


class FileOwnership:
    """A locked file beside an SQLite database."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.name = secrets.token_hex(8)
        self._folder = folder
        self._handle = os.open(folder / self.name, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def holds(self) -> bool:
        return (self._folder / self.name).exists()

    def dead(self, others: Iterable[str]) -> list[str]:
        return [name for name in others if name != self.name and self._is_dead(name)]

    def release(self) -> None:
        (self._folder / self.name).unlink(missing_ok=True)
        os.close(self._handle)

    def _is_dead(self, name: str) -> bool:
        path = self._folder / Path(name).name
        try:
            handle = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            return True
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        else:
            path.unlink(missing_ok=True)
            return True
        finally:
            os.close(handle)


class AdvisoryOwnership:
    """An advisory lock that belongs to one PostgreSQL session; it ends with the connection, so one is kept for it."""

    def __init__(self, database: Database) -> None:
        self._connection: Connection = database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        self.name = f"{secrets.randbits(62):016x}"
        self._connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": int(self.name, 16)})

    def holds(self) -> bool:
        try:
            self._connection.execute(text("SELECT 1"))
        except SQLAlchemyError:  # the second time it is asked, it is no longer the database's own error
            return False
        return True

    def dead(self, others: Iterable[str]) -> list[str]:
        return [name for name in others if name != self.name and self._is_dead(name)]

    def release(self) -> None:
        # a connection that goes back into the pool would keep the lock
        self._connection.invalidate()
        self._connection.close()

    def _is_dead(self, name: str) -> bool:
        try:
            key = {"key": int(name, 16)}
        except ValueError:
            return True
        free = self._connection.execute(text("SELECT pg_try_advisory_lock(:key)"), key).scalar_one()
        if free:
            self._connection.execute(text("SELECT pg_advisory_unlock(:key)"), key)
        return bool(free)
