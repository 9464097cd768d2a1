"""Every plan of the library is lived through on the real API: reported, activated, worked off item by item, restored, ended."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from server.db import new_id
from server.domain import plans
from server.domain.people import Person
from server.domain.rules import Plan
from server.domain.rules.conditions import Condition
from server.planning.compiler import compile_plan
from tests.cast import LIBRARY, Cast, Stage
from tests.stage import set_stage

FILES = sorted(LIBRARY.glob("*.yaml"))
ROUNDS = 6


@pytest.fixture
def stage(filled: Callable[[str], tuple[str, Cast]], application: Callable[[str], Flask]) -> Iterator[Stage]:
    """One kind of database is enough: what differs here is the plan."""
    yield from set_stage("sqlite", filled, application)


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def plan(request: pytest.FixtureRequest, stage: Stage) -> Plan:
    """The plan, approved by one commander and put in use by another."""
    text = request.param.read_text(encoding="utf-8")
    rules = compile_plan(text, request.param.name)

    def keep(session: Session) -> None:
        revision, _ = plans.keep(session, rules, text, stage.cast.people["commander"])
        second = session.get(Person, stage.cast.people["second"])
        assert second is not None
        plans.put_in_use(session, revision, second.id)

    stage.database.write(keep)
    return rules


def test_it_is_lived_through(stage: Stage, plan: Plan) -> None:
    commander, incident = stage["commander"], new_id()
    trigger = plan.triggers[0].key if plan.triggers else None
    commander.put(f"/incidents/{incident}", {"plan": plan.key, "trigger": trigger, "title": "演练预案全过程"})
    stage.move(minutes=20)
    decide(stage, incident, "activate")
    for kind in ("fallback", "evacuate"):
        decide(stage, incident, kind)
    for _ in range(ROUNDS):
        if not work_off(stage):
            break
        stage.move(minutes=10)
    for interlock in plan.interlocks:
        if any(lock.startswith("decision.") for lock in interlock.locks):
            measure(stage, incident, interlock.needs)
    if "service.restored" not in {row["key"] for row in commander.all("fact")}:
        decide(stage, incident, "restore")
    work_off(stage)
    decide(stage, incident, "end", reason="全过程演练结束。")
    commander.sync()
    assert commander.one("incident", id=incident)["status"] == "ended"
    assert {order["key"] for order in commander.all("order")} >= reached(plan)
    review = commander.one("review")
    assert plan.review is None or {section.key for section in plan.review.sections} <= {
        one["key"] for one in review["sections"]
    }
    assert commander.get(f"/incidents/{incident}/verification")["intact"] is True


def decide(stage: Stage, incident: str, kind: str, **more: Any) -> None:
    stage["commander"].fact(f"/incidents/{incident}/decisions", {"kind": kind, **more})


def measure(stage: Stage, incident: str, needs: Condition) -> None:
    """Record what an interlock asks for."""
    for leaf in needs.leaves():
        step = {"<": -1, ">": 1}.get(leaf.op, 0)
        value = leaf.value + step if step and isinstance(leaf.value, int | float) else leaf.value
        body = {"key": leaf.name} if leaf.op == "fact" else {"key": leaf.name, "value": leaf.op == "flag" or value}
        stage["commander"].fact(f"/incidents/{incident}/facts", body)


def reached(plan: Plan) -> set[str]:
    """The orders that activation, the fallback and the evacuation send by themselves."""
    told = {"plan.activated", "fallback.decided", "evacuation.decided", "incident.reported"}
    phases = {phase.key for phase in plan.phases if told & set(phase.starts)}
    locked = {lock for interlock in plan.interlocks for lock in interlock.locks}
    later = {order for tier in (plan.manual.tiers if plan.manual else ()) for order in tier.orders}
    later |= {one.order for limit in plan.limits for one in limit.then if one.order}
    return {
        order.key
        for order in plan.orders
        if order.phase in phases
        and order.key not in later
        and not order.when
        and not order.levels
        and f"order.{order.key}" not in locked
    }


def work_off(stage: Stage) -> int:
    """Mark every item not marked yet, numbers at their lower bound, choices with the first answer; how many were taken."""
    commander = stage["commander"]
    commander.sync()
    done = {mark["item"] for mark in commander.all("mark")}
    for item in sorted(commander.all("item"), key=lambda row: (row["checklist"], row["position"])):
        if item["id"] not in done:
            commander.later(f"/items/{item['id']}/marks", {"value": value_of(item)})
    return sum(result["status"] == "applied" for result in commander.drain())


def value_of(item: dict[str, Any]) -> Any:
    if item["kind"] == "number":
        return item["min"] if item["min"] is not None else 1
    if item["kind"] == "choice":
        return item["choices"][0]["key"]
    return "已登记" if item["kind"] in ("text", "signature") else "done"


@pytest.mark.parametrize("plan", [LIBRARY / "004-01-conference-failure.yaml"], ids=["004-01"], indirect=True)
def test_d39_a_review_that_runs_from_the_cleared_fault_outlives_the_end(stage: Stage, plan: Plan) -> None:
    commander, incident = stage["commander"], new_id()
    commander.put(f"/incidents/{incident}", {"plan": plan.key, "trigger": "meeting-fault", "title": "会议系统掉线"})
    decide(stage, incident, "activate")
    stage.move(minutes=10)
    commander.fact(f"/incidents/{incident}/facts", {"key": "fault.cleared"})
    commander.sync()
    due = commander.one("limit", key="review")["due_at"]
    stage.move(hours=1)
    decide(stage, incident, "end", reason="会议已开完。")
    commander.sync()
    assert commander.one("limit", key="review")["status"] == "running"
    assert commander.one("review")["due_at"] == due
    stage.move(hours=46, minutes=59, seconds=59)
    commander.sync()
    assert commander.one("limit", key="review")["status"] == "running"
    stage.move(seconds=1)
    commander.sync()
    assert commander.one("limit", key="review")["status"] == "passed"
