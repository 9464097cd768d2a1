"""Many rows written by one statement, past the mapper: what an alert to thousands of people needs in one transaction."""

import time
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Insert, Update
from sqlalchemy.orm import Session

FEW = 32
"""Up to so many rows the mapper's own way is as quick, since it keeps its statements compiled."""
MANY = 1000
"""Rows written in one go."""
MOST_VALUES = 2000
"""Values given to one statement on SQLite."""


def write_rows(
    session: Session, statement: Insert | Update, names: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Run an INSERT or UPDATE once for each row; `names` are the columns or bound names that each row gives, in order."""
    if len(rows) <= FEW:
        if rows:
            session.connection().execute(statement, [dict(zip(names, row, strict=True)) for row in rows])
        return
    if len(rows) > MANY:
        for start in range(0, len(rows), MANY):
            write_rows(session, statement, names, rows[start : start + MANY])
        return
    time.sleep(0)  # lets the other requests of this process have their turn
    connection = session.connection()
    dialect = connection.dialect
    compiled = statement.compile(dialect=dialect, column_keys=list(names))
    columns = [
        _converted([row[at] for row in rows], compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect))
        for at, name in enumerate(names)
    ]
    if compiled.positional:
        order = [names.index(name) for name in compiled.positiontup or ()]
        given = list(zip(*(columns[at] for at in order), strict=True))
        one = f"({', '.join('?' * len(names))})"
        if isinstance(statement, Insert) and str(compiled).count(f" VALUES {one}") == 1:
            # One step for many rows: the driver lets other threads in at each, and is slow to have its turn again.
            step = MOST_VALUES // len(names)
            for start in range(0, len(given), step):
                part = given[start : start + step]
                text = str(compiled).replace(f" VALUES {one}", f" VALUES {', '.join([one] * len(part))}")
                connection.exec_driver_sql(text, tuple(chain.from_iterable(part)))
            return
        connection.exec_driver_sql(str(compiled), given)
    else:
        made = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        connection.exec_driver_sql(str(compiled), made)


def _converted(values: list[Any], convert: Callable[[Any], Any] | None) -> list[Any]:
    """A column's values as its driver takes them; what all rows share is converted once."""
    if convert is None:
        return values
    first = values[0]
    if all(value is first for value in values):
        return [convert(first)] * len(values)
    return list(map(convert, values))
