"""A defective plan per class of defect, each with exactly the finding it was made for; a clean plan yields nothing."""

import time
from pathlib import Path

import pytest

from server.planning.compiler import compile_source
from server.planning.lint import lint, lint_text, lint_together
from tests.planning.plan_texts import SOUND, changed, with_more

FIXTURES = Path(__file__).parent / "fixtures"
DEFECTIVE = sorted(FIXTURES.glob("lint-*.yaml"))


def code_of(path: Path) -> str:
    number = path.stem.split("-")[1]
    return f"LINT-{int(number)}" if number.isdigit() else f"LINT-{number.upper()}"


def test_there_is_a_defective_plan_for_every_class():
    classes = {f"LINT-{number}" for number in range(1, 13)} | {
        "LINT-LOOP",
        "LINT-UNREACHABLE",
        "LINT-UNMET",
        "LINT-UNSTARTED",
    }
    assert {code_of(path) for path in DEFECTIVE} == classes


@pytest.mark.parametrize("path", DEFECTIVE, ids=lambda path: path.stem)
def test_the_defect_is_found_and_nothing_else(path):
    found = lint_text(path.read_bytes(), path.name)
    assert {one.code for one in found} == {code_of(path)}, [str(one) for one in found]
    for one in found:
        assert one.file == path.name
        assert one.line > 0
        assert one.zh
        assert one.en


@pytest.mark.parametrize("path", DEFECTIVE, ids=lambda path: path.stem)
def test_each_finding_proposes_something(path):
    assert all(one.proposal_zh and one.proposal_en for one in lint_text(path.read_bytes(), path.name))


def test_a_clean_plan_yields_nothing():
    text = (FIXTURES / "clean.yaml").read_bytes()
    assert lint_text(text, "clean.yaml") == []
    assert lint_text(text, "clean.yaml", {"leadership": ["a", "b"], "service": ["c"]}) == []


def test_the_finding_points_at_its_line():
    path = FIXTURES / "lint-12-phone-in-cordon.yaml"
    found = lint_text(path.read_bytes(), path.name)[0]
    assert path.read_text().split("\n")[found.line - 1].strip() == "- key: open-counters"


def test_a_phase_nobody_begins_and_an_implied_clock_nobody_starts():
    late = changed(("starts: [plan.activated], clause", "starts: [fault.cleared], clause"))
    report = "reports: [{key: up, title: 报告 | Report, owner: counter, to: 上级 | Up, starts: data.lost, within: 1 h, clause: 1 | 一 | One}]\n"
    for text, path in ((late, "phases.response"), (with_more(report), "reports.up")):
        assert [(one.code, one.path) for one in lint_text(text)] == [("LINT-UNSTARTED", path)]
    led = changed(("records: source.cut", "records: fault.cleared"))
    assert lint_text(led.replace("starts: [plan.activated], clause", "starts: [fault.cleared], clause")) == []


@pytest.mark.parametrize(
    "text", ["（3）增开窗口；（4）登记。", "组长:副组长:成员:", "组长：XXX，电话 xxxx", "由任组长"]
)
def test_blanks_and_numbers_as_the_sources_have_them(text):
    found = lint_text(
        changed(("text: 增开窗口。 |", f"text: '{text}' |")).replace(
            f"'{text}' | Open counters.", f"'{text} | Open counters.'"
        )
    )
    assert {one.code for one in found} == {"LINT-9" if text.startswith("（3）") else "LINT-1"}


def test_a_team_without_people():
    found = lint(compile_source(SOUND), {"leadership": ["a"], "service": []})
    assert [(one.code, one.path) for one in found] == [
        ("LINT-NOBODY", "teams.counter"),
        ("LINT-UNMET", "limits.eased.owner"),
    ]


def test_an_answer_from_outside_the_zone_is_fine():
    path = FIXTURES / "lint-12-phone-in-cordon.yaml"
    text = path.read_text().replace("    zone: cordon\n", "    zone: cordon\n    answer_from: outside\n")
    assert lint_text(text) == []


def test_at_once_is_a_clock_when_it_is_said_so():
    path = FIXTURES / "lint-10-without-a-clock.yaml"
    text = path.read_text().replace(
        "    checklist: open-counters\n", "    checklist: open-counters\n    within: at once\n"
    )
    assert lint_text(text) == []


@pytest.mark.parametrize(
    "phrase",
    ["决定是否启动应急预案。 | Decides whether to activate.", "请领导小组决定启动预案。 | Asks the leaders to decide."],
)
def test_reporting_to_those_who_decide_is_no_conflict(phrase):
    text = changed(("title: 柜台组 | Counter team,", f"title: 柜台组 | Counter team, duties: [{phrase}],"))
    assert lint_text(text) == []


def test_plans_side_by_side_contradict_each_other():
    fact = 'safety_facts:\n  - {{key: lel, subject: lpg, title: 爆炸下限 | Lower explosive limit, value: {}, unit: "%", clause: 1 | 一 | One}}\n'
    one = compile_source(with_more(fact.format(5)), "one.yaml")
    two = compile_source(with_more(fact.format("2.5")).replace("key: hall-queue", "key: other"), "two.yaml")
    stricter = changed(
        ("{alert: [leadership], words: 未缓解。 | Not eased.}", "{activate: true}"), ("key: hall-queue", "key: third")
    )
    three = compile_source(stricter, "three.yaml")
    assert [(finding.code, finding.file) for finding in lint_together([one, two])] == [("LINT-7", "two.yaml")]
    assert [(finding.code, finding.file) for finding in lint_together([one, three])] == [("LINT-3", "three.yaml")]


@pytest.mark.parametrize("text", ["容量 200 人，限 3×4 米", "乘坐 X 光机通道", "见附录（一）", "箱号 BX12"])
def test_what_looks_like_a_blank_but_is_none(text):
    assert lint_text(changed(("text: 增开窗口。 |", f"text: {text} |"))) == []


def wide_table(measures: int, levels: int, joined: str) -> str:
    """The sound plan with a level table of so many measures and levels."""
    own = "".join(f"  - {{key: m{n}, title: 一 | M, kind: number, unit: people}}\n" for n in range(measures))
    rows = "".join(
        f"      - {{key: v{rank}, title: 一 | L, rank: {rank + 1}, action: 一 | A, when: "
        + f" {joined} ".join(f"m{n} >= {100 - rank}" for n in range(measures))
        + "}\n"
        for rank in range(levels)
    )
    text = changed(("measures:\n", "measures:\n" + own))
    return text[: text.index("      - {key: heavy")] + rows + text[text.index("phases:\n") :]


LIMIT = "  - {{key: l{n}, title: 一 | L, owner: counter, starts: [plan.warned], length: {n} min, ends: [situation.controlled], then: [{{warn: true}}], clause: 1 | 一 | O}}\n"
FACT = '  - {{key: f{n}, subject: lpg, title: 爆炸下限 | Lower limit, value: {n}, unit: "%", clause: 1 | 爆炸下限为 9{n}% | One}}\n'
HEAVY = {
    "40 measures, 20 levels": wide_table(40, 20, "or"),
    "3 measures, 60 levels": wide_table(3, 60, "and"),
    "a ring of 185 limits": with_more(*(LIMIT.format(n=n + 1) for n in range(185))),
    "300 facts that contradict each other": with_more("safety_facts:\n", *(FACT.format(n=n + 1) for n in range(300))),
    "9,000 brackets": changed(("text: 增开窗口。 |", f"text: {'（' * 9000} |")),
    "2,000 items announced": changed(("text: 增开窗口。 |", f"text: 三类事件：{'、甲' * 2000} |")),
}


@pytest.mark.parametrize("name", HEAVY)
def test_no_plan_keeps_the_linter_busy(name):
    compiled = compile_source(HEAVY[name])
    taken = []
    for _ in range(3):  # what else the machine does only ever adds to the figure
        began = time.process_time()
        lint(compiled)
        taken.append(time.process_time() - began)
    assert min(taken) < 0.5
