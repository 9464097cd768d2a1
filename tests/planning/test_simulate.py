"""The simulator: limits at their moment and not a second earlier, levels on both sides of a bound, locks, and any order of facts."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.domain.rules import LimitRule, Plan, all_limits, is_lowering, lasting, moot, propose_level, tier_at
from server.domain.rules.timing import OVER, TROUBLE
from server.planning.compiler import compile_plan
from server.planning.simulate import Happening, Simulation, Step, simulate
from server.planning.steps import StepUnfit
from tests.planning.plan_texts import SOUND, changed, with_more

LIBRARY = Path(__file__).parents[2] / "server" / "planning" / "library"
START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)  # a Monday, ten in the morning in Shanghai
SECOND = timedelta(seconds=1)


def library(name: str) -> Plan:
    return compile_plan((LIBRARY / f"{name}.yaml").read_bytes(), name)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def of_kind(found: list[Happening], kind: str) -> list[Happening]:
    return [one for one in found if one.kind == kind]


def passed(found: list[Happening], key: str) -> list[datetime]:
    return [one.at for one in of_kind(found, "limit_passed") if one.rule == key]


def test_a_limit_passes_at_its_moment_and_not_a_second_earlier():
    simulation = Simulation(compile_plan(SOUND), START)
    simulation.tell("plan.activated")
    simulation.advance(START + minutes(30) - SECOND)
    assert not passed(simulation.happenings, "eased")
    simulation.advance(START + minutes(30))
    assert passed(simulation.happenings, "eased") == [START + minutes(30)]
    simulation.advance(START + minutes(300))
    assert len(passed(simulation.happenings, "eased")) == 1


def test_the_end_fact_in_the_last_second_meets_the_limit():
    plan = compile_plan(SOUND)
    steps = [Step(minutes(0), "plan.activated"), Step(minutes(30) - SECOND, "situation.controlled")]
    found = simulate(plan, steps, START)
    assert not passed(found, "eased")
    assert [one.rule for one in of_kind(found, "limit_met")] == ["eased"]


def test_no_order_before_the_decision():
    plan = library("000-21-scenic-ticketing-failure")
    found = simulate(plan, [Step(minutes(0), "incident.reported")], START)
    assert [one.rule for one in of_kind(found, "order")] == ["it-repair"]
    leaders = [one for one in of_kind(found, "alert") if "leadership" in one.to]
    assert [one.at for one in leaders] == [START + minutes(15)]  # of the limit; not again of the order
    assert [(one.rule, one.to) for one in of_kind(found, "ask")] == [("activate", ("leadership",))]


def test_the_decision_sends_each_team_its_order():
    plan = library("000-21-scenic-ticketing-failure")
    steps = [Step(minutes(0), "incident.reported"), Step(minutes(16), "plan.activated")]
    orders = {
        one.to[0]: one.rule for one in of_kind(simulate(plan, steps, START), "order") if one.at == START + minutes(16)
    }
    assert orders == {
        "office": "office-publish",
        "visitor-centre": "paper-sale",
        "inspection": "paper-check",
        "enforcement": "keep-order",
        "finance": "ticket-accounts",
        "it": "it-restore",
        "logistics": "paper-supply",
    }


def test_gates_get_both_orders_and_the_review_has_two_days():
    plan = library("000-21-scenic-ticketing-failure")
    steps = [
        Step(minutes(0), "incident.reported"),
        Step(minutes(16), "plan.activated"),
        Step(minutes(40), "item.it-restoration.restored"),
        Step(minutes(60), "response.ended"),
    ]
    found = simulate(plan, steps, START)
    assert [one.rule for one in of_kind(found, "order") if one.to == ("inspection",)] == ["paper-check", "gates-back"]
    assert passed(found, "review") == [START + minutes(60) + timedelta(days=2)]


@pytest.mark.parametrize(
    ("lead", "level"),
    [(1441, None), (1440, "blue"), (721, "blue"), (720, "yellow"), (361, "yellow"), (360, "orange"), (359, "orange"),
     (181, "orange"), (180, "red"), (179, "red"), (0, "red")],
)  # fmt: skip
def test_d06_lead_time_colours(lead, level):
    found = propose_level(library("001-07-large-crowd"), "crowd", {"crowd.lead-time": lead})
    assert (found.level.key if found else None) == level


def test_a_proposal_says_why():
    found = propose_level(library("001-07-large-crowd"), "crowd", {"crowd.lead-time": 359})
    assert found is not None
    assert "359" in found.reason.zh
    assert found.clause.ref == "001-07 D06"


def test_lowering_is_told_apart():
    plan = library("001-07-large-crowd")
    assert is_lowering(plan, "crowd", "red", "orange")
    assert is_lowering(plan, "crowd", "blue", None)
    assert not is_lowering(plan, "crowd", None, "blue")
    assert not is_lowering(plan, "crowd", "orange", "red")


def test_the_end_stays_locked_until_it_is_measured():
    plan = library("001-07-large-crowd")
    steps = [Step(minutes(0), "plan.activated"), Step(minutes(5), "order.normal"), Step(minutes(10), "response.ended")]
    found = simulate(plan, steps, START)
    assert [one.rule for one in of_kind(found, "locked")] == ["decision.end"]
    safe = [*steps, Step(minutes(11), "crowd.occupancy", 79), Step(minutes(12), "response.ended")]
    assert "response.ended" in [one.rule for one in simulate(plan, safe, START) if one.at == START + minutes(12)]


ELAPSED = """\
manual:
  by: leadership
  clause: 1 | 分级转手工。 | Tiers.
  tiers:
    - {key: first, title: 一级 | First, after: 30 min, posts: [window], words: 转手工。 | Paper.}
    - {key: second, title: 二级 | Second, after: 6 h, posts: [], words: 转手工。 | Paper.}
"""


def test_tiers_by_outage_time():
    plan = compile_plan(with_more(ELAPSED))
    reached = [tier_at(plan, one) for one in (minutes(30) - SECOND, minutes(30), minutes(360) - SECOND, minutes(360))]
    assert [tier.key if tier else None for tier in reached] == [None, "first", "first", "second"]
    found = simulate(plan, [Step(minutes(0), "service.interrupted"), Step(minutes(359), "service.restored")], START)
    assert [(one.rule, one.at) for one in of_kind(found, "tier")] == [("first", START + minutes(30))]


@pytest.mark.parametrize(("sign", "extra"), [(">=", 0), (">", 1)])
def test_a_level_reached_by_time_alone(sign, extra):
    text = changed(
        (
            "  - {key: gas.lel,",
            "  - {key: down, title: 时长 | Time, kind: elapsed, unit: min, since: service.interrupted}\n  - {key: gas.lel,",
        ),
        ("when: queue.people >= 60", f"when: queue.people >= 60 or down {sign} 2 h"),
    )
    found = simulate(compile_plan(text), [Step(minutes(0), "service.interrupted")], START)
    proposed = [(one.rule, one.at) for one in of_kind(found, "level_proposed")]
    assert proposed == [("queue.heavy", START + minutes(120) + extra * SECOND)]


def test_a_measured_length_waits_for_its_measure():
    text = changed(
        ("  - {key: gas.lel,", "  - {key: ups, title: 续航 | Battery, kind: number, unit: min}\n  - {key: gas.lel,"),
        ("    length: 30 min", "    length: measured ups less 5 min"),
    )
    plan = compile_plan(text)
    found = simulate(plan, [Step(minutes(0), "plan.activated"), Step(minutes(3), "ups", 40)], START)
    assert of_kind(found, "limit_waiting")
    assert passed(found, "eased") == [START + minutes(35)]


@pytest.mark.parametrize(("length", "hour"), [("end of day", 14), ("next day", 38)])
def test_days_end_at_midnight_in_the_plan_s_zone(length, hour):
    plan = compile_plan(changed(("length: 30 min", f"length: {length}")) + "timezone: Asia/Shanghai\n")
    found = simulate(plan, [Step(minutes(0), "plan.activated")], START)
    assert passed(found, "eased") == [START + timedelta(hours=hour)]


def test_an_interlocked_item_cannot_be_marked():
    lock = (
        "interlocks:\n  - {key: lel, title: 浓度 | Gas, locks: [item.open-counters.cut], needs: gas.lel <= 25 %, "
        "words: 须降到 25% 以下。 | Must be 25 % or less., clause: T02 | 降到爆炸下限的四分之一。 | A quarter.}\n"
    )
    plan = compile_plan(with_more(lock))
    for value, locked in ((None, True), (25.1, True), (25, False)):
        simulation = Simulation(plan, START)
        if value is not None:
            simulation.tell("gas.lel", value)
        simulation.tell("item.open-counters.cut")
        assert ("source.cut" not in simulation.happened) is locked


@pytest.mark.parametrize(
    ("name", "value", "near"),
    [
        ("plan.activatd", True, "plan.activated"),
        ("queue.peple", 3, "queue.people"),
        ("level.queue.havy", True, "level.queue.heavy"),
        ("item.open-counters.opn", 3, "item.open-counters.open"),
        ("item", True, None),
        ("!", True, None),
        ("queue.people", "many", None),
        ("queue.people", True, None),
    ],
)
def test_a_step_the_plan_knows_nothing_of_is_refused_with_the_nearest_name(name, value, near):
    with pytest.raises(StepUnfit) as refusal:
        simulate(compile_plan(SOUND), [Step(minutes(0), name, value)], START)
    assert refusal.value.nearest == near
    assert refusal.value.zh
    assert refusal.value.en
    assert near is None or near in refusal.value.zh


def test_what_counts_by_itself_and_what_is_chosen_take_no_other_value():
    text = changed(("  - {key: gas.lel,", """\
  - {key: down, title: 时长 | Time, kind: elapsed, unit: min, since: service.interrupted}
  - {key: cause, title: 原因 | Cause, kind: choice, options: [{key: power, title: 电 | Power}]}
  - {key: gas.lel,"""))  # fmt: skip
    for name, value in (("down", 5), ("cause", "pwer"), ("cause", 1)):
        with pytest.raises(StepUnfit):
            Simulation(compile_plan(text), START).tell(name, value)
    Simulation(compile_plan(text), START).tell("cause", "power")


def test_the_end_stops_the_clocks_except_what_comes_after():
    more = "reports:\n  - {key: up, title: 报告 | Report, owner: counter, to: 主管部门 | Authority, starts: plan.activated, within: 2 h, clause: 1 | 一 | One}\n"
    plan = compile_plan(
        with_more(more, "review: {owner: counter, due: 2 d, to: 领导 | Leaders, clause: 1 | 一 | One}\n")
    )
    found = simulate(plan, [Step(minutes(0), "plan.activated"), Step(minutes(9), "response.ended")], START)
    assert [(one.rule, one.at - START) for one in of_kind(found, "limit_passed")] == [
        ("report-up", minutes(120)),
        ("review", minutes(9) + timedelta(days=2)),
    ]


def test_an_order_not_done_in_time_is_told_to_its_team_and_to_those_who_decide():
    plan = compile_plan(SOUND)
    begun = [Step(minutes(0), "plan.activated")]
    for more, told in (
        ([], [("counter",), ("leadership",)]),
        ([Step(minutes(10) - timedelta(seconds=1), "order.open-counters.done")], []),
        ([Step(minutes(9), "response.ended")], []),
    ):
        found = [one for one in simulate(plan, [*begun, *more], START) if one.rule == "order-open-counters"]
        alerts = of_kind(found, "alert")
        assert [(one.at - START, one.to) for one in alerts] == [(minutes(10), to) for to in told]
        assert all(one.clause == plan.order("open-counters").clause for one in found)


def test_a_limit_of_the_plan_for_the_same_order_takes_the_place_of_its_own_clock():
    own = "order-open-counters"
    assert own in {limit.key for limit in all_limits(compile_plan(SOUND))}
    ended_alike = ("ends: [situation.controlled]", "ends: [checklist.open-counters.done]")
    for length, watched in (("9 min", True), ("10 min", True), ("11 min", False)):
        text = changed(ended_alike, ("length: 30 min", f"length: {length}"))
        assert (own not in {limit.key for limit in all_limits(compile_plan(text))}) == watched


def test_a_second_outage_is_counted_anew_and_a_second_report_of_the_same_is_not():
    plan = compile_plan(changed(
        ("starts: [plan.activated]\n    length", "starts: [service.interrupted]\n    length"),
        ("ends: [situation.controlled]", "ends: [service.restored]"),
    ))  # fmt: skip
    steps = [(0, "service.interrupted"), (20, "service.interrupted"), (40, "service.interrupted"), (50, "service.restored"),
             (60, "service.interrupted")]  # fmt: skip
    found = simulate(plan, [Step(minutes(at), fact) for at, fact in steps], START)
    assert passed(found, "eased") == [START + minutes(30), START + minutes(90)]


def test_dismissal_stops_every_clock():
    steps = [Step(minutes(0), "plan.activated"), Step(minutes(1), "incident.dismissed")]
    assert not of_kind(simulate(compile_plan(SOUND), steps, START), "limit_passed")


PLANS = [
    library("000-21-scenic-ticketing-failure"),
    library("001-07-large-crowd"),
    library("002-01-hospital-system-outage"),
    library("003-02-call-centre-disruption"),
    library("003-06-heating-production-accident"),
    compile_plan(with_more(ELAPSED)),
]


def told_to(plan: Plan) -> list[str]:
    """Every fact the limits of a plan listen to, except the dismissal, which stops them all."""
    facts = {fact for limit in all_limits(plan) for fact in (*limit.starts, *limit.ends)}
    return sorted({fact for fact in facts if fact.count(".") < 2} | {"incident.reported"} - {"incident.dismissed"})


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_order_of_facts_and_clock_steps(data):
    """Each limit passes at most once for each time it starts, never early, and always when it is due and was not met."""
    plan = data.draw(st.sampled_from(PLANS))
    facts = [fact for fact in told_to(plan) if fact != "incident.dismissed"]
    moves = data.draw(st.lists(st.one_of(st.sampled_from(facts), st.integers(0, 4000)), max_size=25))
    simulation = Simulation(plan, START)
    for move in moves:
        if isinstance(move, int):
            simulation.advance(simulation.now + minutes(move))
        else:
            simulation.tell(move)
        assert all(due > simulation.now for _, due in simulation.running.values())
    simulation.advance(simulation.now + timedelta(days=5))
    assert not simulation.running
    known = [(one.at, one.rule) for one in simulation.happenings if one.kind == "fact"]
    for limit in all_limits(plan):
        # the end stops a clock, and the clock of an order also what says that the trouble is over
        ended = [at for at, fact in known if fact == "response.ended" or limit.key in moot(plan, fact)]
        _check(
            limit,
            [one for one in simulation.happenings if one.rule == limit.key and one.kind.startswith("limit_")],
            {fact for fact in moves if isinstance(fact, str)},
            ended,
            lasting(plan),
        )


def _check(
    limit: LimitRule, found: list[Happening], told: set[str], ended: list[datetime], kept: frozenset[str]
) -> None:
    """Started, then passed at its moment or met before; only the end of the response cuts one off; anew only after its end."""
    for number, began in enumerate(found):
        if began.kind != "limit_started":
            continue
        assert began.due is not None
        if limit.length.kind == "span":
            assert began.due == began.at + timedelta(seconds=limit.length.seconds)
        after = found[number + 1] if number + 1 < len(found) else None
        if after is None or after.kind == "limit_started":
            assert any(began.at <= at <= began.due for at in ended)
            assert limit.key not in kept
        elif after.kind == "limit_passed":
            assert after.at == began.due
        else:
            assert began.at <= after.at <= began.due
            assert any(fact in told or fact.count(".") == 2 for fact in limit.ends)
    kinds = [one.kind for one in found]
    assert kinds.count("limit_passed") + kinds.count("limit_met") <= kinds.count("limit_started")
    if kinds.count("limit_started") > 1:
        assert told & ({*OVER} | {*TROUBLE})
