"""A drill at thirty times the speed, unannounced, with a script, from the calendar to the weak points, on a moved clock."""

from typing import Any

import pytest

from server.clock import iso, now
from server.db import new_id
from tests.cast import TICKETING, Stage

SPEED = 30
SCRIPT = [
    {"at_seconds": 20 * 60, "key": "service.restored", "note": "供应商恢复主机"},
    {"at_seconds": 10 * 60, "key": "cause.found"},
]


@pytest.fixture
def drill(stage: Stage) -> str:
    """The drill as planned: nobody but command knows."""
    return stage["commander"].fact("/drills", {
        "plan": TICKETING, "rule": "paper-mode", "title": "售检票中断突击演练", "scheduled_at": iso(now()), "announced": False,
        "speed": SPEED, "scenario": "两座售票厅断网一小时", "risk_check": "低客流时段，随时可以中止", "injects": SCRIPT,
        "participants": [stage.cast.teams[team] for team in ("it", "leadership", "logistics", "visitor_centre")],
    })  # fmt: skip


def limit(stage: Stage, key: str) -> dict[str, Any]:
    stage["commander"].sync()
    return stage["commander"].one("limit", key=key)


def test_the_limits_of_a_drill_run_faster_and_not_one_second_too_early(stage: Stage, drill: str) -> None:
    commander, incident = stage["commander"], new_id()
    commander.fact(f"/drills/{drill}/starts", {"incident": incident})
    restore = limit(stage, "restore")
    assert restore["length_seconds"] == 15 * 60 // SPEED
    stage.move(seconds=29.9)
    assert limit(stage, "restore")["status"] == "running"
    stage.move(seconds=0.1)
    assert limit(stage, "restore")["status"] == "passed"
    asked = [one for one in commander.all("alert") if one["team"] == stage.cast.teams["leadership"]]
    assert len(asked) == 1
    assert asked[0]["drill"] is True


def test_a_drill_from_start_to_score(stage: Stage, drill: str) -> None:
    commander, incident = stage["commander"], new_id()
    commander.fact(f"/drills/{drill}/starts", {"incident": incident})
    began = iso(now())
    commander.refused(f"/drills/{drill}/starts", {"incident": new_id()}, 409, "state_conflict")
    stage.move(seconds=20)  # ten minutes of the plan's time
    commander.sync()
    assert "cause.found" in {one["key"] for one in commander.all("fact")}
    stage.move(seconds=12)  # sixteen minutes: the fifteen are over
    commander.fact(f"/incidents/{incident}/decisions", {"kind": "activate"})
    stage.move(seconds=2)
    commander.fact(f"/incidents/{incident}/facts", {"key": "paper.ready"})
    stage.move(seconds=6)  # twenty minutes: the script restores the service
    commander.sync()
    assert commander.one("incident")["status"] == "restored"
    assert commander.one("fact", key="service.restored")["by"] is None
    commander.refused(f"/drills/{drill}/finishes", {"observations": "早了"}, 409, "incident_open")
    commander.fact(f"/incidents/{incident}/decisions", {"kind": "end", "reason": "演练结束"})
    commander.fact(
        f"/drills/{drill}/finishes", {"observations": "报告及时，切换偏慢", "weak_points": ["纸质票领用无人交接"]}
    )
    commander.sync()
    done = commander.one("drill", id=drill)
    assert (done["status"], done["started_at"], done["finished_at"]) == ("done", began, iso(now()))
    results = {one["key"]: (one["result"], one["by_seconds"]) for one in done["score"]["limits"]}
    assert results["restore"] == ("late", 5 * 60)  # seconds of the plan's time, not of the drill's
    assert results["paper-in-place"] == ("met", -14 * 60)
    assert done["score"]["late"] == sum(one[0] == "late" for one in results.values())
    assert done["score"]["answers"]["asked"] > 0
    assert [one["title"] for one in commander.one("review")["actions"]] == ["纸质票领用无人交接"]
    commander.refused(f"/drills/{drill}/finishes", {"observations": "再来"}, 409, "state_conflict")
    # what is written afterwards has its real time
    assert limit(stage, "review")["length_seconds"] == 48 * 3600
