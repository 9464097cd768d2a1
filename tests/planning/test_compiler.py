"""What the compiler makes of a text, and what it says where it cannot."""

import json
from typing import Any

import jsonschema_rs
import pytest
import yaml

from server.domain.rules import Plan
from server.planning.compiler import compile_plan, compile_source
from server.planning.findings import Finding, PlanErrors
from server.planning.schema import json_schema
from tests.planning.plan_texts import SOUND, changed, with_more


def findings(text: str) -> list[Finding]:
    with pytest.raises(PlanErrors) as refusal:
        compile_plan(text, "some.yaml")
    return refusal.value.findings


def only(text: str) -> Finding:
    found = findings(text)
    assert len(found) == 1, [str(one) for one in found]
    return found[0]


def test_the_sound_plan_compiles_and_keeps_its_form():
    plan = compile_plan(SOUND)
    assert plan.limits[0].length.seconds == 1800
    assert plan.checklists[0].items[0].clause == plan.checklists[0].clause
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_positions_are_kept_for_every_rule():
    compiled = compile_source(SOUND)
    line, column = compiled.positions["limits.eased.length"]
    assert SOUND.split("\n")[line - 1][column - 1 :] == "30 min"


def test_an_unknown_key_names_the_nearest():
    found = only(changed(("    length: 30 min\n    ends", "    length: 30 min\n    lenght: 3 min\n    ends")))
    assert (found.code, found.nearest, found.path) == ("unknown_key", "length", "limits.eased.lenght")
    assert SOUND.split("\n")[found.line - 2].strip() == "length: 30 min"
    assert "length" in found.zh


def test_two_letters_swapped_still_name_the_word_that_was_meant():
    (found,) = [one for one in findings(changed(("teams:\n", "temas:\n"))) if one.code == "unknown_key"]
    assert (found.path, found.nearest) == ("temas", "teams")


def test_a_missing_team_names_the_path_and_the_nearest():
    found = only(changed(("alert: [leadership]", "alert: [leadrship]")))
    assert (found.code, found.nearest) == ("unknown_team", "leadership")
    assert found.path == "limits.eased.then[0].alert[0]"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("length: 30 min", "length: 0 min", "phrase"),
        ("length: 30 min", "length: -5", "phrase"),
        ("length: 30 min", "length: 1000000000 min", "phrase"),
        ("length: 30 min", "length: 15", "phrase"),
        ("length: 30 min", "length: X 小时", "placeholder"),
        ("length: 30 min", "length: measured queue.people", "phrase"),
        ("version: 1\n", "version: 1e3\n", "phrase"),
        ("version: 1\n", "version: 0777\n", "phrase"),
        ("version: 1\n", "version: 0x1F\n", "phrase"),
        ("version: 1\n", "version: 1_000\n", "phrase"),
        ("version: 1\n", "version: 0\n", "phrase"),
        ("category: service_hall", "category: servce_hall", "unknown_word"),
        ("key: hall-queue", "key: Hall Queue", "key_form"),
        ("rank: 2", "rank: 1", "duplicate"),
        ("key: busy", "key: heavy", "duplicate"),
        ("queue.people >= 30", "queue.peple >= 30", "unknown_name"),
        ("queue.people >= 30", "queue.people >= 30 h", "phrase"),
        ("queue.people >= 30", "queue.people >=", "phrase"),
        ("queue.people >= 30", "queue.people >= 30 and", "phrase"),
        ("queue.people >= 30", "(queue.people >= 30", "phrase"),
        ("title: 领导小组 | Leadership group", "title: 领导小组", "two_languages"),
        ("title: 领导小组 | Leadership group, clause: 003-05 §0 | 总经理任组长。 | Leads.", "title: 领导小组 | Leaders", "no_clause"),
        ("    owner: counter\n", "", "missing"),
        ("    owner: counter\n", "    owner: [counter]\n", "not_a_value"),
        ("starts: [plan.activated]\n    length", "starts: [plan.activatd]\n    length", "unknown_fact"),
        ("words: 未缓解。 | Not eased.}", "ask: activate, of: leadership, words: 未缓解。 | Not eased.}", "one_kind"),
        ("{alert: [leadership], words: 未缓解。 | Not eased.}", "{ask: activate}", "missing"),
        ("min: 1, max: 40", "min: 41, max: 40", "bounds"),
        ("kind: number, unit: counters", "kind: choice, unit: counters", "options"),
        ("records: source.cut", "requires: [opn]", "unknown_item"),
        ("key: cut, text", "key: open, text", "duplicate"),
    ],
)  # fmt: skip
def test_one_thing_wrong_is_one_finding(old, new, code):
    found = findings(changed((old, new)))
    assert [one.code for one in found] == [code], [str(one) for one in found]
    assert found[0].line > 0


@pytest.mark.parametrize("length", ["15 min", "15分钟", "１５ min", "0.25 h", "15min"])
def test_a_quarter_of_an_hour_in_every_form(length):
    assert compile_plan(changed(("length: 30 min", f"length: {length}"))).limits[0].length.seconds == 900


def test_a_limit_the_plan_implies_keeps_its_name():
    review = "review: {owner: counter, due: 2 d, to: 领导 | Leaders, clause: 1 | 一 | One}\n"
    assert only(changed(("  - key: eased", "  - key: review")) + review).code == "reserved"
    compile_plan(changed(("  - key: eased", "  - key: review")))


def test_loops_are_refused():
    text = changed(
        ("kind: leadership,", "kind: leadership, part_of: counter,"),
        ("kind: service,", "kind: service, part_of: leadership,"),
    )
    assert {one.code for one in findings(text)} == {"loop"}
    routes = "routes:\n" + "".join(
        f"  - {{key: {one}, title: 路线 | Route, to: [leadership], then: {other}, clause: 1 | 一 | One}}\n"
        for one, other in (("day", "night"), ("night", "day"))
    )
    assert {one.code for one in findings(with_more(routes))} == {"loop"}


def test_full_width_punctuation_gets_a_hint():
    found = findings(changed(("version: 1\n", "version：1\n")))
    assert found[0].code == "full_width"
    assert "全角" in found[0].zh


def test_a_plan_written_with_full_width_colons_throughout_gets_the_same_hint():
    for text in ("key：hall-queue\nversion：1\n", "key：hall-queue"):
        found = only(text)
        assert (found.code, found.line, found.column) == ("full_width", 1, 1)
        assert "全角" in found.zh


@pytest.mark.parametrize("zone", ["Mars/Base", "UTC+8", ""])
def test_a_zone_that_is_none(zone):
    assert findings(with_more(f"timezone: {zone}\n"))[0].code == "timezone"


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "http://example.org/a",
        "https://localhost/a",
        "https://10.0.0.1/",
        "https://a@b.org/",
        "https://db.internal/",
    ],
)
def test_a_link_is_public_https(address):
    text = with_more(f'links:\n  - {{title: 附件 | Annex, url: "{address}"}}\n')
    assert only(text).code == "url"
    compile_plan(with_more('links:\n  - {title: 附件 | Annex, url: "https://example.org/a"}\n'))


def test_too_many_steps_and_teams():
    items = "".join(f"      - {{key: i{n}, text: 一 | One}}\n" for n in range(501))
    assert only(changed(("      - {key: cut,", items + "      - {key: cut,"))).code == "too_many"
    teams = "".join(f"  - {{key: t{n}, kind: it, title: 组 | T, clause: 1 | 一 | One}}\n" for n in range(101))
    assert only(changed(("posts:\n", teams + "posts:\n"))).code == "too_many"


def test_a_template_in_a_text_is_text():
    plan = compile_plan(changed(("text: 增开窗口。 | Open counters.", "text: '增开 {{ 7*7 }} | Open {{ 7*7 }}'")))
    assert plan.orders[0].text.en == "Open {{ 7*7 }}"


def test_a_field_set_fills_the_form():
    report = "reports:\n  - {key: up, title: 报告 | Report, set: F5, owner: counter, to: 主管部门 | Authority, clause: 1 | 一 | One}\n"
    fields = compile_plan(with_more(report)).report("up").fields
    assert "casualties" in [field.key for field in fields]
    assert only(with_more(report.replace("F5", "F55"))).nearest == "F5"


def test_a_form_that_is_none_says_where():
    form: Any = compile_plan(SOUND).to_json()
    form["limits"][0]["length"]["kind"] = "forever"
    with pytest.raises(ValueError, match=r"Plan.limits\[0\].length.kind"):
        Plan.from_json(form)


def test_the_schema_for_editors_takes_what_the_compiler_takes():
    schema = jsonschema_rs.validator_for(json_schema())
    assert schema.is_valid(yaml.safe_load(SOUND))
    assert not schema.is_valid(yaml.safe_load(changed(("    owner: counter\n", ""))))
    assert not schema.is_valid(yaml.safe_load(SOUND + "surprise: 1\n"))
