"""The timeline's chain: whatever is changed, left out, put in or cut off afterwards is found, and where."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from server.clock import now
from server.db import Database, new_id
from server.domain import timeline
from server.domain.timeline import Chain, Entry
from tests.cast import Stage
from tests.situation import ticketing

LINES = 6


@pytest.fixture
def chained(database: Database) -> tuple[Database, str]:
    """A database with an incident of six lines, and the incident."""
    timeline.attach(database)
    incident = new_id()
    for number in range(LINES):
        write_line(database, incident, number)
    return database, incident


def write_line(database: Database, incident: str, number: int) -> None:
    database.write(
        lambda session: timeline.record(session, incident, "log", f"第{number}条", f"line {number}", refs={"n": number})
    )


def broken(database: Database, incident: str) -> int | None:
    with database.read() as session:
        return timeline.broken_at(session, incident)


def line(session: Session, incident: str, seq: int) -> Entry:
    found = session.scalar(select(Entry).where(Entry.incident == incident, Entry.seq == seq))
    assert found is not None
    return found


def changed(**values: Any) -> Callable[[Session, str], None]:
    """Tampering that gives columns of the third line other values."""

    def tamper(session: Session, incident: str) -> None:
        session.execute(update(Entry).where(Entry.incident == incident, Entry.seq == 3).values(**values))

    return tamper


def rehashed(session: Session, incident: str) -> None:
    """Somebody changes a line and reckons its own hash anew."""
    found = line(session, incident, 3)
    found.text = {"zh": "从未发生", "en": "it never happened"}
    found.hash = timeline.link(line(session, incident, 2).hash, found)


def left_out(session: Session, incident: str) -> None:
    session.execute(delete(Entry).where(Entry.incident == incident, Entry.seq == 3))


def closed_up(session: Session, incident: str) -> None:
    """A line is left out and those after it move up."""
    left_out(session, incident)
    for seq in range(4, LINES + 1):
        session.execute(update(Entry).where(Entry.incident == incident, Entry.seq == seq).values(seq=seq - 1))


def swapped(session: Session, incident: str) -> None:
    for before, after in ((3, 99), (4, 3), (99, 4)):
        session.execute(update(Entry).where(Entry.incident == incident, Entry.seq == before).values(seq=after))


def cut_off(session: Session, incident: str) -> None:
    session.execute(delete(Entry).where(Entry.incident == incident, Entry.seq == LINES))


def cut_off_with_the_end(session: Session, incident: str) -> None:
    """The last line goes, and what says how long the chain is goes with it."""
    cut_off(session, incident)
    session.execute(delete(Chain).where(Chain.incident == incident))


def moved(session: Session, incident: str) -> None:
    """A line is given to another incident."""
    session.execute(update(Entry).where(Entry.incident == incident, Entry.seq == LINES).values(incident=new_id()))


@pytest.mark.parametrize(
    ("tamper", "where"),
    [
        (changed(text={"zh": "从未发生", "en": "it never happened"}), 3),
        (changed(hash="f" * 64), 3),
        (changed(seq=77), 3),
        (changed(kind="decision"), 3),
        (changed(by=new_id()), 3),
        (changed(refs={}), 3),
        (changed(audience="command"), 3),
        (lambda session, incident: changed(occurred_at=now())(session, incident), 3),
        (lambda session, incident: changed(received_at=now())(session, incident), 3),
        (rehashed, 4),
        (left_out, 3),
        (closed_up, 3),
        (swapped, 3),
        (cut_off, LINES),
        (cut_off_with_the_end, LINES),
        (moved, LINES),
    ],
    ids=[
        "text", "hash", "sequence", "kind", "author", "refs", "audience", "occurred", "received", "rehashed", "left out",
        "closed up", "swapped", "cut off", "cut off with its end", "moved",
    ],
)  # fmt: skip
def test_tampering_is_found_where_it_is(
    chained: tuple[Database, str], tamper: Callable[[Session, str], None], where: int
) -> None:
    database, incident = chained
    assert broken(database, incident) is None
    other = new_id()
    write_line(database, other, 0)
    database.write(lambda session: tamper(session, incident))
    assert broken(database, incident) == where
    assert broken(database, other) is None


def test_writers_at_the_same_time_make_one_chain(database: Database) -> None:
    timeline.attach(database)
    incident, together = new_id(), threading.Barrier(8)
    write_line(database, incident, 0)

    def write(number: int) -> None:
        together.wait()
        for one in range(5):
            write_line(database, incident, number * 100 + one)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as session:
        numbers = list(session.scalars(select(Entry.seq).where(Entry.incident == incident).order_by(Entry.seq)))
    assert numbers == list(range(1, 42))
    assert broken(database, incident) is None


def test_a_unit_that_fails_leaves_no_line_and_no_gap(chained: tuple[Database, str]) -> None:
    database, incident = chained

    def unit(session: Session) -> None:
        timeline.record(session, incident, "log", "作废", "void")
        raise ValueError

    with pytest.raises(ValueError):
        database.write(unit)
    write_line(database, incident, 7)
    with database.read() as session:
        assert line(session, incident, LINES + 1).text["en"] == "line 7"
    assert broken(database, incident) is None


def test_command_is_told_where_the_chain_breaks(stage: Stage) -> None:
    incident = ticketing(stage, activate=True)
    path = f"/incidents/{incident}/verification"
    assert stage["commander"].get(path) == {"intact": True, "broken_at": None}
    stage.database.write(lambda session: changed(text={"zh": "改", "en": "changed"})(session, incident))
    assert stage["commander"].get(path) == {"intact": False, "broken_at": 3}
