"""What stands in the way of one limit stops no other: a limit that cannot be applied, an incident somebody holds."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import psycopg
import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from server.clock import clock, iso, now
from server.db import new_id
from server.delivery.chores import Chore, do
from server.domain import climbing, escalation, firing, injects, limits, steps
from server.domain.injects import Inject
from server.domain.limits import Limit
from server.domain.steps import Step
from tests.cast import TICKETING, Stage
from tests.situation import ticketing

LIMITS = Chore("limits", limits.next_due, escalation.fire_due, apart=firing.limits_due)
LADDER = Chore("ladder", steps.next_due, climbing.climb_due, apart=firing.steps_due)
INJECTS = Chore("injects", injects.next_due, injects.apply_due, apart=firing.injects_due)


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[Any]]:
    with capture_logs() as lines:
        yield lines


def fire(stage: Stage) -> None:
    """Do what the worker does with limits and reminders until nothing is due."""
    for _ in range(50):
        with stage.database.read() as session:
            due = [one for one in (LIMITS, LADDER) if (at := one.next_due(session)) is not None and at <= now()]
        if not due:
            return
        for one in due:
            do(one, stage.database)
    raise AssertionError("it never ends")


def states(stage: Stage, incident: str) -> dict[str, str]:
    with stage.database.read() as session:
        return {one.id: one.status for one in session.scalars(select(Limit).where(Limit.incident == incident))}


def overdue(stage: Stage) -> list[str]:
    with stage.database.read() as session:
        return limits.overdue(session, 100) + steps.overdue(session, 100)


def break_one(session: Session, incident: str) -> str:
    """Give the limit that is due first a rule nothing can be done with."""
    found = session.scalar(select(Limit).where(Limit.incident == incident).order_by(Limit.due_at).limit(1))
    assert found is not None
    found.rule = {"kind": "route"}
    return found.id


def told(stage: Stage, incident: str) -> list[dict[str, Any]]:
    phone = stage["commander"]
    phone.sync()
    return [one for one in phone.all("alert") if one["incident"] == incident and "人工决定" in one["body"]["zh"]]


def test_s16_a_limit_that_cannot_be_applied_goes_to_the_leadership_and_holds_up_no_other(stage: Stage) -> None:
    broken, whole = ticketing(stage), ticketing(stage)
    poison = stage.database.write(lambda session: break_one(session, broken))
    clock.move(3600)
    fire(stage)
    assert overdue(stage) == []
    assert states(stage, broken)[poison] == "passed"
    assert "passed" in states(stage, whole).values()
    assert len(told(stage, broken)) == 1
    assert told(stage, whole) == []
    entries = stage["commander"].get(f"/incidents/{broken}/timeline")["entries"]
    said = [one for one in entries if one["kind"] == "limit_passed" and one["refs"]["limit"] == poison]
    assert len(said) == 1
    assert "未能执行" in said[0]["text"]["zh"]
    assert stage["commander"].get(f"/incidents/{broken}/verification")["intact"]


def test_s16_a_plan_that_is_gone_fires_its_limits_all_the_same(stage: Stage) -> None:
    incident = ticketing(stage)
    stage.database.write(lambda session: session.execute(update(Limit).values(rule={})))
    gone = update(Limit).where(Limit.key == "restore").values(key="no such rule")
    stage.database.write(lambda session: session.execute(gone))
    clock.move(3600)
    fire(stage)
    assert overdue(stage) == []
    stage["commander"].sync()
    bodies = [one["body"]["zh"] for one in stage["commander"].all("alert") if one["incident"] == incident]
    assert "时限已到，预案规则缺失" in bodies


def test_a_reminder_that_cannot_be_given_is_passed_over(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, whole = ticketing(stage), ticketing(stage)
    for incident in (broken, whole):
        stage["commander"].fact(
            "/orders", {"incident": incident, "team": stage.cast.teams["security"], "title": "到场", "text": "到场"}
        )
    follow = climbing.follow

    def stumble(session: Session, step: Step) -> None:
        if step.incident == broken:
            raise KeyError("no such post")
        follow(session, step)

    monkeypatch.setattr(climbing, "follow", stumble)
    clock.move(130)
    fire(stage)
    assert overdue(stage) == []

    def reminders(incident: str) -> list[str]:
        entries = stage["commander"].get(f"/incidents/{incident}/timeline")["entries"]
        return [one["text"]["zh"] for one in entries if one["kind"] == "reminder"]

    assert any("未能" in text for text in reminders(broken))
    assert any("再次提醒" in text and "未能" not in text for text in reminders(whole))


def start_drill(stage: Stage) -> None:
    script = [{"at_seconds": 600, "key": "cause.found"}, {"at_seconds": 1200, "key": "service.restored"}]
    drill = stage["commander"].fact("/drills", {
        "plan": TICKETING, "rule": "paper-mode", "title": "演练", "scheduled_at": iso(now()), "announced": False, "speed": 30,
        "scenario": "断网", "risk_check": "随时可以中止", "injects": script, "participants": [stage.cast.teams["it"]],
    })  # fmt: skip
    stage["commander"].fact(f"/drills/{drill}/starts", {"incident": new_id()})


def test_an_inject_that_cannot_happen_is_passed_over(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    start_drill(stage)
    with stage.database.read() as session:
        waiting = session.scalars(select(Inject).where(Inject.status == "waiting").order_by(Inject.due_at)).all()
    assert len(waiting) > 1
    happens = injects._happens

    def stumble(session: Session, inject: Inject) -> bool:
        if inject.id == waiting[0].id:
            raise KeyError("no such field")
        return happens(session, inject)

    monkeypatch.setattr(injects, "_happens", stumble)
    clock.move(7200)
    do(INJECTS, stage.database)
    with stage.database.read() as session:
        left = {one.id: one.status for one in session.scalars(select(Inject))}
    assert left[waiting[0].id] == "skipped"
    assert {left[one.id] for one in waiting[1:]} == {"applied"}


@pytest.mark.parametrize("stage", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_who_holds_one_incident_holds_up_no_limit_of_another(stage: Stage) -> None:
    held, free = ticketing(stage), ticketing(stage)
    clock.move(901)
    with psycopg.connect(stage.database.url) as holder:
        holder.execute("SELECT * FROM incident WHERE id = %s FOR UPDATE", [held])
        before = time.monotonic()
        do(LIMITS, stage.database)
        assert time.monotonic() - before < 15
        assert "passed" not in states(stage, held).values()
        assert "passed" in states(stage, free).values()
    fire(stage)
    assert "passed" in states(stage, held).values()


def test_a_chore_whose_every_part_waits_says_so(stage: Stage) -> None:
    def refuse(session: Session) -> None:
        raise OSError

    never: Callable[[Session], datetime | None] = lambda session: None  # noqa: E731
    with pytest.raises(OSError):
        do(Chore("no parts", never, refuse), stage.database)
    do(Chore("nothing", never, refuse, apart=lambda session: []), stage.database)
