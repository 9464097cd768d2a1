"""The change feed: what each space holds and its version, raised as the last statement of every transaction."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, NamedTuple, Protocol, runtime_checkable

import orjson
from sqlalchemy import BigInteger, Index, String, Text, event, func, select, text, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.bulk import FEW, MANY, write_rows
from server.clock import now
from server.db import Database, Id, Model, new_id


class Space(Model):
    """A set of rows that the same people may see; `version` rises by one with each change in it."""

    __tablename__ = "space"
    id: Mapped[str] = mapped_column(String(160), primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, default=0)
    min_version: Mapped[int] = mapped_column(BigInteger, default=0)
    changed_at: Mapped[datetime] = mapped_column(index=True)


class Change(Model):
    """The latest state of one entity in one space, ready to send; it moves forward as the entity changes."""

    __tablename__ = "change"
    space: Mapped[str] = mapped_column(String(160), primary_key=True)
    type: Mapped[str] = mapped_column(String(40), primary_key=True)
    entity: Mapped[Id] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    document: Mapped[str | None] = mapped_column(Text)
    __table_args__ = (Index("uq_change_space_version", "space", "version", unique=True), Index(None, "type", "entity"))


class Epoch(Model):
    """Which life of the database this is; a restored backup gets a new one."""

    __tablename__ = "epoch"
    id: Mapped[Id] = mapped_column(primary_key=True)


@runtime_checkable
class Synced(Protocol):
    """Something phones keep: it names its type, id, spaces, and what each space may see of it."""

    @property
    def synced_type(self) -> str: ...

    @property
    def id(self) -> str: ...

    def spaces(self, session: Session) -> Iterable[str]: ...

    def document(self, session: Session, space: str) -> dict[str, Any] | None: ...


class Written(NamedTuple):
    """A row written past the mapper, with its text for all its spaces already made; it has never been in others."""

    synced_type: str
    id: str
    places: tuple[str, ...]
    text: str
    keeps_its_spaces: bool = True

    def spaces(self, session: Session) -> Iterable[str]:
        """Where it is seen."""
        return self.places

    def document(self, session: Session, space: str) -> dict[str, Any]:
        """The row as phones keep it."""
        found: dict[str, Any] = orjson.loads(self.text)
        return found


def touch(session: Session, *things: Synced) -> None:
    """Say that these changed although none of their own columns did."""
    session.info.setdefault("touched", {}).update({(thing.synced_type, thing.id): thing for thing in things})


def attach(database: Database) -> None:
    """Let every unit of work of this database end by raising the feed."""
    database.finishers.append(publish)


@event.listens_for(Session, "before_flush")
def _collect(session: Session, context: object, instances: object) -> None:
    for thing in session.new:
        if isinstance(thing, Model) and hasattr(thing, "synced_type"):
            touch(session, thing)  # type: ignore[arg-type]
            session.info.setdefault("fresh", set()).add((thing.synced_type, thing.id))  # type: ignore[attr-defined]
    for thing in session.dirty:
        # A parent is dirty when a child is added; that alone does not change what phones see of it.
        if hasattr(thing, "synced_type") and session.is_modified(thing, include_collections=False):
            touch(session, thing)


def publish(session: Session) -> None:
    """Write what changed into its spaces and raise their versions, spaces in sorted order."""
    session.flush()
    touched: dict[tuple[str, str], Synced] = session.info.pop("touched", {})
    if not touched:
        return
    # What this unit made stands in no space yet, and some things never move: that saves most of the look-ups.
    fresh: set[tuple[str, str]] = session.info.pop("fresh", set())
    left = _left(
        session,
        [key for key, thing in touched.items() if key not in fresh and not getattr(thing, "keeps_its_spaces", False)],
    )
    by_space: dict[str, list[tuple[tuple[str, str], bool]]] = {}
    for key, thing in touched.items():
        wanted = set(thing.spaces(session))
        for space in wanted:
            by_space.setdefault(space, []).append((key, True))
        for space in left.get(key, set()) - wanted:
            by_space.setdefault(space, []).append((key, False))
    versions = _raise(session, {space: len(keys) for space, keys in by_space.items()})
    texts = _texts(session, touched)
    table = Change.__table__
    new = _insert(session)(table)
    moving = new.on_conflict_do_update(
        index_elements=[table.c.space, table.c.type, table.c.entity],
        set_={"version": new.excluded.version, "document": new.excluded.document},
    )
    names, rows = ("space", "type", "entity", "version", "document"), []
    for space, keys in sorted(by_space.items()):
        version = versions[space] - len(keys)
        for key, seen in keys:
            version += 1
            rows.append((space, *key, version, texts(key, space) if seen else None))
        if len(rows) >= MANY:
            write_rows(session, moving, names, rows)
            rows = []
    write_rows(session, moving, names, rows)
    session.info.setdefault("raised", {}).update(versions)
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_notify("tocsin", ",".join(versions)[:7000])))


def _texts(session: Session, touched: dict[tuple[str, str], Synced]) -> Callable[[tuple[str, str], str], str | None]:
    """A function that gives an entity's document for a space as text, worked out once where all spaces see the same."""
    made: dict[tuple[str, str], str | None] = {
        key: thing.text for key, thing in touched.items() if isinstance(thing, Written)
    }

    def text(key: tuple[str, str], space: str) -> str | None:
        if key in made:
            return made[key]
        thing = touched[key]
        seen = thing.document(session, space)
        body = orjson.dumps(seen).decode() if seen is not None else None
        if not getattr(thing, "differs_by_space", False):
            made[key] = body
        return body

    return text


def _left(session: Session, keys: list[tuple[str, str]]) -> dict[tuple[str, str], set[str]]:
    """The spaces in which these stand already."""
    found: dict[tuple[str, str], set[str]] = {}
    for start in range(0, len(keys), 200):
        part = keys[start : start + 200]
        query = select(Change.type, Change.entity, Change.space).where(tuple_(Change.type, Change.entity).in_(part))
        for row in session.execute(query):
            found.setdefault((row.type, row.entity), set()).add(row.space)
    return found


def _insert(session: Session) -> Any:
    return postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert


def _raise(session: Session, by: dict[str, int]) -> dict[str, int]:
    """Raise the versions of these spaces under their row locks, taken in sorted order, and return them."""
    at = now()
    table = Space.__table__
    new = _insert(session)(table)
    raising = new.on_conflict_do_update(
        index_elements=[table.c.id],
        set_={"version": table.c.version + new.excluded.version, "changed_at": new.excluded.changed_at},
    )
    names, rows = ("id", "version", "min_version", "changed_at"), [(id, by[id], 0, at) for id in sorted(by)]
    if len(rows) > FEW:
        write_rows(session, raising, names, rows)
        just_now = select(Space.id, Space.version).where(Space.changed_at == at)  # one look instead of one for each 400
        return {row.id: row.version for row in session.execute(just_now) if row.id in by}
    found = session.connection().execute(
        raising.returning(table.c.id, table.c.version), [dict(zip(names, row, strict=True)) for row in rows]
    )
    return {row.id: row.version for row in found}


def epoch(session: Session) -> str:
    """The id of this life of the database, made on first use inside a unit of work."""
    newest = select(Epoch.id).order_by(Epoch.id.desc()).limit(1)
    found = session.scalar(newest)
    if found is None and session.get_bind().dialect.name == "postgresql":
        # Two processes that start together on a fresh database must not each make one.
        session.execute(text("LOCK TABLE epoch IN SHARE ROW EXCLUSIVE MODE"))
        found = session.scalar(newest)
    return found or begin_epoch(session)


def begin_epoch(session: Session) -> str:
    """Begin another life of the database, as after a restored backup, and return its id."""
    epoch = Epoch(id=new_id())
    session.add(epoch)
    session.flush()
    return epoch.id


def versions(session: Session, spaces: Iterable[str]) -> dict[str, tuple[int, int]]:
    """The (version, min_version) of each of these spaces; (0, 0) for one that holds nothing yet."""
    wanted = list(spaces)
    found = dict.fromkeys(wanted, (0, 0))
    for start in range(0, len(wanted), 400):
        query = select(Space.id, Space.version, Space.min_version).where(Space.id.in_(wanted[start : start + 400]))
        found.update({row.id: (row.version, row.min_version) for row in session.execute(query)})
    return found


def page(session: Session, space: str, after: int, upto: int, limit: int) -> list[tuple[str, str, int, str | None]]:
    """Up to `limit` changes of a space with after < version <= upto as (type, id, version, document text or None)."""
    query = (
        select(Change.type, Change.entity, Change.version, Change.document)
        .where(Change.space == space, Change.version > after, Change.version <= upto)
        .order_by(Change.version)
        .limit(limit)
    )
    return [(row.type, row.entity, row.version, row.document) for row in session.execute(query)]


def changed_since(session: Session, at: datetime) -> dict[str, int]:
    """The spaces changed at or after a moment with their versions."""
    query = select(Space.id, Space.version).where(Space.changed_at >= at)
    return {row.id: row.version for row in session.execute(query)}
