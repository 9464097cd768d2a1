"""The unit of work: what arrives together shares a commit and nothing else."""

import contextvars
import threading
from collections.abc import Callable
from contextlib import suppress

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from server.db import Database, new_id
from server.domain import feed
from server.domain.feed import Epoch
from server.domain.people import Team
from server.savepoints import savepoint
from server.statements import Statement
from server.turns import Ticket, Turns

who: contextvars.ContextVar[int] = contextvars.ContextVar("who")
WRITERS = 40


def test_a_unit_sees_its_own_callers_context(database: Database) -> None:
    seen: dict[int, int] = {}
    together = threading.Barrier(WRITERS)

    def call(number: int) -> None:
        who.set(number)
        together.wait()

        def unit(session: Session) -> None:
            session.get(Epoch, "00000000-0000-7000-8000-000000000000")
            seen[number] = who.get()

        database.write(unit)

    all_at_once(call)
    assert seen == {number: number for number in range(WRITERS)}


def all_at_once(call: Callable[[int], None]) -> None:
    """Call it with every writer's number, each in a thread of its own, and wait for all."""
    threads = [threading.Thread(target=call, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


READY = Statement(insert(Epoch))


def test_what_a_savepoint_undoes_began_with_its_first_statement(database: Database) -> None:
    first, undone, after = new_id(), new_id(), new_id()

    def unit(session: Session) -> None:
        READY.run(session, id=first)
        with suppress(LookupError), savepoint(session):
            READY.run(session, id=undone)
            raise LookupError
        with savepoint(session):
            READY.run(session, id=after)

    database.write(unit)
    with database.read() as session:
        assert set(session.scalars(select(Epoch.id))) >= {first, after}
        assert session.get(Epoch, undone) is None


def test_who_fails_leaves_nothing_behind_by_statements_or_objects(database: Database) -> None:
    ids = [new_id() for _ in range(WRITERS)]
    teams = [new_id() for _ in range(WRITERS)]
    together = threading.Barrier(WRITERS)
    failed: set[int] = set()

    def call(number: int) -> None:
        def unit(session: Session) -> None:
            READY.run(session, id=ids[number])
            if number % 2:
                session.add(
                    Team(id=teams[number], kind="x", title={"zh": "组", "en": "team"}, rank=number, active=True)
                )
                session.flush()
                READY.run(session, id=teams[number])
            if number % 4 == 2:
                raise ZeroDivisionError
            if number % 4 == 3:
                session.add(Epoch(id=ids[number]))  # its key is taken, as the flush at the end finds

        together.wait()
        try:
            database.write(unit)
        except (ZeroDivisionError, IntegrityError):
            failed.add(number)

    all_at_once(call)
    good = {number for number in range(WRITERS) if number % 4 < 2}
    assert failed == set(range(WRITERS)) - good
    with database.read() as session:
        left = set(session.scalars(select(Epoch.id).where(Epoch.id.in_([*ids, *teams]))))
        assert left == {ids[number] for number in good} | {teams[number] for number in good if number % 2}
        assert {team.rank for team in session.scalars(select(Team))} == {number for number in good if number % 2}


class Uncountable:
    """A thing counted when all units of a commit have run, which cannot be."""

    synced_type, counted = "board", True
    id = "00000000-0000-7000-8000-00000000000f"

    def spaces(self, session: Session) -> list[str]:
        raise ZeroDivisionError

    def document(self, session: Session, space: str) -> None:
        """Never asked for."""


def test_who_leaves_what_cannot_be_finished_fails_alone(database: Database) -> None:
    feed.attach(database)
    errors: dict[int, type[Exception]] = {}
    together = threading.Barrier(WRITERS)

    def call(number: int) -> None:
        def unit(session: Session) -> None:
            session.add(Team(id=new_id(), kind=str(number), title={"zh": "组", "en": "team"}, rank=number, active=True))
            if number == 7:
                feed.touch(session, Uncountable())

        together.wait()
        try:
            database.write(unit)
        except Exception as error:
            errors[number] = type(error)

    all_at_once(call)
    assert errors == {7: ZeroDivisionError}
    with database.read() as session:
        assert {team.rank for team in session.scalars(select(Team))} == set(range(WRITERS)) - {7}
        assert feed.versions(session, ["org"])["org"][0] == WRITERS - 1


def ticket(name: str) -> Ticket:
    """One that waits, short or long as its name says."""
    found = Ticket(lambda session: None, long=name.startswith("long"))
    found.result = name
    return found


class Spent:
    """A turn of which so many units use up the time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, units: int) -> None:
        self.taken, self.units = list[str](), units
        monkeypatch.setattr("server.turns.time.monotonic", lambda: 1000.0 if len(self.taken) < self.units else 1001.0)

    def of(self, turns: Turns, coming: dict[str, list[str]] | None = None) -> list[str]:
        """Who is taken in the next turn; while one named in `coming` is written, others come."""
        self.taken.clear()
        for one in turns.taken():
            self.taken.append(one.result)
            for name in (coming or {}).get(one.result, ()):
                turns.join(ticket(name))
        return list(self.taken)


def test_who_brings_little_goes_first_and_who_brings_much_still_gets_on(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = Turns()
    for name in ("long 1", "long 2", "short 1", "long 3", "short 2", "short 3"):
        turns.join(ticket(name))
    spent = Spent(monkeypatch, units=2)
    assert spent.of(turns, {"short 2": ["short 4"]}) == ["short 1", "short 2", "long 1"], (
        "one of the long, however late"
    )
    assert spent.of(turns) == ["short 3", "short 4", "long 2"]
    assert spent.of(turns, {"long 3": ["long 4", "short 5"]}) == ["long 3", "short 5"], "and back to the short"
    assert spent.of(turns) == ["long 4"]
    assert spent.of(turns) == []


def test_many_long_ones_do_not_make_one_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = Turns()
    for number in range(5):
        turns.join(ticket(f"long {number}"))
    spent = Spent(monkeypatch, units=2)
    assert spent.of(turns, {"long 1": ["short"]}) == ["long 0", "long 1"], (
        "who comes when the time is over has the next turn"
    )
    assert spent.of(turns)[0] == "short"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_tap_overtakes_the_batches_that_wait_before_it(database: Database) -> None:
    order, begun, go_on = list[str](), threading.Event(), threading.Event()

    def write(name: str) -> None:
        def unit(session: Session) -> None:
            session.add(Team(id=new_id(), kind=name, title={"zh": "组", "en": "team"}, rank=len(order), active=True))
            order.append(name)
            if name == "long 0":
                begun.set()
                assert go_on.wait(20)

        database.write(unit, long=name.startswith("long"))

    def start(name: str) -> threading.Thread:
        before = len(database._turns)
        thread = threading.Thread(target=write, args=(name,))
        thread.start()
        if name == "long 0":
            assert begun.wait(20)
        else:
            while len(database._turns) == before:
                thread.join(0.001)
        return thread

    threads = [start(name) for name in ("long 0", "long 1", "long 2", "short 3", "short 4")]
    go_on.set()
    for thread in threads:
        thread.join()
    assert order[0] == "long 0"
    assert sorted(order[1:3]) == ["short 3", "short 4"]
    assert order[3:] == ["long 1", "long 2"]
    with database.read() as session:
        assert set(session.scalars(select(Team.kind))) == set(order)
