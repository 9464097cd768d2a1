"""Many rows given to one statement as one JSON text: the database takes them apart, Python binds and fetches none by itself."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from sqlalchemy import BigInteger, ColumnElement, Select, Text, bindparam, cast, func, literal_column, select
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from server.db import IdText, Instant


def as_rows(rows: Sequence[Sequence[Any]]) -> str:
    """Rows as the value that a statement with `Given` takes: plain tuples or lists of texts, numbers, instants, arrays and None."""
    return orjson.dumps(rows, default=_INSTANT, option=orjson.OPT_PASSTHROUGH_DATETIME).decode()


def parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """These ids in groups that one statement takes as a list."""
    for start in range(0, len(ids), 400):
        yield ids[start : start + 400]


_INSTANT = Instant().bind_processor(DefaultDialect())


class Given:
    """Rows that a statement takes as its value `rows`, to be selected from `source` by the place of each column."""

    def __init__(self) -> None:
        self.source = _Elements(bindparam("rows", type_=Text)).table_valued("value", name="given")
        self._row: ColumnElement[Any] = self.source.c.value

    def text(self, place: int) -> ColumnElement[str]:
        """A column as text; the text of its JSON where it is an array or object itself."""
        return self._row.op("->>", return_type=Text())(literal_column(str(place)))

    def number(self, place: int) -> ColumnElement[int]:
        """A column as a whole number."""
        return cast(self.text(place), BigInteger)

    def id(self, place: int) -> ColumnElement[str]:
        """A column as an id, as the database keeps it."""
        return _AsId(self.text(place))

    def ids(self) -> Select[str]:
        """The first column of all rows, as ids to look for with `in_`."""
        return select(self.id(0)).select_from(self.source)


class _Elements(FunctionElement[Any]):
    """Every element of a JSON array as a row with one column, `value`."""

    inherit_cache = True


class _AsId(FunctionElement[str]):
    """A text with dashes as an id."""

    inherit_cache = True
    type = IdText()


@compiles(_Elements)
def _elements(element: _Elements, compiler: Any, **how: Any) -> str:
    return f"jsonb_each({compiler.process(element.clauses, **how)})"


@compiles(_Elements, "postgresql")
def _elements_postgresql(element: _Elements, compiler: Any, **how: Any) -> str:
    return f"jsonb_array_elements(CAST({compiler.process(element.clauses, **how)} AS JSONB))"


@compiles(_AsId)
def _as_id(element: _AsId, compiler: Any, **how: Any) -> str:
    return str(compiler.process(func.replace(*element.clauses, literal_column("'-'"), literal_column("''")), **how))


@compiles(_AsId, "postgresql")
def _as_id_postgresql(element: _AsId, compiler: Any, **how: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **how)} AS UUID)"
