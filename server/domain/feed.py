"""The change feed: what each space holds and its version, raised as the last statement of every transaction."""

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol, runtime_checkable

import orjson
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    bindparam,
    case,
    cast,
    event,
    func,
    literal,
    select,
    text,
    true,
    tuple_,
    type_coerce,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.bulk import Given, as_rows, parts
from server.clock import now
from server.db import Database, Id, Model, new_id
from server.statements import Statement

FEW = 32
"""Up to so many things are looked up one by one, by a statement that is ready."""
ROW, WHO = f"~{secrets.token_hex(8)}~", f"~{secrets.token_hex(8)}~"  # stand in no text anybody wrote


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


def add(session: Session, thing: Synced) -> None:
    """Say that this was written by a statement of its own and stands in no space yet."""
    touch(session, thing)
    session.info.setdefault("fresh", set()).add((thing.synced_type, thing.id))


class Entered(NamedTuple):
    """Rows of one type written past the mapper as (space, id, person), whose documents differ in these two ids only."""

    synced_type: str
    document: str
    rows: Sequence[tuple[str, str, str]]


def enter(session: Session, synced_type: str, document: str, rows: Sequence[tuple[str, str, str]]) -> None:
    """Put rows just written past the mapper into spaces they have never been in, as (space, id, person).

    `document` is the text of all of them, with ROW and WHO where the two ids of each stand. What else this commit says of
    the same row in the same space is later, and counts instead.
    """
    session.info.setdefault("entered", []).append(Entered(synced_type, document, rows))


def attach(database: Database) -> None:
    """Let every unit of work of this database end by raising the feed."""
    database.gatherers.append(gather)
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


def gather(session: Session) -> None:
    """Turn what this unit touched into texts by space, while the objects still have their session."""
    session.flush()
    touched: dict[tuple[str, str], Synced] = session.info.pop("touched", {})
    if touched:
        told = session.info.setdefault("told", {})
        fresh: set[tuple[str, str]] = session.info.setdefault("fresh", set())
        for key, thing in touched.items():
            # What is counted over many rows is counted once, when all units of a commit have run.
            told[key] = thing if getattr(thing, "counted", False) else _texts(session, thing)
            if getattr(thing, "keeps_its_spaces", False):
                fresh.add(key)


def publish(session: Session) -> None:
    """Write what changed into its spaces and raise their versions, spaces in sorted order."""
    gather(session)
    told: dict[tuple[str, str], Any] = session.info.pop("told", {})
    # What these units made stands in no space yet, and some things never move: that saves most of the look-ups.
    fresh: set[tuple[str, str]] = session.info.pop("fresh", set())
    entered: list[Entered] = session.info.pop("entered", [])
    for key, thing in told.items():
        if not isinstance(thing, dict):
            told[key] = _texts(session, thing)
    by_space: dict[str, dict[tuple[str, str], str | None]] = {}
    for space, type_, id in _present(session, [key for key in told if key not in fresh]):
        by_space.setdefault(space, {})[type_, id] = None  # gone from there unless it is told below
    for key, texts in told.items():
        for space, body in texts.items():
            by_space.setdefault(space, {})[key] = body
    # Each change has its place among those of its space: what was entered comes before what is told of the same row.
    counted: dict[str, int] = {}
    first = [(one, [(*row, _place(counted, row[0])) for row in one.rows]) for one in entered]
    then = [
        (space, type_, id, body, _place(counted, space))
        for space in by_space
        for (type_, id), body in by_space[space].items()
    ]
    if not counted:
        return
    spaces = sorted(counted)
    _RAISE.run(session, rows=as_rows([(space, counted[space]) for space in spaces]), at=now())
    for one, rows in first:
        given = as_rows([(space, id, who, counted[space] - place) for space, id, who, place in rows])
        _ENTER.run(session, rows=given, type=one.synced_type, document=one.document)
    if then:
        given = as_rows([(space, type_, id, body, counted[space] - place) for space, type_, id, body, place in then])
        _WRITE.run(session, rows=given)
    if session.connection().dialect.name == "postgresql":
        session.connection().execute(select(func.pg_notify("tocsin", ",".join(spaces)[:7000])))


def _place(counted: dict[str, int], space: str) -> int:
    counted[space] = place = counted.get(space, 0) + 1
    return place


def _texts(session: Session, thing: Synced) -> dict[str, str | None]:
    """A thing's document as text for each of its spaces, worked out once where all of them see the same."""
    if isinstance(thing, Written):
        return dict.fromkeys(thing.places, thing.text)
    found: dict[str, str | None] = {}
    body: str | None = None
    for number, space in enumerate(thing.spaces(session)):
        if number == 0 or getattr(thing, "differs_by_space", False):
            seen = thing.document(session, space)
            body = orjson.dumps(seen).decode() if seen is not None else None
        found[space] = body
    return found


def _present(session: Session, keys: list[tuple[str, str]]) -> Iterator[tuple[str, str, str]]:
    """Where these stand now, as (space, type, id)."""
    if len(keys) <= FEW:
        for type_, id in keys:
            for row in _PLACES.rows(session, type=type_, entity=id):
                yield row.space, type_, id
        return
    for start in range(0, len(keys), 200):
        for row in session.connection().execute(_PRESENT, {"keys": keys[start : start + 200]}):
            yield row.space, row.type, row.entity


_GIVEN = Given()


def _raising(insert: Any) -> Any:
    """Raises versions under the spaces' row locks, taken in the order given: rows of (space, by how much)."""
    new = insert(Space.__table__)
    added = select(_GIVEN.text(0), _GIVEN.number(1), literal(0), bindparam("at", type_=Space.changed_at.type))
    raised = {"version": Space.version + new.excluded.version, "changed_at": new.excluded.changed_at}
    return new.from_select(
        ["id", "version", "min_version", "changed_at"], added.select_from(_GIVEN.source).where(true())
    ).on_conflict_do_update(index_elements=["id"], set_=raised)


def _writing(insert: Any, type_: Any, entity: Any, document: Any, below: Any) -> Any:
    """Writes changes into the spaces of the given rows, each so far below the version its space has just been raised to."""
    new = insert(Change.__table__)
    placed = select(Space.id, type_, entity, Space.version - below, document).select_from(
        _GIVEN.source.join(Space, Space.id == _GIVEN.text(0))
    )
    moved = {"version": new.excluded.version, "document": new.excluded.document}
    return new.from_select(
        ["space", "type", "entity", "version", "document"], placed.where(true())
    ).on_conflict_do_update(index_elements=["space", "type", "entity"], set_=moved)


def _entering(insert: Any) -> Any:
    shape = bindparam("document", type_=Text)
    seen = func.replace(func.replace(shape, ROW, _GIVEN.text(1)), WHO, _GIVEN.text(2))
    return _writing(insert, bindparam("type", type_=String), _GIVEN.id(1), seen, _GIVEN.number(3))


# Worked out once: they run in every unit of work.
_PRESENT = select(Change.space, Change.type, Change.entity).where(
    tuple_(Change.type, Change.entity).in_(bindparam("keys", expanding=True))
)
_PLACES = Statement(select(Change.space).where(Change.type == bindparam("type"), Change.entity == bindparam("entity")))
_INSERTS = (sqlite.insert, postgresql.insert)
_RAISE = Statement(*map(_raising, _INSERTS))
_ENTER = Statement(*map(_entering, _INSERTS))
_WRITE = Statement(
    *(_writing(insert, _GIVEN.text(1), _GIVEN.id(2), _GIVEN.text(3), _GIVEN.number(4)) for insert in _INSERTS)
)


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
    for some in parts(wanted):
        for row in session.connection().execute(_VERSIONS, {"spaces": some}):
            found[row.id] = (row.version, row.min_version)
    return found


class Page(NamedTuple):
    """So many changes of a space up to a version, ready to send: JSON objects joined by commas, in UTF-8."""

    rows: int
    upto: int
    text: bytes


def page(session: Session, space: str, after: int, upto: int, limit: int) -> Page:
    """Up to `limit` changes of a space with after < version <= upto, as `{"type","id","version","op","doc"}`.

    What is gone is left out for who starts from 0. The database joins the texts: row by row it would take twice as long.
    """
    found = _PAGE.first(session, space=space, after=after, upto=upto, most=limit)
    text = found.text or b""
    return Page(found.rows, found.upto or after, text.encode() if isinstance(text, str) else text)


def _row_as_text(row: Any, after: Any, id: Sequence[Any]) -> ColumnElement[str]:
    """A change as a phone reads it; NULL for one that is gone and was never there for who starts from 0."""
    head = f'{{"type":"%s","id":"{"-".join("%s" for _ in id)}","version":%s,"op":'
    put = func.format(head + '"put","doc":%s}', row.type, *id, row.version, row.document)
    return case((row.document.is_not(None), put), (after > 0, func.format(head + '"del"}', row.type, *id, row.version)))


def _with_dashes(entity: Any) -> list[Any]:
    digits = type_coerce(entity, Text)  # 32 of them, where the database has no type for ids
    return [func.substr(digits, start, length) for start, length in ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))]


def _bytes_of_all(*arguments: Any, type_: Any) -> ColumnElement[bytes]:
    return cast(func.group_concat(*arguments), LargeBinary)  # or they would be made a Python text, and bytes again


def _paging(joined: Any, id: Callable[[Any], list[Any]]) -> Any:
    after = bindparam("after", type_=BigInteger)
    rows = (
        select(Change.type, Change.entity, Change.version, Change.document)
        .where(Change.space == bindparam("space"), Change.version > after, Change.version <= bindparam("upto"))
        .order_by(Change.version)
        .limit(bindparam("most", type_=Integer))
        .subquery()
    )
    text = joined(_row_as_text(rows.c, after, id(rows.c.entity)), ",", type_=Text)
    return select(func.count().label("rows"), func.max(rows.c.version).label("upto"), text.label("text")).select_from(
        rows
    )


# Worked out once: they run at every pull.
_VERSIONS = select(Space.id, Space.version, Space.min_version).where(Space.id.in_(bindparam("spaces", expanding=True)))
_PAGE = Statement(_paging(_bytes_of_all, _with_dashes), _paging(func.string_agg, lambda entity: [cast(entity, Text)]))


def changed_since(session: Session, at: datetime) -> dict[str, int]:
    """The spaces changed at or after a moment with their versions."""
    query = select(Space.id, Space.version).where(Space.changed_at >= at)
    return {row.id: row.version for row in session.execute(query)}
