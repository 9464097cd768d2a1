"""Limits: each fires once whoever looks, ends before its time without firing, and keeps its time while it is paused."""

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from server.clock import clock, iso, now
from server.domain import escalation, limits
from server.domain.limits import Limit
from tests.cast import MORNING, Stage
from tests.situation import ticketing

DUE = MORNING + timedelta(minutes=15)


def repair(stage: Stage, incident: str) -> Limit:
    """The limit of the repair: fifteen minutes from the report."""
    with stage.database.read() as session:
        query = select(Limit).where(Limit.incident == incident, Limit.length_seconds >= 900, Limit.key != "route")
        found = [one for one in session.scalars(query) if one.key == "restore"]
    assert len(found) == 1
    return found[0]


def passed(stage: Stage, incident: str) -> list[dict[str, Any]]:
    """The lines of the timeline that say the limit of the repair has passed."""
    entries = stage["commander"].get(f"/incidents/{incident}/timeline")["entries"]
    id = repair(stage, incident).id
    return [one for one in entries if one["kind"] == "limit_passed" and one["refs"].get("limit") == id]


def decide(stage: Stage, incident: str, kind: str, expect: int = 201, **more: Any) -> None:
    body = {"kind": kind, "limit": repair(stage, incident).id, "reason": "现场需要", **more}
    stage["commander"].fact(f"/incidents/{incident}/decisions", body, expect)


def due(stage: Stage, incident: str) -> datetime:
    return repair(stage, incident).due_at


def test_a_limit_fires_at_its_moment_and_not_a_second_earlier(stage: Stage) -> None:
    incident = ticketing(stage)
    assert due(stage, incident) == DUE
    stage.move(seconds=899)
    assert (passed(stage, incident), repair(stage, incident).status) == ([], "running")
    stage.move(seconds=1)
    assert (len(passed(stage, incident)), repair(stage, incident).status) == (1, "passed")
    assert repair(stage, incident).fired_at == DUE
    stage.move(hours=3)
    assert len(passed(stage, incident)) == 1


def test_two_who_look_at_the_same_time_fire_it_once(stage: Stage) -> None:
    incident = ticketing(stage)
    clock.move(901)
    together, fired, failed = threading.Barrier(6), [], []

    def look() -> None:
        together.wait()
        try:
            for _ in range(3):
                fired.append(stage.database.write(escalation.fire_due))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=look) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert sum(fired) >= 1
    assert len(passed(stage, incident)) == 1
    with stage.database.read() as session:
        assert [one.id for one in limits.running(session, incident) if one.due_at <= now()] == []


def test_a_claim_that_fails_is_made_again(stage: Stage) -> None:
    incident = ticketing(stage)
    clock.move(901)

    def unit(session: Any) -> None:
        assert limits.claim_due(session)
        raise OSError

    with pytest.raises(OSError):
        stage.database.write(unit)
    assert repair(stage, incident).status == "running"
    stage.tick()
    assert len(passed(stage, incident)) == 1


@pytest.mark.parametrize("seconds", [1, 899])
def test_what_ended_before_its_time_never_fires(stage: Stage, seconds: int) -> None:
    incident = ticketing(stage)
    stage.move(seconds=seconds)
    stage["it_lead"].fact(f"/incidents/{incident}/facts", {"key": "service.restored"})
    stage.move(hours=2)
    found = repair(stage, incident)
    assert (found.status, found.fired_at, found.ended_at) == ("met", None, MORNING + timedelta(seconds=seconds))
    assert passed(stage, incident) == []


def test_a_limit_ended_by_decision_never_fires(stage: Stage) -> None:
    incident = ticketing(stage)
    decide(stage, incident, "end_limit")
    stage.move(hours=2)
    assert (repair(stage, incident).status, passed(stage, incident)) == ("cancelled", [])
    decide(stage, incident, "extend_limit", 409, seconds=600)
    decide(stage, incident, "resume_limit", 409)


def test_an_extended_limit_fires_at_the_new_moment(stage: Stage) -> None:
    incident = ticketing(stage)
    stage.move(seconds=890)
    decide(stage, incident, "extend_limit", seconds=600)
    assert due(stage, incident) == DUE + timedelta(seconds=600)
    stage.move(seconds=609)
    assert passed(stage, incident) == []
    stage.move(seconds=1)
    assert len(passed(stage, incident)) == 1
    decide(stage, incident, "extend_limit", 409, seconds=600)  # what has fired is not called back
    decide(stage, incident, "pause_limit", 409)
    assert repair(stage, incident).status == "passed"


def test_a_paused_limit_keeps_the_time_it_had_left(stage: Stage) -> None:
    incident = ticketing(stage)
    stage.move(minutes=5)
    decide(stage, incident, "pause_limit")
    stage.move(hours=2)
    assert (passed(stage, incident), repair(stage, incident).status) == ([], "paused")
    decide(stage, incident, "resume_limit")
    assert due(stage, incident) == now() + timedelta(minutes=10)
    stage.move(seconds=599)
    assert passed(stage, incident) == []
    stage.move(seconds=1)
    assert len(passed(stage, incident)) == 1


def test_pausing_twice_takes_no_time_away(stage: Stage) -> None:
    incident = ticketing(stage)
    stage.move(minutes=5)
    decide(stage, incident, "pause_limit")
    stage.move(minutes=30)
    decide(stage, incident, "pause_limit")  # another commander, or the same on another phone
    stage.move(minutes=30)
    decide(stage, incident, "resume_limit")
    assert due(stage, incident) == now() + timedelta(minutes=10)
    decide(stage, incident, "resume_limit")
    assert due(stage, incident) == now() + timedelta(minutes=10)


def test_a_paused_limit_can_be_met_and_extended(stage: Stage) -> None:
    incident = ticketing(stage)
    stage.move(minutes=5)
    decide(stage, incident, "pause_limit")
    decide(stage, incident, "extend_limit", seconds=300)
    stage.move(hours=1)
    decide(stage, incident, "resume_limit")
    assert due(stage, incident) == now() + timedelta(minutes=15)
    decide(stage, incident, "pause_limit")
    stage["it_lead"].fact(f"/incidents/{incident}/facts", {"key": "service.restored"})
    assert repair(stage, incident).status == "met"
    stage.move(hours=1)
    assert passed(stage, incident) == []


def test_phones_hear_of_every_change(stage: Stage) -> None:
    incident = ticketing(stage)
    phone, id = stage["commander"], repair(stage, incident).id

    def shown() -> tuple[str, str, bool]:
        phone.sync()
        doc = phone.one("limit", id=id)
        return doc["status"], doc["due_at"], doc["fired_at"] is not None

    assert shown() == ("running", iso(DUE), False)
    decide(stage, incident, "extend_limit", seconds=60)
    assert shown() == ("running", iso(DUE + timedelta(seconds=60)), False)
    decide(stage, incident, "pause_limit")
    assert shown()[0] == "paused"
    decide(stage, incident, "resume_limit")
    stage.move(seconds=960)
    assert shown() == ("passed", iso(DUE + timedelta(seconds=60)), True)
    other = ticketing(stage)
    with stage.database.read() as session:
        assert limits.next_due(session) == min(one.due_at for one in limits.running(session, other))


def of_order(stage: Stage, incident: str, key: str) -> Limit:
    with stage.database.read() as session:
        found = session.scalar(select(Limit).where(Limit.incident == incident, Limit.key == f"order-{key}"))
    assert found is not None
    return found


def test_an_order_that_is_not_done_in_time_is_told_to_its_leaders_and_to_command(stage: Stage) -> None:
    incident = ticketing(stage, activate=True)
    clause = of_order(stage, incident, "paper-supply").clause
    assert clause is not None
    assert clause["ref"].startswith("000-21")
    stage.move(seconds=599)
    assert of_order(stage, incident, "paper-supply").status == "running"
    stage.move(seconds=1)
    passed = of_order(stage, incident, "paper-supply")
    assert (passed.status, passed.fired_at) == ("passed", MORNING + timedelta(minutes=10))
    for name, others in (("logistics_lead", 1), ("commander", 1), ("logistics_one", 0)):
        stage[name].sync()
        mine = {one["alert"] for one in stage[name].all("recipient") if one["person"] == stage[name].person}
        told = [one for one in stage[name].all("alert") if one["id"] in mine and "到时未完成" in one["body"]["zh"]]
        assert len(told) == others, name
        assert all(one["incident"] == incident and one["clause"]["ref"].startswith("000-21") for one in told)


def test_what_completes_an_order_ends_its_clock_and_standing_down_does_too(stage: Stage) -> None:
    incident = ticketing(stage, activate=True)
    phone = stage["office_lead"]
    phone.sync()
    listing = phone.one("checklist", key="office-publication", incident=incident)
    items = sorted(
        (one for one in phone.all("item") if one["checklist"] == listing["id"]), key=lambda one: one["position"]
    )
    stage.move(minutes=9, seconds=59)
    for item in items:
        value = {"number": 1, "text": "已发布", "choice": (item["choices"] or [{}])[0].get("key")}.get(
            item["kind"], "done"
        )
        assert of_order(stage, incident, "office-publish").status == "running"
        phone.fact(f"/items/{item['id']}/marks", {"value": value})
    body = {"kind": "stand_down", "team": stage.cast.teams["logistics"], "reason": "已由他组接手"}
    stage["commander"].fact(f"/incidents/{incident}/decisions", body)
    stage.move(seconds=1)
    assert of_order(stage, incident, "office-publish").status == "met"
    assert of_order(stage, incident, "paper-supply").status == "cancelled"
    assert of_order(stage, incident, "paper-sale").status == "running"
