"""What was read stays true for as long as nobody writes: answers kept until the database says that it has changed."""

import threading
from typing import Any

from sqlalchemy import Engine

MOST = 20_000


class Unchanged:
    """Keeps what was read from an SQLite file until any process commits to it; the file itself tells, in microseconds."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._mutex = threading.Lock()
        self._watching: Any = None
        self._version: int | None = None
        self._kept: dict[Any, Any] = {}

    def kept(self) -> dict[Any, Any]:
        """What may be used and added to; ask for it before reading what is to be added.

        After a commit it is another one, so that what was read before the commit and added later is lost, not believed.
        """
        with self._mutex:
            if self._watching is None:
                connection = self._engine.connect()
                connection.detach()  # never used for writing: only the commits of other connections are counted
                self._watching = connection.connection.dbapi_connection
                connection.rollback()
            cursor = self._watching.cursor()
            (version,) = cursor.execute("PRAGMA data_version").fetchone()
            cursor.close()
            if version != self._version or len(self._kept) > MOST:
                self._version, self._kept = version, {}
            return self._kept

    def close(self) -> None:
        """Close the connection that watches."""
        with self._mutex:
            if self._watching is not None:
                self._watching.close()
                self._watching = None
