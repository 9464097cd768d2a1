"""What the ticketing and meeting plans promise: who decides, what goes out only then, which step waits for which."""

from datetime import UTC, datetime, timedelta

import pytest

from server.domain.rules import Plan, routes_for
from server.planning.compiler import compile_plan
from server.planning.simulate import Happening, Simulation
from tests.planning.test_library import FILES

START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
SECOND, MIN = timedelta(seconds=1), timedelta(minutes=1)

PLANS: dict[str, Plan] = {plan.source: plan for plan in (compile_plan(path.read_bytes(), path.name) for path in FILES)}
OURS = [*(f"000-{number:02}" for number in range(1, 21)), "004-01"]


def test_every_plan_of_files_000_and_004_is_in_the_library():
    assert set(OURS) <= set(PLANS)


def at(source: str, *told: tuple[timedelta, str, bool | int | str], until: timedelta = timedelta()) -> Simulation:
    """The plan with facts and measures told at their times, advanced to `until` after the start."""
    simulation = Simulation(PLANS[source], START)
    for when, name, value in told:
        simulation.advance(START + when)
        simulation.tell(name, value)
    simulation.advance(max(simulation.now, START + until))
    return simulation


def rules(found: list[Happening], kind: str) -> list[str]:
    return [one.rule for one in found if one.kind == kind]


def now(rule: str, value: bool | int | str = True) -> tuple[timedelta, str, bool | int | str]:
    return timedelta(), rule, value


@pytest.mark.parametrize("source", OURS)
def test_only_the_deciding_team_is_asked_to_activate(source):
    """LINT-2: nobody below the leadership activates, and nothing activates by itself."""
    plan = PLANS[source]
    simulation = at(
        source,
        now("incident.forecast"),
        now("incident.reported"),
        now("service.interrupted"),
        until=2 * timedelta(days=1),
    )
    asked = [one for one in simulation.happenings if one.kind == "ask" and one.rule == "activate"]
    assert asked
    assert {one.to for one in asked} == {(plan.authority.decides,)}
    assert plan.team(plan.authority.decides).kind == "leadership"
    assert "plan.activated" not in simulation.happened


@pytest.mark.parametrize("source", OURS)
def test_no_order_of_the_response_goes_out_before_the_decision(source):
    plan = PLANS[source]
    simulation = at(source, now("incident.reported"), now("service.interrupted"), until=timedelta(hours=12))
    phases = {phase.key for phase in plan.phases if "plan.activated" in phase.starts}
    assert phases
    assert not [key for key in rules(simulation.happenings, "order") if plan.order(key).phase in phases]


def test_d01_the_decision_makes_five_orders_and_nothing_makes_one_before():
    before = at("000-01", now("incident.reported"), until=60 * MIN)
    assert rules(before.happenings, "order") == []
    before.tell("plan.activated")
    teams = [one.to for one in before.happenings if one.kind == "order"]
    assert sorted(teams) == [("customer-service",), ("it",), ("logistics",), ("operations",), ("security",)]


@pytest.mark.parametrize("end", ["leaders.told", "report.fault.sent", "incident.dismissed"])
def test_d01_is_met_by_the_report_in_the_last_second_and_not_by_restoration(end):
    met = at("000-01", now("incident.reported"), (15 * MIN - SECOND, end, True), until=60 * MIN)
    assert "report-to-leaders" not in rules(met.happenings, "limit_passed")
    restored = at("000-01", now("incident.reported"), (14 * MIN, "service.restored", True), until=60 * MIN)
    assert "report-to-leaders" in rules(restored.happenings, "limit_passed")


def test_d02_counts_from_the_repair_and_asks_for_the_fallback_only():
    simulation = at(
        "000-04", now("incident.reported"), (4 * MIN, "plan.activated", True), (7 * MIN, "item.repair.started", True)
    )
    simulation.advance(START + 22 * MIN - SECOND)
    assert "fallback" not in rules(simulation.happenings, "ask")
    simulation.advance(START + 22 * MIN)
    assert rules(simulation.happenings, "ask") == ["fallback"]
    assert "start-fallback" not in rules(simulation.happenings, "order")
    simulation.tell("fallback.decided")
    assert {"start-fallback", "sell-by-fallback", "announce-fallback"} <= set(rules(simulation.happenings, "order"))


def test_d03_asks_once_and_the_second_trigger_does_not_wait():
    interrupted = at(
        "000-14", now("service.interrupted"), (15 * MIN - SECOND, "service.restored", True), until=60 * MIN
    )
    assert rules(interrupted.happenings, "ask") == []
    told = [route.to[0] for route in routes_for(PLANS["000-14"], "incident.reported", "working")]
    assert told == ["leadership"]


def test_d39_runs_from_the_cleared_fault_whether_or_not_the_response_has_ended():
    simulation = at("004-01", now("fault.cleared"), (60 * MIN, "response.ended", True))
    simulation.advance(START + timedelta(hours=48) - SECOND)
    assert "review" not in rules(simulation.happenings, "limit_passed")
    simulation.advance(START + timedelta(hours=48))
    assert rules(simulation.happenings, "limit_passed").count("review") == 1


def test_a_restart_waits_until_the_participants_are_warned():
    simulation = at("004-01", now("plan.activated"), now("item.repair.restart"))
    assert rules(simulation.happenings, "locked") == ["item.repair.restart"]
    simulation.tell("item.repair.warned")
    simulation.tell("item.repair.restart")
    assert len(rules(simulation.happenings, "locked")) == 1


@pytest.mark.parametrize(
    ("cause", "order"), [("virus", "isolate"), ("interface", "call-supplier"), ("network", None), ("equipment", None)]
)
def test_each_cause_has_its_own_branch(cause, order):
    simulation = at("000-02", now("plan.activated"), now("item.find-cause.cause", cause))
    branches = {"isolate", "call-supplier"} & set(rules(simulation.happenings, "order"))
    assert branches == ({order} if order else set())


@pytest.mark.parametrize("known", [[], ["service.restored"], ["passengers.calm"]])
def test_it_ends_only_with_the_system_back_and_the_passengers_calm(known):
    simulation = at("000-19", now("plan.activated"), *(now(fact) for fact in known), now("response.ended"))
    assert "response.ended" not in simulation.happened
    for fact in ("service.restored", "passengers.calm", "response.ended"):
        simulation.tell(fact)
    assert "response.ended" in simulation.happened


@pytest.mark.parametrize(("difference", "done"), [(1, False), (-1, False), (0, True)])
def test_offline_sales_are_reconciled_to_zero(difference, done):
    simulation = at(
        "000-07", now("plan.activated"), now("service.restored"), now("item.reconcile.difference", difference)
    )
    simulation.tell("item.reconcile.done")
    assert ("quota.reconciled" in simulation.happened) is done


def test_a_scheme_is_approved_before_it_is_carried_out():
    simulation = at("000-10", now("incident.reported"), now("plan.activated"), now("scheme.submitted"))
    assert "carry-out-scheme" not in rules(simulation.happenings, "order")
    simulation.tell("scheme.approved")
    assert "carry-out-scheme" in rules(simulation.happenings, "order")


def test_evacuation_is_a_decision_of_its_own():
    simulation = at("000-12", now("incident.reported"), now("plan.activated"), until=10 * MIN - SECOND)
    assert not {"evacuate", "guide-exits"} & set(rules(simulation.happenings, "order"))
    assert "evacuate" not in rules(simulation.happenings, "ask")
    simulation.advance(START + 10 * MIN)
    assert rules(simulation.happenings, "ask") == ["evacuate"]
    simulation.tell("evacuation.decided")
    assert {"evacuate", "guide-exits"} <= set(rules(simulation.happenings, "order"))


def test_the_phone_is_the_last_channel():
    plan = PLANS["000-13"]
    assert [route.key for route in routes_for(plan, "incident.reported", "night")] == ["alarm-ladder"]
    ladder = next(route for route in plan.routes if route.key == "alarm-ladder")
    assert ladder.then == "by-phone"


def test_people_hurt_open_the_medical_plan():
    simulation = at("000-20", now("plan.activated"))
    assert "medical" not in rules(simulation.happenings, "order")
    simulation.tell("people.hurt")
    assert "medical" in rules(simulation.happenings, "order")


def test_sabotage_is_repaired_after_the_scene_is_protected():
    simulation = at("000-06", now("plan.activated"), now("item.verify.event", "sabotage"))
    assert "protect-scene" in rules(simulation.happenings, "order")
    assert "repair-damage" not in rules(simulation.happenings, "order")
    simulation.tell("item.protect-scene.done")
    assert "repair-damage" in rules(simulation.happenings, "order")


@pytest.mark.parametrize(
    ("family", "order"),
    [
        ("natural", "natural-steps"),
        ("accident", "accident-steps"),
        ("health", "health-steps"),
        ("security", "security-steps"),
    ],
)
def test_each_family_of_disaster_has_its_steps(family, order):
    simulation = at("000-15", now("plan.activated"), now("item.report.family", family))
    assert {key for key in rules(simulation.happenings, "order") if key.endswith("-steps")} == {order}


def test_a_quick_fix_has_fifteen_minutes_before_sale_by_hand_is_asked_for():
    simulation = at("000-08", now("plan.activated"), until=15 * MIN - SECOND)
    assert "fallback" not in rules(simulation.happenings, "ask")
    simulation.advance(START + 15 * MIN)
    assert rules(simulation.happenings, "ask") == ["fallback"]
    simulation.tell("fallback.decided")
    assert {"sell-by-hand", "check-by-hand"} <= set(rules(simulation.happenings, "order"))


def test_a_notice_of_the_detailed_plan_names_cause_progress_and_time():
    plan = PLANS["000-18"]
    assert plan.notice("fault").fields == ("cause", "progress", "eta")
    simulation = at("000-18", now("plan.activated"), now("notice.fault.published"), until=30 * MIN - SECOND)
    assert "update" not in rules(simulation.happenings, "notice")
    simulation.advance(START + 30 * MIN)
    assert "update" in rules(simulation.happenings, "notice")
