"""D01–D39 while an incident runs: each limit passes in the database at its moment, not one second earlier, once, with what must follow."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from server.clock import clock, now
from server.domain import (
    alerts,
    limits,
    plans,
)
from server.domain.people import Person
from server.planning import shelf
from tests.cast import MORNING, Cast, Stage
from tests.planning.test_deadlines import CLOCKS, DAY, MIDNIGHT, SECOND
from tests.running import Course
from tests.stage import set_stage


@pytest.fixture(scope="module")
def stage(filled: Callable[[str], tuple[str, Cast]], application: Callable[[str], Flask]) -> Iterator[Stage]:
    """One stage for the whole module, with every plan of these rows in use: each row has an incident of its own."""
    for found in set_stage("sqlite", filled, application):
        sources = {source for _, source, *_ in CLOCKS} | {"002-10"}

        def keep(session: Session, found: Stage = found, sources: set[str] = sources) -> None:
            second = session.get(Person, found.cast.people["second"])
            assert second is not None
            for book in shelf.books():
                if book.plan.source in sources:
                    revision, _ = plans.keep(session, book.plan, book.text, found.cast.people["commander"])
                    plans.put_in_use(session, revision, second.id)

        found.database.write(keep)
        yield found


@pytest.fixture
def quiet(stage: Stage) -> Iterator[Stage]:
    """What ran in the rows before is stopped, so that only this row's clocks fire."""
    yield stage

    def stop(session: Session) -> None:
        session.execute(update(limits.Limit).values(status=limits.CANCELLED))
        for incident in session.scalars(select(alerts.Alert.incident).where(alerts.Alert.status == "open").distinct()):
            alerts.end_all(session, incident)

    stage.database.write(stop)


@pytest.mark.parametrize(("row", "source", "key", "fact", "length", "follows"), CLOCKS, ids=lambda value: str(value))
def test_it_passes_in_a_running_incident(
    quiet: Stage, row: str, source: str, key: str, fact: str, length: timedelta, follows: tuple[str, str]
) -> None:
    if length in (MIDNIGHT, MIDNIGHT + DAY):  # these are counted from ten in the morning
        clock.hold(MORNING + DAY * ((now() - MORNING) // DAY + 1))
    course = Course(quiet, source)
    course.tell(fact)
    began = now()
    assert [(one.status, one.due_at) for one in course.due(key)] == [("running", began + length)]
    quiet.move(seconds=(length - SECOND).total_seconds())
    assert [one.status for one in course.due(key)] == ["running"]
    before = course.told()
    quiet.move(seconds=1)
    assert [(one.status, one.fired_at) for one in course.due(key)] == [("passed", began + length)]
    assert course.told() > before if follows[0] == "alert" else course.made(*follows)
    quiet.tick()
    assert len(course.due(key)) == 1


def test_d20_the_battery_sets_the_clock_in_a_running_incident(quiet: Stage) -> None:
    course = Course(quiet, "002-10")
    course.tell("power.lost")
    lost = now()
    assert course.due("before-battery-ends") == []
    quiet.move(minutes=3)
    course.tell("ups.runtime", 40)
    assert [one.due_at for one in course.due("before-battery-ends")] == [lost + timedelta(minutes=35)]
    quiet.move(minutes=31, seconds=59)
    assert [one.status for one in course.due("before-battery-ends")] == ["running"]
    quiet.move(seconds=1)
    assert [one.status for one in course.due("before-battery-ends")] == ["passed"]
