"""D01–D39: every time limit of the sources, at its moment and not one second earlier, from the plan that holds it."""

from datetime import UTC, datetime, timedelta

import pytest

from server.domain import checklists
from server.domain.errors import Refused
from server.domain.rules import Plan, propose_level
from server.planning.compiler import compile_plan
from server.planning.simulate import Simulation
from tests.planning.test_library import FILES

START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)  # a Monday, ten in the morning in Shanghai
SECOND = timedelta(seconds=1)
MIN, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MIDNIGHT = 14 * HOUR

PLANS: dict[str, Plan] = {plan.source: plan for plan in (compile_plan(path.read_bytes(), path.name) for path in FILES)}

# row, source plan, the limit, the fact that starts it, its length, and one thing that must follow: (kind, rule or team)
CLOCKS = [
    ("D01", "000-01", "report-to-leaders", "incident.reported", 15 * MIN, ("ask", "activate")),
    ("D02", "000-04", "repair-15", "repair.started", 15 * MIN, ("ask", "fallback")),
    ("D03", "000-14", "restore-15", "incident.reported", 15 * MIN, ("ask", "activate")),
    ("D04", "000-21", "restore", "incident.reported", 15 * MIN, ("ask", "activate")),
    ("D05", "000-21", "review", "response.ended", 2 * DAY, ("alert", "review")),
    ("D07", "002-01", "not-restored-30", "service.interrupted", 30 * MIN, ("ask", "activate")),
    ("D07", "002-01", "tier-t30min", "service.interrupted", 30 * MIN, ("tier", "t30min")),
    ("D07", "002-03", "tier-t30min", "service.interrupted", 30 * MIN, ("tier", "t30min")),
    ("D08", "002-01", "tier-t6h", "service.interrupted", 6 * HOUR, ("order", "paper-ward")),
    ("D08", "002-03", "tier-t6h", "service.interrupted", 6 * HOUR, ("tier", "t6h")),
    ("D09", "002-01", "tier-t24h", "service.interrupted", 24 * HOUR, ("order", "all-paper")),
    ("D10", "002-01", "not-restored-30", "service.interrupted", 30 * MIN, ("order", "paper-cashier")),
    ("D11", "002-01", "tier-t24h", "service.interrupted", 24 * HOUR, ("order", "postpone-discharge")),
    ("D12", "002-01", "key-data-today", "service.restored", MIDNIGHT, ("alert", "key-data-today")),
    ("D12", "002-01", "all-data-next-day", "service.restored", MIDNIGHT + DAY, ("alert", "all-data-next-day")),
    ("D13", "002-03", "review", "fault.cleared", 2 * DAY, ("alert", "review")),
    ("D15", "002-02", "classified", "incident.reported", 30 * MIN, ("alert", "classified")),
    ("D16", "002-08", "four-hours", "level.grade.one", 4 * HOUR, ("ask", "fallback")),
    ("D17", "002-08", "two-hours", "level.grade.two", 2 * HOUR, ("alert", "two-hours")),
    ("D18", "002-09", "authority", "accident.happened", 2 * HOUR, ("alert", "authority")),
    ("D19", "002-09", "lessons", "accident.happened", MIDNIGHT + DAY, ("alert", "lessons")),
    ("D21", "002-10", "cause", "fault.software", 2 * HOUR, ("ask", "fallback")),
    ("D22", "002-10", "from-backup", "data.unrecoverable", 24 * HOUR, ("alert", "from-backup")),
    ("D23", "002-13b", "form", "response.ended", 4 * HOUR, ("alert", "form")),
    ("D24", "003-01", "level-overload-general-900", "seats.full", 15 * MIN, ("level_proposed", "overload.general")),
    ("D25", "003-01", "level-overload-major-1800", "seats.full", 30 * MIN, ("level_proposed", "overload.major")),
    ("D26", "003-02", "tell-supervisor", "fault.seen", 5 * MIN, ("alert", "tell-supervisor")),
    ("D27", "003-02", "tell-managers", "fault.seen", 10 * MIN, ("ask", "activate")),
    ("D28", "003-02", "other-action", "fault.seen", 60 * MIN, ("ask", "fallback")),
    ("D29", "003-02", "assess-staffing", "people.incident", 10 * MIN, ("alert", "assess-staffing")),
    ("D30", "003-02", "level-support-two-1800", "level.support.one", 30 * MIN, ("level_proposed", "support.two")),
    ("D31", "003-02", "level-support-three-1800", "level.support.two", 30 * MIN, ("level_proposed", "support.three")),
    ("D32", "003-03", "report-authorities", "head.informed", HOUR, ("alert", "report-authorities")),
    ("D36", "003-06", "relay", "incident.reported", 15 * MIN, ("alert", "relay")),
    ("D37", "003-06", "crew", "equipment.fault", 30 * MIN, ("alert", "crew")),
    ("D38", "003-06", "rescue-crew", "pipe.accident", 15 * MIN, ("alert", "rescue-crew")),
    ("D39", "004-01", "review", "fault.cleared", 48 * HOUR, ("alert", "review")),
]  # fmt: skip


@pytest.mark.parametrize(("row", "source", "key", "fact", "length", "follows"), CLOCKS, ids=lambda value: str(value))
def test_it_passes_at_the_limit_and_not_one_second_earlier(row, source, key, fact, length, follows):
    simulation = Simulation(PLANS[source], START)
    simulation.tell(fact)
    simulation.advance(START + length - SECOND)
    assert key not in passed(simulation)
    before = len(simulation.happenings)
    simulation.advance(START + length)
    assert key in passed(simulation)
    after = [(one.kind, one.rule) for one in simulation.happenings[before:] if one.at == START + length]
    assert follows in after
    simulation.advance(START + 30 * DAY)
    assert passed(simulation).count(key) == 1


def passed(simulation: Simulation) -> list[str]:
    return [one.rule for one in simulation.happenings if one.kind == "limit_passed"]


def test_d20_the_battery_sets_the_clock():
    simulation = Simulation(PLANS["002-10"], START)
    simulation.tell("power.lost")
    simulation.advance(START + 3 * MIN)
    simulation.tell("item.shutdown.runtime", 40)
    simulation.advance(START + 35 * MIN - SECOND)
    assert "before-battery-ends" not in passed(simulation)
    simulation.advance(START + 35 * MIN)
    assert "before-battery-ends" in passed(simulation)


LEVELS = [
    ("D06", "001-07", "crowd", {"crowd.lead-time": 361}, "yellow"),
    ("D06", "001-07", "crowd", {"crowd.lead-time": 360}, "orange"),
    ("D14", "002-02", "outage", {"outage.expected": 1.9}, "four"),
    ("D14", "002-02", "outage", {"outage.expected": 2}, "three"),
    ("D14", "002-02", "outage", {"outage.expected": 11.9}, "three"),
    ("D14", "002-02", "outage", {"outage.expected": 12}, "two"),
    ("D14", "002-02", "outage", {"outage.expected": 23.9}, "two"),
    ("D14", "002-02", "outage", {"outage.expected": 24}, "one"),
    ("D16", "002-08", "grade", {"down.hours": 1, "expected.hours": 4}, "two"),
    ("D16", "002-08", "grade", {"down.hours": 1.1, "expected.hours": 4}, "one"),
    ("D17", "002-08", "grade", {"down.hours": 1.1, "expected.hours": 2}, "two"),
    ("D17", "002-08", "grade", {"down.hours": 1.1, "expected.hours": 2.1}, "one"),
    ("D33", "003-03", "response", {"load.drop": 50, "load.time": 119.9}, "department"),
    ("D33", "003-03", "response", {"load.drop": 50, "load.time": 120}, "company"),
    ("D33 T07", "003-03", "response", {"load.drop": 49.9, "load.time": 120}, "department"),
    ("D34", "003-03", "response", {"load.drop": 20, "load.time": 59.9}, None),
    ("D34 T07", "003-03", "response", {"load.drop": 20, "load.time": 60}, "department"),
    ("D34 T07", "003-03", "response", {"load.drop": 19.9, "load.time": 60}, None),
    ("D34", "003-03", "response", {"load.drop": 1, "supply.limited": True, "load.time": 60}, "department"),
    ("3.0.3", "003-03", "response", {"judged.deaths": True}, "company"),
    ("D35", "003-06", "accident", {"stop.hours": 24}, "general"),
    ("D35", "003-06", "accident", {"stop.hours": 24.1}, "larger"),
    ("D35", "003-06", "accident", {"stop.hours": 48}, "larger"),
    ("D35", "003-06", "accident", {"stop.hours": 48.1}, "major"),
    ("T08", "003-06", "accident", {"loss": 9999}, "general"),
    ("T08", "003-06", "accident", {"loss": 10000}, "larger"),
    ("T08", "003-06", "accident", {"loss": 50000}, "larger"),
    ("T08", "003-06", "accident", {"loss": 50001}, "major"),
    ("T08", "003-06", "accident", {"injured": 1}, "general"),
    ("T08", "003-06", "accident", {"injured": 2}, "larger"),
    ("T08", "003-06", "accident", {"injured": 5}, "larger"),
    ("T08", "003-06", "accident", {"injured": 6}, "major"),
    ("T08", "003-06", "accident", {"dead": 0}, None),
    ("T08", "003-06", "accident", {"dead": 1}, "major"),
    ("T01", "002-10", "heat", {"room.temperature": 39.9}, None),
    ("T01", "002-10", "heat", {"room.temperature": 40}, "critical"),
    ("T05", "002-15", "leak", {"tank.fire": True, "leak.large": True}, "fire"),
    ("T04", "002-15", "leak", {"leak.large": True}, "large"),
    ("T03", "002-15", "leak", {"gas.lel-percent": 1}, "small"),
    ("T11", "001-06", "severity", {"recovery.hours": 3.9}, "low"),
    ("T11", "001-06", "severity", {"recovery.hours": 4}, "high"),
    ("T11", "001-06", "severity", {"complaints.multiple": 2.9, "staff.enough": False}, None),
    ("T11", "001-06", "severity", {"complaints.multiple": 3, "staff.enough": True}, "low"),
    ("T11", "001-06", "severity", {"complaints.multiple": 3, "staff.enough": False}, "high"),
    ("3.0.3", "002-01", "fault-class", {"fault": "server"}, "one"),
    ("3.0.3", "002-01", "fault-class", {"fault": "single-terminal"}, "two"),
    ("3.0.3", "002-01", "fault-class", {"fault": "operator"}, "three"),
    ("3.0.3", "002-01", "fault-class", {"fault": "insurance-line"}, "insurance"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "source", "scale", "measures", "level"), LEVELS)
def test_the_level_on_both_sides_of_a_bound(row, source, scale, measures, level):
    found = propose_level(PLANS[source], scale, measures)
    assert (found.level.key if found else None) == level, row


@pytest.mark.parametrize(("value", "open_"), [(None, False), (25.1, False), (25, True), (10, True)])
def test_t02_the_cordon_is_lifted_at_a_quarter_of_the_lower_limit(value, open_):
    simulation = Simulation(PLANS["002-15"], START)
    simulation.tell("source.cut")
    if value is not None:
        simulation.tell("gas.lel-percent", value)
    simulation.tell("response.ended")
    assert ("response.ended" in simulation.happened) is open_


def test_no_flame_is_put_out_before_the_source_is_cut():
    simulation = Simulation(PLANS["002-15"], START)
    simulation.tell("item.flame.extinguish")
    assert [one.rule for one in simulation.happenings] == ["item.flame.extinguish"]
    assert simulation.happenings[0].kind == "locked"
    simulation.tell("source.cut")
    simulation.tell("item.flame.extinguish")
    assert [one.kind for one in simulation.happenings].count("locked") == 1


@pytest.mark.parametrize(
    ("row", "key", "metres"), [("T03", "cordon-area", 100), ("T04", "large-area", 800), ("T05", "fire-area", 1600)]
)
def test_the_zones_of_a_gas_leak(row, key, metres):
    zone = next(one for one in PLANS["002-15"].zones if one.key == key)
    assert (zone.radius_m, zone.no_phone, zone.clause.ref) == (metres, True, f"002-15 {row}")


def test_t06_the_repair_cordon_is_three_metres():
    plan = PLANS["003-03"]
    assert plan.zones[0].radius_m == 3
    assert plan.checklist("cordon").items[0].min == 3


@pytest.mark.parametrize(("people", "told"), [(1, False), (2, True)])
def test_t09_two_people_go_to_the_centre_leader(people, told):
    simulation = Simulation(PLANS["003-02"], START)
    simulation.tell("people.affected", people)
    simulation.tell("people.incident")
    simulation.advance(START + 5 * MIN)
    assert ("two-people" in passed(simulation)) is told


def test_t10_sampling_has_its_lower_bound():
    item = PLANS["002-09"].checklist("goods-in").items[0]
    assert (item.min, item.unit) == (20, "%")


@pytest.mark.parametrize(
    ("source", "listed", "low", "least"), [("002-09", "goods-in", 19.9, 20), ("003-03", "cordon", 2.9, 3)]
)
def test_t06_and_t10_nothing_below_the_bound_is_taken_as_done(source, listed, low, least):
    rule = PLANS[source].checklist(listed).items[0]
    item = checklists.Item(kind=rule.kind, unit=rule.unit, min=rule.min, max=rule.max)
    checklists.check_value(item, least, rule.unit)
    with pytest.raises(Refused) as refused:
        checklists.check_value(item, low, rule.unit)
    assert refused.value.code == "value_out_of_bounds"


def test_every_row_is_shown_as_a_clause():
    """Each of D01–D39 and T01–T11 stands in a clause of the library; T12 is site data and stands in a note."""
    text = "".join(str(plan.to_json()) for plan in PLANS.values())
    rows = [f"D{number:02}" for number in range(1, 40)] + [f"T{number:02}" for number in range(1, 13)]
    assert [row for row in rows if row not in text] == []
