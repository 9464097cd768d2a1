"""Drills: the calendar, the script, who may know of one before it runs, and that it reaches nobody who was not chosen."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from server.clock import iso, now
from server.db import new_id
from server.delivery.letters import about
from server.domain import calendar, outbox
from server.domain.alerts import Alert, Recipient
from server.domain.devices import Device, subscribe
from server.domain.injects import Inject, apply_due
from server.domain.rules import Cadence, comes_round
from tests.cast import CROWD, TICKETING, Stage

SHANGHAI = ZoneInfo("Asia/Shanghai")


def plan_drill(stage: Stage, who: str = "commander", **more: Any) -> str:
    body = {
        "plan": TICKETING, "title": "售检票中断演练", "scheduled_at": iso(now()), "scenario": "闸机全部离线",
        "risk_check": "低客流时段，备用通道畅通", **more,
    }  # fmt: skip
    return stage[who].fact("/drills", body)


def start(stage: Stage, drill: str, who: str = "commander") -> str:
    incident = new_id()
    stage[who].fact(f"/drills/{drill}/starts", {"incident": incident})
    return incident


def subscribe_everybody(stage: Stage) -> None:
    def unit(session: Any) -> None:
        for name, id in stage.cast.devices.items():
            device = session.get(Device, id)
            if device.revoked_at is None:
                address = f"https://push.example/{name}"
                subscribe(session, device, address, "https://push.example", b"\4" * 65, b"0" * 16, "key")

    stage.database.write(unit)


def alerted(stage: Stage) -> set[str]:
    """The names of everybody who was asked or to whom anything was queued."""
    names = {id: name for name, id in stage.cast.people.items()}
    with stage.database.read() as session:
        asked = set(session.scalars(select(Recipient.person)))
        queued = set(session.scalars(select(outbox.Delivery.person)))
    assert queued <= asked
    return {names[person] for person in asked}


@pytest.mark.parametrize(
    ("cadence", "last", "due"),
    [
        (Cadence(1, "day", at="05:00"), "2026-03-01T05:10", "2026-03-02T05:00"),
        (Cadence(1, "day"), "2026-03-01T05:10", "2026-03-03T00:00"),
        (Cadence(1, "week"), "2026-03-01T05:10", "2026-03-09T00:00"),
        (Cadence(1, "week", at="09:00", weekday=0), "2026-03-04T05:10", "2026-03-09T09:00"),
        (Cadence(1, "week", at="09:00", weekday=0), "2026-03-02T09:30", "2026-03-09T09:00"),
        (Cadence(1, "month"), "2026-01-31T08:00", "2026-03-01T00:00"),
        (Cadence(3, "month"), "2026-11-30T08:00", "2027-03-01T00:00"),
        (Cadence(6, "month"), "2026-11-23T10:00", "2027-05-24T00:00"),
        (Cadence(1, "year"), "2024-02-29T10:00", "2025-03-01T00:00"),
        (Cadence(1, "shift"), "2026-03-01T05:10", None),
        (Cadence(1, "occasion"), "2026-03-01T05:10", None),
    ],
)
def test_what_comes_round_is_due_in_the_zone_of_the_organisation(cadence: Cadence, last: str, due: str | None) -> None:
    found = comes_round(cadence, datetime.fromisoformat(last).replace(tzinfo=SHANGHAI), SHANGHAI)
    assert found == (datetime.fromisoformat(due).replace(tzinfo=SHANGHAI) if due else None)
    assert found is None or found.tzinfo is UTC


def test_the_calendar_counts_from_approval_and_then_from_the_last_time(stage: Stage) -> None:
    def item(key: str) -> dict[str, Any]:
        with stage.database.read() as session:
            items = calendar.coming(session)
        dues = [one["due_at"] for one in items if one["due_at"]]
        assert dues == sorted(dues)
        return next(one for one in items if (one["plan"], one["key"]) == (CROWD, key))

    first = item("crowd-drill")
    assert (first["last_at"], first["due_at"], first["overdue"]) == (None, "2027-05-23T16:00:00.000Z", False)
    assert first["clause"]["ref"]
    assert first in stage["security_lead"].get("/drills/calendar")["items"]
    assert item("risk")["due_at"] == "2027-02-23T16:00:00.000Z"
    stage.move(days=10)
    stage["visitors_one"].fact(f"/plans/{CROWD}/duties/risk/rounds", {"note": "已评估"})
    assert (item("risk")["last_at"], item("risk")["due_at"]) == (iso(now()), "2027-03-03T16:00:00.000Z")
    drill = plan_drill(stage, plan=CROWD, rule="crowd-drill")
    incident = start(stage, drill)
    stage["commander"].fact(f"/incidents/{incident}/decisions", {"kind": "end", "reason": "演练结束"})
    assert item("crowd-drill")["last_at"] is None
    stage["commander"].fact(f"/drills/{drill}/finishes", {"observations": "顺利"})
    assert item("crowd-drill")["due_at"] == "2027-06-03T16:00:00.000Z"
    stage["commander"].refused(f"/plans/{CROWD}/duties/nothing/rounds", {}, 422, "duty_unknown")
    assert item("risk")["overdue"] is False
    stage.move(days=91)
    assert item("risk")["overdue"] is True


@pytest.mark.parametrize(
    ("more", "code", "path"),
    [
        ({"rule": "no-such-drill"}, "drill_rule_unknown", "rule"),
        ({"participants": [new_id()]}, "team_unknown", "participants"),
        ({"injects": [{"at_seconds": 1, "key": "no.such.fact"}]}, "fact_unknown", "injects.0.key"),
        ({"speed": 61}, "invalid", "speed"),
        ({"speed": 0}, "invalid", "speed"),
    ],
)
def test_a_drill_that_cannot_run_is_refused_when_it_is_planned(
    stage: Stage, more: dict[str, Any], code: str, path: str
) -> None:
    body = {
        "plan": CROWD,
        "title": "演练",
        "scheduled_at": iso(now()),
        "scenario": "拥挤",
        "risk_check": "已评估",
        **more,
    }
    answer = stage["commander"].put(f"/drills/{new_id()}", body, 422)
    assert path in {one["path"] for one in answer["errors"]}
    if code != "invalid":
        assert answer["code"] == code


def test_a_value_that_does_not_fit_is_refused_at_its_place(stage: Stage) -> None:
    script = [{"at_seconds": 1, "key": "crowd.lead-time", "value": 1, "unit": "h"}]
    body = {"plan": CROWD, "title": "演练", "scheduled_at": iso(now()), "scenario": "拥挤", "risk_check": "已评估"}
    answer = stage["commander"].put(f"/drills/{new_id()}", {**body, "injects": script}, 422)
    assert (answer["code"], answer["errors"][0]["path"]) == ("unit_unfit", "injects.0.unit")


def test_the_script_and_an_unannounced_drill_are_kept_from_those_who_are_tested(stage: Stage) -> None:
    script = [{"at_seconds": 60, "key": "fault.cleared", "note": "供应商更换主板"}]
    drill = plan_drill(stage, "security_lead", announced=False, injects=script)
    for name, knows in (("security_lead", True), ("commander", True), ("it_lead", False), ("security_one", False)):
        stage[name].sync()
        assert {one["id"] for one in stage[name].all("drill")} == ({drill} if knows else set()), name
        assert [one["key"] for one in stage[name].all("inject")] == (["fault.cleared"] if knows else []), name
    start(stage, drill, "security_lead")
    stage["security_one"].sync()
    assert stage["security_one"].one("drill")["status"] == "running"
    assert stage["security_one"].all("inject") == []


def test_alerts_reach_only_the_teams_that_were_chosen(stage: Stage) -> None:
    subscribe_everybody(stage)
    drill = plan_drill(stage, participants=[stage.cast.teams["it"], stage.cast.teams["security"]])
    incident = start(stage, drill)
    stage["commander"].fact(f"/incidents/{incident}/decisions", {"kind": "activate"})
    stage.move(minutes=20)  # the limit passes: leadership would be told, and the silent are reminded
    stage["it_one"].sync()
    ordered = next(one["id"] for one in stage["it_one"].all("alert") if one["order"])
    stage["it_one"].fact(f"/alerts/{ordered}/answers", {"kind": "need_help"})
    assert alerted(stage) == {"it_lead", "it_one", "security_lead", "security_one", "security_two"}
    for name in ("logistics_one", "visitors_one", "finance_lead", "outsider"):
        stage[name].sync()
        assert stage[name].all("alert") == []
        assert stage[name].all("incident") == []
    stage["commander"].sync()
    assert any(one["kind"] == "not_in_drill" for one in stage["commander"].all("entry"))


def test_without_a_choice_every_team_of_the_plan_takes_part(stage: Stage) -> None:
    start(stage, plan_drill(stage))
    assert alerted(stage) == {"it_lead", "it_one"}


def test_nobody_else_can_be_ordered_by_hand(stage: Stage) -> None:
    cast = stage.cast
    incident = start(stage, plan_drill(stage, participants=[cast.teams["security"]]))
    order = {"incident": incident, "title": "增援"}
    stage["commander"].refused("/orders", {**order, "team": cast.teams["finance"]}, 422, "not_in_drill")
    people = [cast.people["security_one"], cast.people["outsider"]]
    stage["commander"].refused("/orders", {**order, "people": people}, 422, "not_in_drill")
    stage["commander"].fact("/orders", {**order, "people": people[:1]})
    stage["commander"].fact("/orders", {**order, "team": cast.teams["security"]})
    assert alerted(stage) == {"security_lead", "security_one", "security_two"}


@pytest.mark.parametrize("channel", ["screen", "poster", "site", "sms", "account", "broadcast", "hotline"])
def test_no_notice_of_a_drill_goes_out(stage: Stage, channel: str) -> None:
    incident = start(stage, plan_drill(stage))
    wording = {"zh": "请用纸质票", "en": "Paper tickets please"}
    draft = stage["second"].fact(f"/incidents/{incident}/notices", {"channel": channel, "wording": wording})
    stage["commander"].fact(f"/notices/{draft}/approvals")
    stage["commander"].refused(f"/notices/{draft}/publications", {}, 409, "drill_stays_inside")
    stage["commander"].sync()
    found = stage["commander"].one("notice", id=draft)
    assert found["state"] == "approved"
    assert found["wording"] == {"zh": "【演练】请用纸质票", "en": "[DRILL] Paper tickets please"}


def test_every_message_says_that_it_is_a_drill(stage: Stage) -> None:
    incident = start(stage, plan_drill(stage))
    stage["commander"].fact(f"/incidents/{incident}/decisions", {"kind": "activate"})
    stage.move(minutes=16)
    stage["commander"].sync()
    lines = stage["commander"].all("entry")
    assert len(lines) > 10
    assert all(one["text"]["zh"].startswith("【演练】") and one["text"]["en"].startswith("[Drill] ") for one in lines)
    assert all("演练" in one["wording"]["zh"] for one in stage["commander"].all("notice"))
    with stage.database.read() as session:
        alerts = list(session.scalars(select(Alert)))
    assert alerts
    for alert in alerts:
        for kind in ("alert", "reminder"):
            assert about(alert, {}, "zh", kind).title.startswith("【演练】")
            assert about(alert, {}, "en", kind).title.startswith("[Drill] ")
    assert about(None, {"title": {"zh": "试"}, "drill": True}, "zh", "test").title == "【演练】试"


def test_a_real_incident_says_nothing_of_drills(stage: Stage) -> None:
    stage["visitors_one"].put(f"/incidents/{new_id()}", {"plan": TICKETING, "title": "闸机无法验票"})
    stage["commander"].sync()
    assert not any("演练" in one["text"]["zh"] for one in stage["commander"].all("entry"))


def test_an_inject_happens_once_however_often_the_worker_looks(stage: Stage) -> None:
    script = [{"at_seconds": 600, "key": "fault.cleared"}, {"at_seconds": 60, "key": "incident.verified"}]
    drill = plan_drill(stage, injects=script, speed=60)
    assert stage.database.write(apply_due) == 0  # nothing is due before the start
    incident = start(stage, drill)
    stage.move(seconds=0.999)
    with stage.database.read() as session:
        assert {one.status for one in session.scalars(select(Inject))} == {"waiting"}
    stage.move(seconds=0.001)
    stage.move(seconds=9)
    assert stage.database.write(apply_due) == 0
    stage["commander"].sync()
    facts = [one for one in stage["commander"].all("fact") if one["incident"] == incident]
    assert sum(one["key"] == "incident.verified" for one in facts) == 1
    assert sum(one["key"] == "fault.cleared" for one in facts) == 1
    assert {one["status"] for one in stage["commander"].all("inject")} == {"applied"}


def test_what_has_not_happened_when_the_drill_ends_never_does(stage: Stage) -> None:
    drill = plan_drill(stage, injects=[{"at_seconds": 600, "key": "fault.cleared"}])
    incident = start(stage, drill)
    stage["commander"].fact(f"/incidents/{incident}/decisions", {"kind": "end", "reason": "演练结束"})
    stage.move(minutes=11)
    stage["commander"].sync()
    assert stage["commander"].one("inject")["status"] == "skipped"
    assert not any(one["key"] == "fault.cleared" for one in stage["commander"].all("fact"))


def control(stage: Stage) -> tuple[str, str]:
    """A drill at ten times its speed that runs; returns its id and its incident's."""
    drill = plan_drill(stage, "security_lead", speed=10, injects=[{"at_seconds": 1200, "key": "cause.found"}])
    return drill, start(stage, drill, "security_lead")


def running(stage: Stage, key: str) -> dict[str, Any]:
    stage["commander"].sync()
    return stage["commander"].one("limit", key=key)


def test_a_change_of_speed_leaves_what_is_left_in_the_time_of_the_plan(stage: Stage) -> None:
    drill, _ = control(stage)
    stage.move(seconds=30)  # five of the fifteen minutes
    stage["security_lead"].fact(f"/drills/{drill}/speeds", {"speed": 60})
    stage.move(seconds=9.9)
    assert running(stage, "restore")["status"] == "running"
    stage.move(seconds=0.1)  # the other ten at sixty times the speed
    assert running(stage, "restore")["status"] == "passed"
    stage["security_lead"].fact(f"/drills/{drill}/speeds", {"speed": 1})
    stage.move(seconds=299.9)  # five more minutes to the inject at twenty, now as slow as life
    assert not any(one["key"] == "cause.found" for one in stage["commander"].all("fact"))
    stage.move(seconds=0.1)
    stage["commander"].sync()
    assert any(one["key"] == "cause.found" for one in stage["commander"].all("fact"))
    assert stage["commander"].one("drill", id=drill)["speed"] == 1
    assert any(one["kind"] == "pace" and "1 倍" in one["text"]["zh"] for one in stage["commander"].all("entry"))


def test_a_score_counts_in_the_time_of_the_plan_through_changes_of_speed(stage: Stage) -> None:
    drill, incident = control(stage)
    stage.move(seconds=60)  # ten minutes
    stage["security_lead"].fact(f"/drills/{drill}/speeds", {"speed": 20})
    stage.move(seconds=21)  # seventeen: two too late
    stage["security_lead"].fact(f"/drills/{drill}/injects", {"key": "service.restored"})
    stage["security_lead"].fact(f"/drills/{drill}/stops", {"reason": "演练结束"})
    stage["security_lead"].fact(f"/drills/{drill}/finishes", {"observations": "慢"})
    stage["commander"].sync()
    done = stage["commander"].one("drill", id=drill)
    assert {one["key"]: one["by_seconds"] for one in done["score"]["limits"]}["restore"] == 120
    assert stage["commander"].one("incident", id=incident)["status"] == "ended"


def test_the_leader_of_a_drill_injects_now_brings_forward_and_leaves_out(stage: Stage) -> None:
    script = [{"at_seconds": 600, "key": "incident.verified"}, {"at_seconds": 900, "key": "fault.cleared"}]
    drill = plan_drill(stage, "security_lead", injects=script)
    lead = stage["security_lead"]
    lead.refused(f"/drills/{drill}/injects", {"key": "cause.found"}, 409, "state_conflict")
    lead.fact(f"/drills/{drill}/injects", {"key": "cause.found", "at_seconds": 1200})
    start(stage, drill, "security_lead")
    stage.move(seconds=60)
    lead.fact(f"/drills/{drill}/injects", {"key": "people.hurt", "note": "一名游客扭伤"})
    lead.sync()
    by_key = {one["key"]: one for one in lead.all("inject")}
    assert by_key["people.hurt"]["status"] == "applied"
    assert by_key["people.hurt"]["at_seconds"] == 60
    lead.fact(f"/injects/{by_key['incident.verified']['id']}/applications")
    lead.fact(f"/injects/{by_key['fault.cleared']['id']}/omissions")
    lead.refused(f"/injects/{by_key['fault.cleared']['id']}/applications", {}, 409, "inject_over")
    lead.refused(f"/injects/{by_key['incident.verified']['id']}/omissions", {}, 409, "inject_over")
    lead.refused(f"/drills/{drill}/injects", {"key": "no.such.fact"}, 422, "fact_unknown")
    stage.move(minutes=30)
    lead.sync()
    told = [one["key"] for one in lead.all("fact")]
    assert (told.count("incident.verified"), told.count("fault.cleared"), told.count("cause.found")) == (1, 0, 1)
    assert {one["key"]: one["status"] for one in lead.all("inject")} == {
        "incident.verified": "applied", "fault.cleared": "skipped", "people.hurt": "applied", "cause.found": "applied",
    }  # fmt: skip


def test_a_drill_is_called_off_before_and_stopped_after_its_start(stage: Stage) -> None:
    off, drill = plan_drill(stage), plan_drill(stage)
    stage["commander"].fact(f"/drills/{off}/cancellations")
    stage["commander"].refused(f"/drills/{off}/starts", {"incident": new_id()}, 409, "state_conflict")
    stage["commander"].refused(f"/drills/{drill}/stops", {"reason": "未开始"}, 409, "state_conflict")
    start(stage, drill)
    stage["commander"].refused(f"/drills/{drill}/cancellations", {}, 409, "state_conflict")
    stage["commander"].fact(f"/drills/{drill}/stops", {"reason": "真实事件发生，中止演练"})
    stage["commander"].sync()
    assert {one["id"]: one["status"] for one in stage["commander"].all("drill")} == {off: "off", drill: "running"}
    assert stage["commander"].one("incident")["status"] == "ended"
    stage["commander"].fact(f"/drills/{drill}/finishes", {"observations": "中止"})


def test_the_law_asks_for_drills_that_no_plan_asks_for(stage: Stage) -> None:
    def by_law() -> tuple[str, str, bool]:
        with stage.database.read() as session:
            found = next(one for one in calendar.coming(session) if one["kind"] == "law")
        assert "第八条" in found["clause"]["words"]["zh"]
        return found["key"], found["due_at"], found["overdue"]

    assert by_law() == ("safety-half-yearly", "2027-05-23T16:00:00.000Z", False)
    stage.move(days=10)
    drill = plan_drill(stage)
    start(stage, drill)
    stage["commander"].fact(f"/drills/{drill}/stops", {"reason": "演练结束"})
    assert by_law()[1] == "2027-05-23T16:00:00.000Z"
    stage["commander"].fact(f"/drills/{drill}/finishes", {"observations": "顺利"})
    assert by_law() == ("safety-half-yearly", "2027-06-03T16:00:00.000Z", False)
    stage.move(days=190)
    assert by_law()[2] is True
