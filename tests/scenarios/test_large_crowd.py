"""A large crowd is coming: the level follows the time left, command decides it, and going down needs a reason."""

from typing import Any

import pytest

from server.db import new_id
from tests.cast import CROWD, Stage


@pytest.fixture
def incident(stage: Stage) -> str:
    """A forecast of a crowd, reported by the visitor centre, who watches it."""
    id = new_id()
    stage["visitors_lead"].put(
        f"/incidents/{id}", {"plan": CROWD, "trigger": "forecast", "title": "国庆第二日客流集中"}
    )
    return id


def measure(stage: Stage, incident: str, key: str, value: Any, unit: str) -> None:
    stage["visitors_lead"].fact(f"/incidents/{incident}/facts", {"key": key, "value": value, "unit": unit})


def proposed(stage: Stage) -> list[tuple[str, str]]:
    commander = stage["commander"]
    commander.sync()
    found = [one for one in commander.all("proposal") if one["kind"] == "level"]
    return [(one["level"], one["status"]) for one in sorted(found, key=lambda one: one["id"])]


def test_the_warning_begins_by_itself(stage: Stage, incident: str) -> None:
    commander = stage["commander"]
    commander.sync()
    assert commander.one("incident")["status"] == "warning"
    assert {order["key"] for order in commander.all("order")} == {"watch", "stand-by"}
    assert commander.one("limit", key="first-count")["status"] == "running"


@pytest.mark.parametrize(
    ("minutes", "level"),
    [(1441, None), (1440, "blue"), (721, "blue"), (720, "yellow"), (361, "yellow"), (360, "orange"), (359, "orange"),
     (181, "orange"), (180, "red"), (0, "red")],
)  # fmt: skip
def test_the_level_follows_the_time_left_on_both_sides_of_every_bound(
    stage: Stage, incident: str, minutes: int, level: str | None
) -> None:
    measure(stage, incident, "crowd.lead-time", minutes, "min")
    assert proposed(stage) == ([(level, "open")] if level else [])


def test_command_takes_the_level_and_its_orders_follow(stage: Stage, incident: str) -> None:
    commander = stage["commander"]
    measure(stage, incident, "crowd.lead-time", 359, "min")
    assert proposed(stage) == [("orange", "open")]
    proposal = commander.one("proposal")
    assert proposal["reason"]["zh"]
    assert proposal["clause"]["ref"]
    asked = [alert for alert in commander.all("alert") if "Orange" in alert["title"]["en"]]
    assert [alert["team"] for alert in asked] == [stage.cast.teams["leadership"]]
    decide(stage, incident, scale="crowd", level="orange")
    assert proposed(stage) == [("orange", "taken")]
    assert commander.one("incident")["level"]["colour"] == "orange"
    assert {"barriers", "kit"} <= {order["key"] for order in commander.all("order")}
    measure(stage, incident, "crowd.lead-time", 180, "min")
    assert proposed(stage) == [("orange", "taken"), ("red", "open")]


def test_going_down_needs_a_reason(stage: Stage, incident: str) -> None:
    commander = stage["commander"]
    measure(stage, incident, "crowd.lead-time", 180, "min")
    decide(stage, incident, scale="crowd", level="red")
    commander.refused(
        f"/incidents/{incident}/decisions", {"kind": "level", "scale": "crowd", "level": "yellow"}, 422, "reason_needed"
    )
    commander.sync()
    assert commander.one("incident")["level"]["key"] == "red"
    decide(stage, incident, scale="crowd", level="yellow", reason="团队已取消")
    commander.sync()
    assert commander.one("incident")["level"]["key"] == "yellow"
    assert commander.one("decision", kind="level", reason="团队已取消")["by"] == stage.cast.people["commander"]
    keys = {fact["key"] for fact in commander.all("fact")}
    assert "level.lowered" in keys


def test_differing_from_the_proposal_needs_a_reason(stage: Stage, incident: str) -> None:
    measure(stage, incident, "crowd.lead-time", 700, "min")
    body = {"kind": "level", "scale": "crowd", "level": "orange"}
    stage["commander"].refused(f"/incidents/{incident}/decisions", body, 422, "reason_needed")
    decide(stage, incident, scale="crowd", level="orange", reason="周边道路已拥堵")


def test_it_ends_only_when_the_crowd_is_measured_under_control(stage: Stage, incident: str) -> None:
    commander = stage["commander"]
    commander.fact(f"/incidents/{incident}/decisions", {"kind": "activate"})
    commander.fact(f"/incidents/{incident}/facts", {"key": "crowd.controlled"})
    commander.fact(f"/incidents/{incident}/facts", {"key": "order.normal", "value": True})
    commander.refused(f"/incidents/{incident}/decisions", {"kind": "end"}, 409, "interlocked")
    commander.refused(f"/incidents/{incident}/decisions", {"kind": "end", "reason": "已疏散"}, 409, "interlocked")
    measure(stage, incident, "crowd.occupancy", 79, "%")
    commander.fact(f"/incidents/{incident}/decisions", {"kind": "end"})
    commander.sync()
    assert commander.one("incident")["status"] == "ended"


def decide(stage: Stage, incident: str, **what: Any) -> None:
    stage["commander"].fact(f"/incidents/{incident}/decisions", {"kind": "level", **what})
