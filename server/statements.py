"""Statements that run with every fact: compiled once and handed to the driver past SQLAlchemy's own machinery for each run."""

from collections import namedtuple
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Delete, Dialect, Insert, Select, Update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

Convert = Callable[[Any], Any] | None
Words = Select[*tuple[Any, ...]] | Insert | Update | Delete


class Statement:
    """A statement whose every value is a named bound one or a constant; rows come as tuples with the columns' names.

    `postgresql` is what says the same there, where that takes other words. Its errors are SQLAlchemy's. What the session still holds unwritten it does not see, as with `session.connection()`.
    """

    def __init__(self, statement: Words, postgresql: Words | None = None) -> None:
        self._statement, self._postgresql = statement, postgresql
        self._forms: dict[str, _Form] = {}

    def rows(self, session: Session, **values: Any) -> list[Any]:
        """Every row it finds or returns."""
        return self.rows_of(session.connection(), values)

    def first(self, session: Session, **values: Any) -> Any:
        """The first row it finds, or None."""
        found = self.rows_of(session.connection(), values)
        return found[0] if found else None

    def rows_of(self, connection: Connection, values: dict[str, Any]) -> list[Any]:
        """Every row it finds or returns on this connection."""
        form = self._form(connection.dialect)
        return form.rows(form.run(connection, form.bound(values)))

    def run(self, session: Session, **values: Any) -> int:
        """Run it and return how many rows it hit."""
        connection = session.connection()
        form = self._form(connection.dialect)
        cursor = form.run(connection, form.bound(values))
        try:
            return int(cursor.rowcount)
        finally:
            cursor.close()

    def run_each(self, session: Session, rows: Sequence[dict[str, Any]]) -> None:
        """Run it once for each of these."""
        if rows:
            connection = session.connection()
            form = self._form(connection.dialect)
            form.run(connection, [form.bound(values) for values in rows], many=True).close()

    def _form(self, dialect: Dialect) -> "_Form":
        form = self._forms.get(dialect.name)
        if form is None:
            other = self._postgresql if dialect.name == "postgresql" else None
            form = self._forms[dialect.name] = _Form(self._statement if other is None else other, dialect)
        return form


class _Form:
    """A statement in one database's words."""

    def __init__(self, statement: Any, dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)
        assert not compiled.post_compile_params, "a list of values has no fixed text"
        self.dialect, self.text = dialect, str(compiled)
        self.positional: bool = compiled.positional
        names = list(compiled.positiontup) if self.positional else list(compiled.binds)
        self.values: list[tuple[str, Convert, Any]] = []
        for name in names:
            bind = compiled.binds[name]
            convert = bind.type.dialect_impl(dialect).bind_processor(dialect)
            constant = None if bind.required or bind.value is None else convert(bind.value) if convert else bind.value
            self.values.append((name, convert, constant))
        columns = [(column.key, column.type) for column in statement.exported_columns]
        self.row = namedtuple("Row", [name for name, _ in columns], rename=True)  # type: ignore[misc]
        converts = [type_.dialect_impl(dialect).result_processor(dialect, None) for _, type_ in columns]
        self.read = [(place, convert) for place, convert in enumerate(converts) if convert is not None]

    def bound(self, values: dict[str, Any]) -> Any:
        """The values as the driver takes them."""
        given = [
            constant if constant is not None else convert(values[name]) if convert is not None else values[name]
            for name, convert, constant in self.values
        ]
        return given if self.positional else dict(zip((name for name, _, _ in self.values), given, strict=True))

    def run(self, connection: Connection, values: Any, *, many: bool = False) -> Any:
        """A cursor that has run the statement."""
        raw: Any = connection.connection.dbapi_connection
        cursor = raw.cursor()
        try:
            (cursor.executemany if many else cursor.execute)(self.text, values)
        except self.dialect.loaded_dbapi.Error as error:
            gone = self.dialect.is_disconnect(error, raw, cursor)
            if gone:
                connection.invalidate(error)
            raise DBAPIError.instance(
                self.text, None, error, self.dialect.loaded_dbapi.Error, connection_invalidated=gone, dialect=self.dialect,
            ) from error  # fmt: skip
        return cursor

    def rows(self, cursor: Any) -> list[Any]:
        """What the cursor has found, converted where a column is."""
        try:
            found = cursor.fetchall()
        finally:
            cursor.close()
        if self.read:
            found = [self._converted(row) for row in found]
        return list(map(self.row._make, found))  # type: ignore[attr-defined]

    def _converted(self, row: Sequence[Any]) -> list[Any]:
        values = list(row)
        for place, convert in self.read:
            values[place] = convert(values[place])
        return values
