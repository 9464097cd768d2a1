"""The session of a unit of work."""

from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, inspect, select
from sqlalchemy.orm import Mapper, Session, SessionTransaction


class Unit(Session):
    """A session that looks rows up by their id with statements worked out once, and keeps its connection at hand.

    On a connection that is lent to it, with its transaction, it begins none of its own until something asks for objects.
    """

    _at: tuple[SessionTransaction, Connection] | None = None

    def connection(self, *arguments: Any, **options: Any) -> Connection:
        """The connection of the transaction or savepoint that this is in, as SQLAlchemy's own; asked for at every statement."""
        if arguments or options:
            return super().connection(*arguments, **options)
        # Within a savepoint not: one that nothing has used yet is begun only here, and would not undo what runs before that.
        if isinstance(self.bind, Connection) and self.get_nested_transaction() is None:
            return self.bind
        inside = self.get_nested_transaction() or self.get_transaction()
        if self._at is not None and self._at[0] is inside and inside.is_active:
            return self._at[1]
        found = super().connection()
        inside = self.get_nested_transaction() or self.get_transaction()
        self._at = (inside, found) if inside is not None else None
        return found

    def get(self, entity: Any, ident: Any, **options: Any) -> Any:
        """The row with this primary key, or None, as SQLAlchemy's own."""
        if not options and isinstance(ident, str):
            statement, mapper = _looking_up(entity)
            if mapper.identity_key_from_primary_key((ident,)) not in self.identity_map:
                return self.scalars(statement, {"key": ident}).first()
        return super().get(entity, ident, **options)


@cache
def _looking_up(entity: Any) -> tuple[Select[Any], Mapper[Any]]:
    mapper: Mapper[Any] = inspect(entity)
    (key,) = mapper.primary_key
    return select(entity).where(key == bindparam("key", type_=key.type)), mapper
