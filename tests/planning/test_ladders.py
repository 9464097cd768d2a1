"""Ladders and quorums in a plan: read with their mistakes named, kept as they are, and followed by the rehearsal."""

from datetime import UTC, datetime, timedelta

import pytest

from server.domain.rules.plans import Plan
from server.planning.compiler import compile_plan
from server.planning.findings import PlanErrors
from server.planning.happenings import Step
from server.planning.schema import json_schema
from server.planning.simulate import simulate
from tests.planning.plan_texts import SOUND

START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
LADDER = """\
ladders:
  - key: quick
    title: 快速阶梯 | Quick ladder
    steps:
      - {after: at once, by: [push, robot]}
      - {after: 30 s, unless: delivered, by: sms}
      - {after: 2 min, by: push, deputy: true, call_list: true}
    after_on_my_way: 15 min
    clause: 003-05 §2 | 本单位设定。 | Set here.
"""
TEXT = (
    SOUND.replace(
        "    checklist: open-counters\n    within",
        "    checklist: open-counters\n    ladder: quick\n    quorum: {need: 2, within: 3 min, next: [leadership]}\n    within",
    )
    + LADDER
)


def told(plan: Plan, *steps: Step) -> list[tuple[float, str, tuple[str, ...], str]]:
    began = [Step(timedelta(), "plan.activated"), *steps]
    return [
        ((one.at - START).total_seconds(), one.kind, one.to, one.words.en if one.words else "")
        for one in simulate(plan, began, START, until=timedelta(hours=1))
        if one.kind in ("step", "quorum")
    ]


def test_a_plan_states_ladder_and_quorum_and_keeps_them_exactly() -> None:
    plan = compile_plan(TEXT)
    (order,) = plan.orders
    assert order.quorum is not None
    assert (order.ladder, order.quorum.need, order.quorum.next) == ("quick", 2, ("leadership",))
    assert [step.after.seconds for step in plan.ladders[0].steps] == [0, 30, 120]
    assert Plan.from_json(plan.to_json()) == plan
    assert plan.ladder(None) is None
    every = compile_plan(TEXT.replace("    steps:\n", "    every: true\n    steps:\n"))
    assert every.ladder(None) == every.ladders[0]


def test_the_rehearsal_climbs_while_nobody_answers() -> None:
    assert told(compile_plan(TEXT)) == [
        (0, "step", ("counter",), "Still silent: push, group chat"),
        (30, "step", ("counter",), "Still silent: SMS"),
        (120, "step", ("counter",), "Still silent: push, the deputy acts, names to call"),
        (180, "quorum", ("leadership",), "Fewer than 2 have answered; Leadership group is told"),
        (360, "quorum", ("leadership",), "Fewer than 2 have answered; Leadership group is told"),
    ]


def test_an_answer_in_the_rehearsal_ends_the_climb() -> None:
    answered = Step(timedelta(seconds=40), "order.open-counters.answered")
    assert [at for at, *_ in told(compile_plan(TEXT), answered)] == [0, 30]


@pytest.mark.parametrize(
    ("old", "new", "code", "path"),
    [
        ("ladder: quick", "ladder: quik", "unknown_ladder", "orders.open-counters.ladder"),
        ("next: [leadership]", "next: [leaders]", "unknown_team", "orders.open-counters.quorum.next[0]"),
        ("need: 2", "need: 0", "phrase", "orders.open-counters.quorum.need"),
        ("within: 3 min,", "within: end of day,", "not_a_span", "orders.open-counters.quorum.within"),
        ("by: sms", "by: pigeon", "unknown_word", "ladders.quick.steps[1].by[0]"),
        ("after: 30 s", "after: 5 min", "steps_unordered", "ladders.quick.steps[2]"),
        ("after: 30 s", "after: next day", "not_a_span", "ladders.quick.steps[1].after"),
        (", by: sms", "", "empty_step", "ladders.quick.steps[1]"),
        ("unless: delivered", "unless: seen", "unknown_word", "ladders.quick.steps[1].unless"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_at_its_place(old: str, new: str, code: str, path: str) -> None:
    assert old in TEXT
    with pytest.raises(PlanErrors) as caught:
        compile_plan(TEXT.replace(old, new))
    assert (code, path) in [(one.code, one.path) for one in caught.value.findings]


def test_editors_know_the_words() -> None:
    schema = json_schema()
    assert "ladders" in schema["properties"]
    assert schema["definitions"]["LadderStep"]["properties"]["unless"] == {"enum": ["delivered", "opened", "answered"]}
    assert {"need", "within"} == set(schema["definitions"]["Quorum"]["required"])
