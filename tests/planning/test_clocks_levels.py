"""Levels reached by time alone, clocks that stop when the trouble eases, and things that stay shut until they are safe."""

from datetime import UTC, datetime, timedelta

import pytest

from server.domain.rules import Plan, propose_level, zones_in_force
from server.planning.compiler import compile_plan
from server.planning.simulate import Simulation
from tests.planning.test_library import FILES

START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)  # a Monday, ten in the morning in Shanghai
SECOND, MIN, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
PLANS: dict[str, Plan] = {plan.source: plan for plan in (compile_plan(path.read_bytes(), path.name) for path in FILES)}

# row, plan, what is known before, the fact that starts the count, when the level is proposed, the level
BY_TIME = [
    ("D16", "002-08", {"expected.hours": 3}, "service.interrupted", HOUR + SECOND, "grade.one"),
    ("D24", "003-01", {}, "seats.full", 15 * MIN, "overload.general"),
    ("D25", "003-01", {}, "seats.full", 30 * MIN, "overload.major"),
    ("D30", "003-02", {}, "level.support.one", 30 * MIN, "support.two"),
    ("D31", "003-02", {}, "level.support.two", 30 * MIN, "support.three"),
    ("D33", "003-03", {"load.drop": 50}, "load.lost", 120 * MIN, "response.company"),
    ("D34", "003-03", {"load.drop": 20}, "load.lost", 60 * MIN, "response.department"),
    ("D34", "003-03", {"supply.limited": True}, "load.lost", 60 * MIN, "response.department"),
    ("D35", "003-06", {}, "service.interrupted", DAY + SECOND, "accident.larger"),
    ("D35", "003-06", {}, "service.interrupted", 2 * DAY + SECOND, "accident.major"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "source", "known", "fact", "after", "level"), BY_TIME)
def test_the_level_is_proposed_when_time_alone_reaches_it(row, source, known, fact, after, level):
    simulation = _begun(source, known, fact)
    simulation.advance(START + after - SECOND)
    assert level not in _proposed(simulation), row
    simulation.advance(START + after)
    assert level in _proposed(simulation), row


@pytest.mark.parametrize(
    ("source", "known", "fact", "after", "level", "eases"),
    [
        ("003-01", {}, "seats.full", 15 * MIN, "overload.general", "seats.free"),
        ("003-02", {}, "level.support.one", 30 * MIN, "support.two", "surge.eased"),
        ("003-03", {"load.drop": 50}, "load.lost", 120 * MIN, "response.company", "load.regained"),
        ("003-06", {}, "service.interrupted", DAY + SECOND, "accident.larger", "service.restored"),
    ],
)
def test_the_count_stops_when_the_trouble_eases(source, known, fact, after, level, eases):
    simulation = _begun(source, known, fact)
    simulation.advance(START + after - SECOND)
    simulation.tell(eases)
    simulation.advance(START + after + 10 * DAY)
    assert level not in _proposed(simulation)


@pytest.mark.parametrize("source", ["002-02", "002-04"])
@pytest.mark.parametrize(
    ("hours", "level"), [(0, "four"), (1.99, "four"), (2, "three"), (11.99, "three"), (12, "two"), (23.99, "two"), (24, "one"), (100, "one")]
)  # fmt: skip
def test_d14_both_insurance_plans_have_all_four_levels(source, hours, level):
    found = propose_level(PLANS[source], "outage", {"outage.expected": hours})
    assert found is not None
    assert found.level.key == level


def test_a_proposal_says_its_units_in_the_readers_language():
    found = propose_level(PLANS["002-02"], "outage", {"outage.expected": 24})
    assert found is not None
    assert "24 小时" in found.reason.zh
    assert "24 h" in found.reason.en


@pytest.mark.parametrize("source", ["002-01", "002-03", "002-07"])
@pytest.mark.parametrize(
    ("row", "after", "orders"),
    [
        ("D07", 30 * MIN, {"paper-clinic", "paper-pharmacy", "paper-cashier"}),
        ("D08", 6 * HOUR, {"paper-ward", "paper-exams"}),
        ("D09", 24 * HOUR, {"all-paper", "postpone-discharge"}),
    ],
)
def test_each_hospital_goes_to_paper_tier_by_tier(source, row, after, orders):
    simulation = _begun(source, {}, "service.interrupted")
    simulation.tell("plan.activated")  # an early activation sends no post to paper before its tier
    simulation.advance(START + after - SECOND)
    assert not orders & _orders(simulation), row
    simulation.advance(START + after)
    assert orders <= _orders(simulation), row


@pytest.mark.parametrize(("reading", "all_points", "open_"), [(None, True, False), (25.1, True, False), (25, False, False), (25, True, True)])  # fmt: skip
def test_t02_the_station_lifts_its_cordon_at_a_quarter_of_the_lower_limit(reading, all_points, open_):
    simulation = _begun("002-12", {"points.safe": all_points}, "plan.activated")
    if reading is not None:
        simulation.tell("gas.lel", reading)
    simulation.tell("situation.controlled")
    assert ("lift-cordon" in _orders(simulation)) is open_


def test_t02_the_lower_of_the_two_stated_limits_counts_in_both_gas_plans():
    values = {fact.value for source in ("002-12", "002-15") for fact in PLANS[source].safety_facts if fact.key == "lower-limit"}  # fmt: skip
    assert values == {2.5}


@pytest.mark.parametrize(("tonnes", "locked"), [(199.9, False), (200, True), (None, True)])
def test_t12_nothing_is_unloaded_into_a_full_station(tonnes, locked):
    simulation = Simulation(PLANS["002-12"], START)
    if tonnes is not None:
        simulation.tell("stock.tons", tonnes)
    simulation.tell("item.stock.unload")
    assert ("locked" in [one.kind for one in simulation.happenings]) is locked


@pytest.mark.parametrize(
    ("known", "radii"),
    [
        ({}, {100, 800, 1600}),
        ({"leak.large": False, "tank.fire": False}, {100}),
        ({"leak.large": True, "tank.fire": False}, {100, 800}),
        ({"leak.large": False, "tank.fire": True}, {100, 800, 1600}),
    ],
)
def test_t03_to_t05_a_zone_counts_until_it_is_known_not_to(known, radii):
    assert {zone.radius_m for zone in zones_in_force(PLANS["002-15"], known)} == radii


@pytest.mark.parametrize(("degrees", "issued"), [(39.9, set()), (40, {"shut-down", "open-door"})])
def test_t01_the_machine_room_is_shut_down_at_forty_degrees(degrees, issued):
    simulation = _begun("002-10", {}, "incident.reported")
    simulation.tell("room.temperature", degrees)
    assert _orders(simulation) & {"shut-down", "open-door"} == issued


def test_d20_the_generator_carries_the_load_before_the_battery_ends():
    simulation = _begun("002-06", {}, "power.lost")
    simulation.advance(START + 2 * MIN)
    simulation.tell("ups.runtime", 30)
    simulation.advance(START + 25 * MIN - SECOND)
    assert "generator-before-battery" not in _passed(simulation)
    simulation.advance(START + 25 * MIN)
    assert "generator-before-battery" in _passed(simulation)


@pytest.mark.parametrize(("approved", "share", "cut"), [(False, 40, False), (True, 51, False), (True, 50, True)])
def test_a_drill_really_cuts_the_network_only_when_approved_and_quiet(approved, share, cut):
    simulation = _begun("002-05", {"outpatients": share}, "plan.activated")
    if approved:
        simulation.tell("risk.approved")
    simulation.tell("item.cut.cut-now")
    assert ("cut.done" in simulation.happened) is cut


def test_only_the_security_administrator_s_check_opens_the_way_back_to_the_network():
    simulation = _begun("002-10", {}, "plan.activated")
    simulation.tell("item.attack.reconnect")
    assert [one.rule for one in simulation.happenings if one.kind == "locked"] == ["item.attack.reconnect"]
    simulation.tell("network.clean")
    simulation.tell("item.attack.reconnect")
    assert len([one for one in simulation.happenings if one.kind == "locked"]) == 1


def _begun(source: str, known: dict[str, bool | int | float | str], fact: str) -> Simulation:
    simulation = Simulation(PLANS[source], START)
    for name, value in known.items():
        simulation.tell(name, value)
    simulation.tell(fact)
    return simulation


def _proposed(simulation: Simulation) -> set[str]:
    return {one.rule for one in simulation.happenings if one.kind == "level_proposed"}


def _orders(simulation: Simulation) -> set[str]:
    return {one.rule for one in simulation.happenings if one.kind == "order"}


def _passed(simulation: Simulation) -> list[str]:
    return [one.rule for one in simulation.happenings if one.kind == "limit_passed"]
