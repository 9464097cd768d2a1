"""Every stated limit of the plans of files 001 to 003: it passes at its moment, and any of its ends a second earlier meets it."""

from datetime import UTC, datetime, timedelta

import pytest

from server.domain.rules import LimitRule, Plan
from server.domain.rules.conditions import Condition
from server.planning.compiler import compile_plan
from server.planning.simulate import Simulation
from tests.planning.test_library import FILES

START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)  # a Monday, ten in the morning in Shanghai
SECOND = timedelta(seconds=1)
PLANS = [compile_plan(path.read_bytes(), path.name) for path in FILES if path.name.startswith(("001", "002", "003"))]
LIMITS = [(plan, limit) for plan in PLANS for limit in plan.limits if limit.length.kind in ("span", "at_once")]
STARTS = [pytest.param(*one, id=f"{one[0].source}-{one[1].key}") for one in LIMITS]
ENDS = [
    pytest.param(plan, limit, end, id=f"{plan.source}-{limit.key}-{end}")
    for plan, limit in LIMITS
    for end in limit.ends
    if end != "incident.dismissed"
]


@pytest.mark.parametrize(("plan", "limit"), STARTS)
def test_it_passes_at_its_moment_from_each_of_its_starts(plan, limit):
    for start in limit.starts:
        simulation, due = _running(plan, limit, start)
        simulation.advance(due - SECOND)
        assert _kinds(simulation, limit) == ["limit_started"]
        simulation.advance(due)
        assert _kinds(simulation, limit) == ["limit_started", "limit_passed"]
        simulation.advance(due + timedelta(days=30))
        assert _kinds(simulation, limit) == ["limit_started", "limit_passed"]


@pytest.mark.parametrize(("plan", "limit", "end"), ENDS)
def test_an_end_in_the_last_second_meets_it(plan, limit, end):
    simulation, due = _running(plan, limit, limit.starts[0])
    simulation.advance(due - SECOND)
    simulation.tell(end)
    simulation.advance(due + timedelta(days=30))
    assert _kinds(simulation, limit) == ["limit_started", "limit_met"]


@pytest.mark.parametrize(("plan", "limit"), STARTS)
def test_a_dismissed_incident_stops_it(plan, limit):
    simulation, due = _running(plan, limit, limit.starts[0])
    simulation.tell("incident.dismissed")
    simulation.advance(due + timedelta(days=30))
    assert "limit_passed" not in _kinds(simulation, limit)


def _running(plan: Plan, limit: LimitRule, start: str) -> tuple[Simulation, datetime]:
    simulation = Simulation(plan, START)
    for interlock in plan.interlocks:
        _satisfy(simulation, interlock.needs, limit)
    if limit.when:
        _satisfy(simulation, limit.when, limit)
    simulation.tell(start)
    due = START + timedelta(seconds=limit.length.seconds or 300)
    begun = [one.due for one in simulation.happenings if one.rule == limit.key and one.kind == "limit_started"]
    assert begun == [due]
    return simulation, due


def _satisfy(simulation: Simulation, condition: Condition, limit: LimitRule) -> None:
    """Make a condition hold, without the facts that would start or end the limit under test."""
    for leaf in condition.leaves():
        if leaf.name in (*limit.starts, *limit.ends):
            continue
        if leaf.op in ("fact", "flag"):
            simulation.tell(leaf.name)
        elif leaf.value is not None:
            step = {"<": -1, ">": 1}.get(leaf.op, 0)
            simulation.tell(leaf.name, leaf.value + step if isinstance(leaf.value, int | float) else leaf.value)


def _kinds(simulation: Simulation, limit: LimitRule) -> list[str]:
    return [one.kind for one in simulation.happenings if one.rule == limit.key and one.kind.startswith("limit_")]
