"""The unit of work: what arrives together shares a commit and nothing else."""

import contextvars
import threading

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.db import Database, new_id
from server.domain import feed
from server.domain.feed import Epoch
from server.domain.people import Team

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

    threads = [threading.Thread(target=call, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {number: number for number in range(WRITERS)}


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

    threads = [threading.Thread(target=call, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == {7: ZeroDivisionError}
    with database.read() as session:
        assert {team.rank for team in session.scalars(select(Team))} == set(range(WRITERS)) - {7}
        assert feed.versions(session, ["org"])["org"][0] == WRITERS - 1
