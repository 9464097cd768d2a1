"""Copies of the database: a backup that knows it is one, and the move to another database."""

from pathlib import Path

import pysqlite3.dbapi2 as sqlite
from sqlalchemy import delete, func, insert, select

from server.db import Database, Model
from server.domain.feed import Epoch

ROWS_AT_ONCE = 500


class NotPossible(RuntimeError):
    """This copy cannot be made; the text says why."""


def back_up(database: Database, target: Path) -> None:
    """Copy a running SQLite database into a new file, whole and consistent, while others go on writing.

    The copy carries no epoch: whoever starts on it begins a new one, and phones offer again what it has not seen.
    Raises NotPossible for another database or when the file exists.
    """
    if not database.is_sqlite:
        raise NotPossible("PostgreSQL is backed up by pg_dump --exclude-table-data=epoch")
    if target.exists():
        raise NotPossible(f"{target} exists already")
    fresh = target.with_name(f"{target.name}.new")
    fresh.unlink(missing_ok=True)
    source = sqlite.connect(str(database.engine.url.database))
    copy = sqlite.connect(str(fresh), isolation_level=None)
    try:
        source.backup(copy, pages=-1)
        copy.execute(str(delete(Epoch)))
        said = copy.execute("PRAGMA integrity_check").fetchone()[0]
        copy.execute("PRAGMA journal_mode=DELETE")
    finally:
        source.close()
        copy.close()
    if said != "ok":
        raise NotPossible(f"the copy is damaged: {said}")
    fresh.chmod(0o600)
    fresh.replace(target)


def move(source: Database, target: Database) -> int:
    """Copy every row into another database that has the tables and no rows, epoch and versions included; returns how many.

    Phones go on with the cursors they have. Nothing may write to the source meanwhile. Raises NotPossible when the target
    holds rows.
    """
    tables = Model.metadata.sorted_tables
    copied = 0
    with source.exclusive() as reading, target.exclusive() as writing:
        for table in tables:
            if writing.scalar(select(func.count()).select_from(table)):
                raise NotPossible(f"the table {table.name} of the new database holds rows")
        for table in tables:
            # Rows that name others of their table (places, their parents) were made after them, and ids rise with time.
            rows = reading.execute(select(table).order_by(*table.primary_key.columns)).mappings().all()
            for start in range(0, len(rows), ROWS_AT_ONCE):
                writing.execute(insert(table), [dict(row) for row in rows[start : start + ROWS_AT_ONCE]])
            copied += len(rows)
    return copied
