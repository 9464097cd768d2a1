"""The unit of work: what arrives together shares a commit and nothing else."""

import contextvars
import threading

from sqlalchemy.orm import Session

from server.db import Database
from server.domain.feed import Epoch

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
