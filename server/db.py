"""The database: column types, ids and the unit of work that every change runs in."""

import os
import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

import orjson
import uuid_utils
from sqlalchemy import (
    BigInteger,
    Connection,
    CursorResult,
    Dialect,
    MetaData,
    Text,
    UpdateBase,
    Uuid,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Session, mapped_column
from sqlalchemy.types import TypeDecorator

from server.engines import LOCK_SECONDS, open_engine
from server.locks import locked_file
from server.statements import Statement
from server.trust import Trust
from server.turns import Ticket, Turns
from server.unchanged import Unchanged
from server.units import Unit

LEAST_WAIT = 1.0
T = TypeVar("T")
M = TypeVar("M", bound="Model")
os.register_at_fork(after_in_child=uuid_utils.reseed_rng)  # two copies of one process must not make the same ids
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


class Overloaded(RuntimeError):
    """The database could not take this in time, or went away meanwhile; nothing is known to be done."""


class StorageFull(RuntimeError):
    """There is no room for this on the disk."""


class _Unfinished(RuntimeError): ...  # what several units left cannot be finished together


class Instant(TypeDecorator[datetime]):
    """An aware datetime kept as whole microseconds since 1970 in UTC, the same in every database."""

    impl = BigInteger
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], int | None]:
        """Straight, not through the wrapper around a column type's own: several times in every fact."""
        return _as_number

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[int | None], datetime | None]:
        """The same the other way."""
        return _as_instant


def _as_number(value: datetime | None) -> int | None:
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return (value - _EPOCH) // _MICROSECOND


def _as_instant(value: int | None) -> datetime | None:
    return None if value is None else _EPOCH + timedelta(microseconds=value)


class Json(TypeDecorator[Any]):
    """A small JSON value kept as text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else orjson.dumps(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else orjson.loads(value)


class IdText(Uuid[str]):
    """The column type of ids; where the database keeps 32 digits, only the dashes are put back."""

    cache_ok = True

    def __init__(self) -> None:
        super().__init__(as_uuid=False)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        """SQLAlchemy's own parses every id into a number and writes it out again."""
        if dialect.supports_native_uuid:
            return None
        return _with_dashes


def _with_dashes(digits: str | None) -> str | None:
    if digits is None:
        return None
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


Id = Annotated[str, mapped_column(IdText())]
Key = Annotated[str, mapped_column(IdText(), primary_key=True)]


class Model(DeclarativeBase):
    """The root of every table."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: Instant, dict[str, Any]: Json, list[Any]: Json, Any: Json, str: Text}


def new_id() -> str:
    """A fresh UUIDv7 as lower-case text with dashes."""
    return str(uuid_utils.uuid7())


def named_id(owner: str, name: str) -> str:
    """The id of what follows from something else and from nothing more: the same whenever it is made anew.

    Orders, alerts and checklist items of a plan have such ids, so that what a phone says of them still fits after a backup
    from before them was restored.
    """
    return str(uuid_utils.uuid5(uuid_utils.UUID(owner), name))


class Database:
    """An open database with its unit of work.

    `gatherers` run at the end of every unit and turn what it left into plain data. `finishers` run once before the commit,
    in order, on what all units of it left: the timeline is sealed, then the feed raised.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = open_engine(url)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self.gatherers: list[Callable[[Session], None]] = []
        self.finishers: list[Callable[[Session], None]] = []
        self._writing = self.engine.execution_options(write=True)
        self._glancing = self.engine.execution_options(glance=True)
        self._turns = Turns()
        database = self.engine.url.database
        path = Path(database) if self.is_sqlite and database and database != ":memory:" else None
        self._lock_path = path.with_name(f"{path.name}.lock") if path else None
        self._unchanged = Unchanged(self.engine) if path else None
        self._trust = Trust(path)

    def kept(self) -> dict[Any, Any] | None:
        """What was read since the last commit of anybody, to be added to; None where the database cannot tell of commits."""
        self._trust.holds()
        return self._unchanged.kept() if self._unchanged is not None else None

    def rows(self, statement: Statement, **values: Any) -> list[Any]:
        """What one reading statement finds, without the cost of a session and a transaction."""
        kept, key = self.kept(), (statement, *values.values())
        found: list[Any] | None = None if kept is None else kept.get(key)
        if found is None and self._unchanged is not None and kept is not None:
            found = kept[key] = self._unchanged.rows(statement, values)
        elif found is None:
            with self._glancing.connect() as connection:
                found = statement.rows_of(connection, values)
        return found

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for reading; whatever it holds is rolled back at the end."""
        with Unit(self.engine, expire_on_commit=False) as session:
            yield session

    def write(self, unit: Callable[[Session], T], *, long: bool = False) -> T:
        """Run `unit` in one transaction and commit it; an exception undoes all of it.

        On SQLite units that arrive together share one commit, each in a savepoint of its own; those that are `long`, with
        many facts, let the others go first. The unit may run more than once and must keep no objects of its session.
        Raises Overloaded when the lock cannot be had in three seconds or the database cannot be reached, StorageFull when
        the disk is full.
        """
        if not self.is_sqlite:
            return self._write_alone(unit)
        ticket = Ticket(unit, long=long)
        self._turns.join(ticket)
        while True:
            ticket.told.wait()
            if ticket.done:
                break
            ticket.told.clear()
            self._lead()
        if isinstance(ticket.error, DBAPIError) and (plain := plainly(ticket.error)):
            raise plain from ticket.error
        if ticket.error is not None:
            raise ticket.error
        return ticket.result  # type: ignore[no-any-return]

    @contextmanager
    def exclusive(self) -> Iterator[Connection]:
        """A connection with a write transaction that no other unit of ours runs beside; committed at the end."""
        with self._fair_lock(), self._writing.connect() as connection, connection.begin():
            yield connection

    def dispose(self) -> None:
        """Close every connection."""
        if self._unchanged is not None:
            self._unchanged.close()
        self._trust.forget()
        self.engine.dispose()

    def _write_alone(self, unit: Callable[[Session], T]) -> T:
        for attempt in range(6):
            try:
                with Unit(self._writing, expire_on_commit=False) as session:
                    result = unit(session)
                    self._gather(session)
                    self._finish(session)
                    session.commit()
            except DBAPIError as error:
                if attempt == 5 or not transient(error):
                    if plain := plainly(error):
                        raise plain from error
                    raise
                time.sleep(random.uniform(0.005, 0.02) * 2**attempt)
            except PoolTimeout as error:
                raise Overloaded from error
            else:
                return result
        raise Overloaded

    def _gather(self, session: Session) -> None:
        session.flush()
        for gatherer in self.gatherers:
            gatherer(session)

    def _finish(self, session: Session) -> None:
        for finisher in self.finishers:
            finisher(session)

    def _lead(self) -> None:
        """Commit what is waiting as one group, then hand the lead to the first of those that have come meanwhile."""
        time.sleep(0)  # lets the other greenlets or threads put their units into this group
        asked = time.monotonic()
        group: list[Ticket] = []
        try:
            try:
                self._commit_group(self._turns.taken(), group, self._turns.since())
            except _Unfinished:
                # One of them left what cannot be finished; alone, only that one fails.
                for ticket in group:
                    if ticket.error is None:
                        try:
                            self._commit_group([ticket], [], ticket.since)
                        except Exception as error:
                            ticket.error = error
        except BaseException as error:
            self._trust.doubt(error)
            group = group or self._turns.turned_away(asked)
            for ticket in group:
                ticket.error = ticket.error or error
        finally:
            self._turns.hand_over()
            for ticket in group:
                ticket.settle()

    def _commit_group(self, coming: Iterable[Ticket], group: list[Ticket], since: float) -> None:
        """Run units in one transaction, each in a savepoint, and commit it; `group` gets those that were taken.

        Raises _Unfinished, with nothing done, when what several of them left cannot be finished together.
        """
        left: dict[str, Any] = {}
        with self._fair_lock(since), self._writing.connect() as connection, connection.begin():
            raw = connection.connection.dbapi_connection
            assert raw is not None
            for ticket in coming:
                group.append(ticket)
                savepoint = connection.begin_nested()
                session = Unit(connection, join_transaction_mode="create_savepoint", expire_on_commit=False)
                try:
                    ticket.result = ticket.context.run(ticket.unit, session)
                    self._gather(session)
                    if session.in_transaction():
                        session.commit()
                    savepoint.commit()
                    _merge(left, session.info)
                except Exception as error:
                    ticket.error = error
                    if not raw.in_transaction:
                        # A full disk undoes the whole transaction by itself: what the others were told to be done is not.
                        raise
                    session.rollback()
                    savepoint.rollback()
                finally:
                    session.close()
            if not raw.in_transaction:
                raise Overloaded
            try:
                with Unit(connection, join_transaction_mode="rollback_only", info=left) as closing:
                    self._finish(closing)
            except Exception as error:
                if len(group) == 1 or not raw.in_transaction:
                    raise
                raise _Unfinished from error

    @contextmanager
    def _fair_lock(self, since: float | None = None) -> Iterator[None]:
        """The kernel's lock beside the file; `since`: when the first who needs it came, monotonic. Raises Overloaded."""
        if self._lock_path is None:
            yield
            return
        asked = time.monotonic()
        deadline = max((asked if since is None else since) + LOCK_SECONDS, asked + LEAST_WAIT)
        with ExitStack() as stack:
            try:
                stack.enter_context(locked_file(self._lock_path, deadline, self._lock_path.with_suffix(".turn")))
            except TimeoutError:
                raise Overloaded from None
            if not self._trust.holds():
                raise Overloaded
            yield


def _merge(left: dict[str, Any], more: dict[Any, Any]) -> None:
    """Add what another unit left for the finishers; of the same thing the later word counts."""
    for name, value in more.items():
        if name not in left:
            left[name] = value
        elif isinstance(value, list):
            left[name].extend(value)
        else:
            left[name].update(value)


def transient(error: DBAPIError) -> bool:
    """Whether running the same unit again may succeed: serialization, deadlock, or the same id inserted at once."""
    state = getattr(error.orig, "sqlstate", None)
    return state in {"40001", "40P01"} or isinstance(error, IntegrityError) and state == "23505"


def refers_to_nothing(error: IntegrityError) -> bool:
    """Whether a row was refused because it names one that does not exist (and not because its key is taken)."""
    return getattr(error.orig, "sqlstate", None) == "23503" or "FOREIGN KEY" in str(error.orig)


def plainly(error: DBAPIError) -> RuntimeError | None:
    """What a database's error means for the one who asked, when the fault lies with the database and not with the unit."""
    state, said = getattr(error.orig, "sqlstate", None), str(error.orig)
    if state == "53100" or "disk is full" in said:
        return StorageFull()
    gone = isinstance(error, (OperationalError, InterfaceError)) or error.connection_invalidated
    return Overloaded() if gone or state in {"55P03", "40001", "40P01"} else None


def outage(error: Exception) -> str | None:
    """The database's own words, in one line, when it is away or cannot be written; None when the fault lies elsewhere."""
    if isinstance(error, (Overloaded, StorageFull)):
        return str(error) or type(error).__name__
    if isinstance(error, DBAPIError) and plainly(error):
        return " ".join(str(error.orig).split()) or type(error.orig).__name__
    return None


def locked(session: Session, model: type[M], key: str) -> M | None:
    """The row with this primary key, fresh and locked until the end of the transaction, or None."""
    return session.get(model, key, with_for_update=True, populate_existing=True)


def hits(session: Session, statement: UpdateBase) -> int:
    """Run an UPDATE or DELETE and return how many rows it hit."""
    result = session.execute(statement)
    assert isinstance(result, CursorResult)
    return result.rowcount
