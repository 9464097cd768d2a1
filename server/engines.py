"""How each kind of database is opened, with the settings that Tocsin relies on."""

import logging
from collections.abc import Callable
from typing import Any

import pysqlite3.dbapi2 as sqlite
from sqlalchemy import Connection, Engine, create_engine, event

SAFE_SQLITE = (3, 51, 3)  # earlier ones can corrupt a write-ahead log that several processes write
LOCK_SECONDS = 3.0


class UnsafeDatabase(RuntimeError):
    """The database library or file cannot be trusted with this data."""


def open_engine(url: str) -> Engine:
    """Open the database at `url` (sqlite:///… or postgresql://…) with the settings Tocsin relies on.

    Raises UnsafeDatabase when the SQLite library has the write-ahead-log defect.
    """
    if url.startswith("sqlite"):
        return _open_sqlite(url)
    engine = create_engine(
        url.replace("postgresql://", "postgresql+psycopg://", 1),
        pool_size=10,
        max_overflow=20,
        pool_pre_ping=True,
        pool_timeout=LOCK_SECONDS,
    )

    logging.getLogger("sqlalchemy.pool.impl.QueuePool").addFilter(_briefly)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: object) -> None:
        connection.autocommit = True
        connection.execute(f"SET lock_timeout = '{int(LOCK_SECONDS * 1000)}ms'")
        connection.execute("SET TIME ZONE 'UTC'")
        connection.autocommit = False

    return engine


def _briefly(record: logging.LogRecord) -> bool:
    """A connection that the database has ended is said in one line; with the database away there are many of them."""
    error = record.exc_info[1] if record.exc_info else None
    if type(error).__name__ == "OperationalError":
        record.msg, record.args = "a connection to the database was lost: %s", (" ".join(str(error).split()),)
        record.exc_info = record.exc_text = None
    return True


def _open_sqlite(url: str) -> Engine:
    if sqlite.sqlite_version_info < SAFE_SQLITE:
        raise UnsafeDatabase(f"SQLite {sqlite.sqlite_version} can corrupt its log; 3.51.3 or later is needed")
    engine = create_engine(url, module=sqlite, connect_args={"isolation_level": None, "timeout": LOCK_SECONDS})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: object) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-16000"):
            connection.execute(f"PRAGMA {pragma}")

    # The library would work out the text of every savepoint anew, and each unit of work has one.
    dialect: Any = engine.dialect
    dialect.do_savepoint = _saying("SAVEPOINT")
    dialect.do_release_savepoint = _saying("RELEASE SAVEPOINT")
    dialect.do_rollback_to_savepoint = _saying("ROLLBACK TO SAVEPOINT")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A deferred transaction that turns into a write fails at once when another writer came first.
        options = connection.get_execution_options()
        if "glance" not in options:  # one statement sees one state by itself
            connection.exec_driver_sql("BEGIN IMMEDIATE" if "write" in options else "BEGIN")

    return engine


def _saying(words: str) -> Callable[[Connection, str], None]:
    def say(connection: Connection, name: str) -> None:
        raw = connection.connection.dbapi_connection
        assert raw is not None
        cursor = raw.cursor()
        try:
            cursor.execute(f"{words} {name}")
        finally:
            cursor.close()

    return say
