"""Many rows written by one statement, past the mapper: what an alert to thousands of people needs in one transaction."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Dialect, Insert, Table, Update
from sqlalchemy.orm import Session

FEW = 32
"""Up to so many rows the mapper's own way is as quick, since it keeps its statements compiled."""


def write_rows(
    session: Session, statement: Insert | Update, table: Table, names: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Run an INSERT or UPDATE once for each row; `names` are the columns (or bound names) that each row gives, in order.

    A name that is no column of `table` is passed as it is.
    """
    if len(rows) <= FEW:
        if rows:
            session.connection().execute(statement, [dict(zip(names, row, strict=True)) for row in rows])
        return
    connection = session.connection()
    dialect = connection.dialect
    compiled = statement.compile(dialect=dialect, column_keys=list(names))
    columns = [_converted(table, name, [row[at] for row in rows], dialect) for at, name in enumerate(names)]
    if compiled.positional:
        order = [names.index(name) for name in compiled.positiontup or ()]
        connection.exec_driver_sql(str(compiled), list(zip(*(columns[at] for at in order), strict=True)))
    else:
        connection.exec_driver_sql(
            str(compiled), [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        )


def _converted(table: Table, name: str, values: list[Any], dialect: Dialect) -> list[Any]:
    """A column's values as its driver takes them; what repeats is converted once."""
    column = table.c.get(name)
    convert: Callable[[Any], Any] | None = None
    if column is not None:
        convert = column.type.dialect_impl(dialect).bind_processor(dialect)
    if convert is None:
        return values
    first = values[0]
    if all(value is first for value in values):
        return [convert(first)] * len(values)
    return list(map(convert, values))
