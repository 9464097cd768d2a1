"""The change feed: what each space holds and its version, raised as the last statement of every transaction."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

import orjson
from sqlalchemy import BigInteger, Index, String, Text, event, func, select, text, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

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
    wanted = {key: set(thing.spaces(session)) for key, thing in touched.items()}
    # What this unit made stands in no space yet: at a large alert that saves most of the look-ups.
    fresh: set[tuple[str, str]] = session.info.pop("fresh", set())
    known = [key for key in touched if key not in fresh]
    present = _present(session, known)
    by_space: dict[str, list[tuple[str, str]]] = {}
    for key in touched:
        for space in wanted[key] | {row.space for row in present.get(key, ())}:
            by_space.setdefault(space, []).append(key)
    versions = _raise(session, {space: len(keys) for space, keys in by_space.items()})
    rows = {
        (row.space, row.type, row.entity): row for row in (r for rs in _present(session, known).values() for r in rs)
    }
    texts = _texts(session, touched)
    added = []
    for space, keys in sorted(by_space.items()):
        version = versions[space] - len(keys)
        for key in keys:
            version += 1
            body = texts(key, space) if space in wanted[key] else None
            row = rows.get((space, *key))
            if row is None:
                added.append({"space": space, "type": key[0], "entity": key[1], "version": version, "document": body})
            else:
                row.version, row.document = version, body
    if added:
        session.execute(Change.__table__.insert(), added)  # type: ignore[attr-defined]
    session.info.setdefault("raised", {}).update(versions)
    session.flush()
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_notify("tocsin", ",".join(versions)[:7000])))


def _texts(session: Session, touched: dict[tuple[str, str], Synced]) -> Callable[[tuple[str, str], str], str | None]:
    """A function that gives an entity's document for a space as text, worked out once where all spaces see the same."""
    made: dict[tuple[str, str], str | None] = {}

    def text(key: tuple[str, str], space: str) -> str | None:
        thing = touched[key]
        if key in made and not getattr(thing, "differs_by_space", False):
            return made[key]
        seen = thing.document(session, space)
        made[key] = orjson.dumps(seen).decode() if seen is not None else None
        return made[key]

    return text


def _present(session: Session, keys: list[tuple[str, str]]) -> dict[tuple[str, str], list[Change]]:
    found: dict[tuple[str, str], list[Change]] = {}
    for start in range(0, len(keys), 200):
        part = keys[start : start + 200]
        query = (
            select(Change).where(tuple_(Change.type, Change.entity).in_(part)).execution_options(populate_existing=True)
        )
        for row in session.scalars(query):
            found.setdefault((row.type, row.entity), []).append(row)
    return found


def _raise(session: Session, by: dict[str, int]) -> dict[str, int]:
    """Raise the versions of these spaces under their row locks, taken in sorted order, and return them."""
    at = now()
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    new = insert(Space)
    statement = new.on_conflict_do_update(
        index_elements=[Space.id], set_={"version": Space.version + new.excluded.version, "changed_at": at}
    ).returning(Space.id, Space.version)
    rows = [{"id": space, "version": count, "min_version": 0, "changed_at": at} for space, count in sorted(by.items())]
    found = session.execute(statement.execution_options(populate_existing=True), rows)
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
