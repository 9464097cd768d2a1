"""D1: killed at its N-th write, sync or answer, for one N after another: what was answered is there, and a repeat ends the rest."""

import os
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.orm import Session

from server.clock import clock, iso, now
from server.db import new_id
from server.domain import climbing, escalation
from tests.cast import CROWD, TICKETING, Stage
from tests.faults.points import AGAIN, STRACE, Course, Deed
from tests.situation import full_swing, ticketing

STEP = int(os.environ.get("TOCSIN_TEST_KILL_STEP", "1"))
"""Every so-maniest write is tried; 1: all of them."""
pytestmark = [
    pytest.mark.faults, pytest.mark.timeout(3600), pytest.mark.skipif(STRACE is None, reason="strace is not installed"),
    pytest.mark.parametrize("stage", ["sqlite"], indirect=True),
]  # fmt: skip


def put(name: str, path: str, body: dict[str, Any] | None = None) -> Deed:
    """A fact of somebody's under an id that stays the same."""
    id = new_id()

    def deed(stage: Stage) -> str:
        answer = stage[name].call("PUT", f"{path}/{id}", body or {})
        assert answer.status_code in (200, 201), answer.get_data(as_text=True)
        return AGAIN if answer.status_code == 200 else "made"

    return deed


def do_what_is_due(stage: Stage) -> str:
    """One transaction of the worker's that finds something to do."""
    runs: tuple[Callable[[Session], int], ...] = (escalation.fire_due, climbing.climb_due)
    return "done" if any(stage.database.write(run) for run in runs) else AGAIN


def facts(stage: Stage) -> list[Deed]:
    incident = ticketing(stage, activate=True)
    entries = f"/incidents/{incident}/entries"
    tally = {"incident": incident, "place": stage.cast.places["gate"], "kind": "in", "count": 12, "window_seconds": 60}
    return [
        put("visitors_one", entries, {"text": "记录"}),
        put("visitors_one", "/reports", {"incident": incident, "type": "status", "text": "水位上升"}),
        put("security_lead", "/tallies", tally),
        put("commander", entries, {"text": "已到场"}),
    ]


def answers(stage: Stage) -> list[Deed]:
    ids = full_swing(stage)
    body = {"kind": "received"}
    return [put(name, f"/alerts/{ids['alert']}/answers", body) for name in ("security_one", "security_lead")]


def marks_and_supplies(stage: Stage) -> list[Deed]:
    ids = full_swing(stage)
    wanted = {"incident": ids["incident"], "supply": stage.cast.supplies["radios"], "quantity": 2}
    moved = f"/requests/{ids['request']}/movements"
    return [
        put("security_one", f"/items/{ids['item']}/marks", {"value": "done"}),
        put("security_lead", "/requests", {**wanted, "for_team": stage.cast.teams["security"]}),
        put("logistics_one", moved, {"kind": "dispatched", "quantity": 4}),
        put("security_lead", moved, {"kind": "received", "quantity": 4}),
        put("commander", f"/notices/{ids['notice']}/approvals"),
    ]


def orders_and_ends(stage: Stage) -> list[Deed]:
    incident = ticketing(stage, activate=True)
    order = {"incident": incident, "team": stage.cast.teams["security"], "title": "请到现场", "text": "维持秩序"}
    return [
        put("commander", "/orders", order),
        put("commander", f"/incidents/{incident}/decisions", {"kind": "restore", "reason": "系统恢复"}),
        put("commander", f"/incidents/{incident}/decisions", {"kind": "end", "reason": "已处置"}),
    ]


def on_paper(stage: Stage) -> list[Deed]:
    incident = ticketing(stage, activate=True)
    words = {"zh": "请用纸质票", "en": "Paper tickets please"}
    on = {"person": stage.cast.people["security_one"], "team": stage.cast.teams["security"], "kind": "on"}
    return [
        put("visitors_lead", f"/incidents/{incident}/modes", {"tier": "paper", "to": "manual"}),
        put("visitors_lead", f"/incidents/{incident}/back-entries", {"tier": "paper", "title": "售票", "quantity": 9}),
        put("office_lead", f"/incidents/{incident}/notices", {"channel": "internal", "wording": words}),
        put("security_lead", "/duties", {**on, "starts_at": iso(now())}),
        put("visitors_lead", f"/incidents/{incident}/facts", {"key": "service.restored"}),
    ]


def a_drill(stage: Stage) -> list[Deed]:
    drill, incident = full_swing(stage)["drill"], new_id()
    return [
        put("commander", f"/drills/{drill}/starts", {"incident": incident}),
        put("commander", f"/incidents/{incident}/entries", {"text": "演练开始"}),
        put("commander", f"/incidents/{incident}/decisions", {"kind": "end", "reason": "演练结束"}),
    ]


def batch(incident: str) -> Deed:
    """What one phone brings from offline in one request: six facts."""
    made = [(f"/incidents/{incident}/entries", {"text": f"记录 {number}"}) for number in range(5)]
    made.append(("/reports", {"incident": incident, "type": "status", "text": "水位上升"}))
    items = [
        {"id": id, "seq": number, "method": "PUT", "path": f"/api/v1{path}/{id}", "body": body}
        for number, (path, body) in enumerate(made)
        for id in [new_id()]
    ]

    def deed(stage: Stage) -> str:
        said = {one["status"] for one in stage["visitors_one"].batch(items)["results"]}
        assert said in ({"applied"}, {"duplicate"})
        return AGAIN if said == {"duplicate"} else "made"

    return deed


def batches(stage: Stage) -> list[Deed]:
    incident = ticketing(stage)
    return [batch(incident) for _ in range(14)]


def activating(plan: str) -> Callable[[Stage], list[Deed]]:
    """Start a plan of the library's, which alerts people, gives orders and lays out checklists."""

    def deeds(stage: Stage) -> list[Deed]:
        incident = new_id()
        stage["visitors_one"].put(f"/incidents/{incident}", {"plan": plan, "title": "请启动"})
        return [put("commander", f"/incidents/{incident}/decisions", {"kind": "activate"})]

    return deeds


def due(stage: Stage) -> list[Deed]:
    """An incident an hour and a half on: limits, orders that are late, and the steps that reach the silent."""
    ticketing(stage, activate=True)
    clock.move(95 * 60)
    return [do_what_is_due]


PATHS = {
    "facts": facts, "answers": answers, "marks and supplies": marks_and_supplies, "orders and ends": orders_and_ends,
    "on paper": on_paper, "a drill": a_drill, "batches": batches, "due": due, **{f"activation of {plan}": activating(plan) for plan in (TICKETING, CROWD)},
}  # fmt: skip


def course(stage: Stage, path: str) -> Course:
    return Course(stage, PATHS[path](stage), whatever_is_due=path == "due")


@pytest.mark.long
@pytest.mark.parametrize("call", ["pwrite64", "fsync,fdatasync", "write"])
@pytest.mark.parametrize("path", PATHS)
def test_d1_what_was_answered_is_there_and_a_repeat_ends_the_rest(stage: Stage, path: str, call: str) -> None:
    count = course(stage, path).points(call, 1, STEP)
    print(f"{path}: {count} points at {call}")  # noqa: T201 - the figure of this test
    assert count


def test_d1_a_batch_killed_here_and_there_is_taken_whole_or_not_at_all(stage: Stage) -> None:
    assert Course(stage, [batch(ticketing(stage))]).points("pwrite64", 5, 20) >= 2
