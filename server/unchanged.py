"""What was read stays true for as long as nobody writes: answers kept until the database says that it has changed."""

import threading
from typing import Any

from sqlalchemy import Connection, Engine

from server.statements import Statement

MOST = 20_000


class Unchanged:
    """Keeps what was read from an SQLite file until any process commits to it; the file itself tells, in microseconds."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._mutex = threading.Lock()
        self._watching: Connection | None = None
        self._looking: Any = None
        self._version: int | None = None
        self._kept: dict[Any, Any] = {}

    def kept(self) -> dict[Any, Any]:
        """What may be used and added to; ask for it before reading what is to be added.

        After a commit it is another one, so that what was read before the commit and added later is lost, not believed.
        """
        with self._mutex:
            if self._looking is None:
                self._looking = self._watched().connection.cursor()
            (version,) = self._looking.execute("PRAGMA data_version").fetchone()
            if version != self._version or len(self._kept) > MOST:
                self._version, self._kept = version, {}
            return self._kept

    def rows(self, statement: Statement, values: dict[str, Any]) -> list[Any]:
        """What one reading statement finds now."""
        with self._mutex:
            return statement.rows_of(self._watched(), values)

    def _watched(self) -> Connection:
        if self._watching is None:
            connection = self._engine.connect()
            connection.detach()  # never used for writing: only the commits of other connections are counted
            connection.rollback()
            self._watching = connection
        return self._watching

    def close(self) -> None:
        """Close the connection that watches."""
        with self._mutex:
            if self._watching is not None:
                self._watching.close()
                self._watching = self._looking = None
            # another connection counts commits from the same number on
            self._version, self._kept = None, {}
