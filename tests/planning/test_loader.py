"""Texts that are no plan are refused with a position, a sentence in two languages, and quickly."""

import contextlib
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.planning.compiler import compile_plan
from server.planning.findings import PlanErrors
from server.planning.loader import MAX_BYTES, load
from server.planning.shelf import FOLDER
from tests.planning.plan_texts import SOUND, changed

MERGE_BOMB = "a: &a {x: 1}\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} {{<<: [*{chr(97 + n)}, *{chr(97 + n)}]}}\n" for n in range(12)
)
LAUGHS = "a: &a [lol]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(20)
)

REFUSED: dict[str, tuple[str | bytes, str, int, int]] = {
    "L1 empty": ("", "empty", 0, 0),
    "L1 only comments": ("# 预案\n\n", "empty", 0, 0),
    "L2 too large": ("a" * (MAX_BYTES + 1), "too_large", 0, 0),
    "L3 merge bomb": (MERGE_BOMB, "anchor", 1, 4),
    "L4 billion laughs": (LAUGHS, "anchor", 1, 4),
    "L5 alias": ("a: *b\n", "alias", 1, 4),
    "L5 merge key": ("a: {<<: {b: c}}\n", "merge", 1, 5),
    "L7 duplicate key": ("a: 1\nb: 2\na: 3\n", "duplicate_key", 3, 1),
    "L8 complex key": ("? [1]\n: 2\n", "complex_key", 1, 3),
    "L9 two documents": ("---\na: b\n---\nc: d\n", "several_documents", 3, 1),
    "L10 tab": ("a:\n\tb: c\n", "tab", 2, 1),
    "L10 indent": ("a: b\n  c: d\n", "syntax", 2, 4),
    "L11 deep": ("[" * 5000, "too_deep", 1, 13),
    "L11 many": ("[" + "a," * 5001 + "]", "too_many", 1, 10000),
    "L13 NUL": ("a: b\nc: d\x00\n", "control", 2, 5),
    "L13 C1": ("a: \x85b\n", "control", 1, 4),
    "L13 escaped NUL": ('a: "\\0"\n', "control", 1, 4),
    "L13 lone surrogate": ("a: \ud800\n", "control", 1, 4),
    "L14 UTF-16": ("a: 中\n".encode("utf-16"), "encoding", 0, 0),
    "L14 GBK": ("标题: 中文预案\n".encode("gbk"), "encoding", 0, 0),
    "L14 broken": (b"a: \xff\xff\xff\n", "encoding", 0, 0),
    "L15 full-width colon": ("title：预案\nkey: b\n", "full_width", 2, 4),
    "L17 recursive": ("&x [*x]\n", "anchor", 1, 1),
    "L19 empty tag": ("a: ! b\n", "tag", 1, 4),
    "L19 directive": ("%TAG ! tag:x,2000:\n---\na: b\n", "directive", 1, 1),
    "L35 include": ("a: !include ../../secret\n", "tag", 1, 4),
    "L36 long text": ("a: " + "字" * 10_001, "text_too_long", 1, 4),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    text, code, line, column = REFUSED[name]
    with pytest.raises(PlanErrors) as refusal:
        load(text, "some.yaml")
    assert min(_timed(text) for _ in range(3)) < 0.05
    found = refusal.value.findings[0]
    assert (found.code, found.line, found.column) == (code, line, column)
    assert found.file == "some.yaml"
    assert found.zh
    assert found.en


def test_the_encoding_is_named():
    for encoding, name in (("utf-16", "UTF-16"), ("gbk", "GBK")):
        with pytest.raises(PlanErrors) as refusal:
            load("标题: 中文预案\n".encode(encoding), "some.yaml")
        assert name in refusal.value.findings[0].zh


def test_a_mark_at_the_start_and_other_line_ends_are_the_same_plan():
    plain = compile_plan(SOUND)
    assert compile_plan(b"\xef\xbb\xbf" + SOUND.encode()) == plain
    assert compile_plan(SOUND.replace("\n", "\r\n")) == plain
    assert compile_plan("---\n" + SOUND) == plain


def test_a_long_line_is_fine_within_the_size():
    text = changed(("增开窗口。 | Open counters.", "增开窗口。 | " + "Open counters again. " * 400))
    assert len(compile_plan(text).orders[0].text.en) > 8_000


def test_words_that_look_like_values_stay_words():
    node = load("a: no\nb: ~\nc: 2026-01-01\nd: 0x1F\n", "some.yaml")
    assert [value.text for _, value in node.pairs] == ["no", "~", "2026-01-01", "0x1F"]


PLANS = {path.name: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.yaml"))}
SPOILT = {  # what is written where, and what the compiler says of it there
    r"(?<=\bteam: )[a-z0-9-]+": ("nobody-of-that-name", "unknown_team"),
    r"(?<=\bwithin: )\d+ (?:min|h|d)": ("a while", "phrase"),
    r"(?<=\bphase: )[a-z0-9-]+": ("some-other-day", "unknown_phase"),
    r"(?<=\bkind: )(?:text|number|choice|signature|photo)\b": ("poem", "unknown_word"),
}


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_fault_anywhere_in_a_plan_is_found_on_its_own_line_and_column(data):
    """One word of a plan of the library is spoilt: the finding names that very place and nothing before it."""
    name = data.draw(st.sampled_from(sorted(PLANS)))
    text = PLANS[name]
    pattern = data.draw(st.sampled_from(sorted(SPOILT)))
    word, code = SPOILT[pattern]
    places = list(re.finditer(pattern, text))
    if not places:
        return
    place = data.draw(st.sampled_from(places))
    spoilt = text[: place.start()] + word + text[place.end() :]
    with pytest.raises(PlanErrors) as refusal:
        compile_plan(spoilt, name)
    line, column = spoilt[: place.start()].count("\n") + 1, place.start() - (text.rfind("\n", 0, place.start()) + 1) + 1
    found = {(one.code, one.line, one.column) for one in refusal.value.findings}
    assert (code, line, column) in found, (found, refusal.value.findings)
    assert all(one.zh and one.en and one.file == name for one in refusal.value.findings)


ITEM = "      - {{key: i{n}, text: 检查第 {n} 项设备并登记 | Check device {n} and write it down{more}}}\n"
FACT = "  - {{key: some.fact-{n}, title: 一 | One}}\n"
LIMIT = "  - {{key: l{n}, title: 一 | L, owner: counter, starts: [plan.warned], length: 5 min, ends: [situation.controlled], then: [{{warn: true}}], clause: 1 | 一 | O}}\n"
BEFORE_LAST_ITEM = "      - {key: cut,"
HEAVY = {
    "490 items": ((BEFORE_LAST_ITEM, "".join(ITEM.format(n=n, more="") for n in range(490)) + BEFORE_LAST_ITEM),),
    "490 unknown items": (
        (
            BEFORE_LAST_ITEM,
            "".join(ITEM.format(n=n, more=f", requires: [x{n}]") for n in range(490)) + BEFORE_LAST_ITEM,
        ),
    ),
    "a ring of 490": (
        (
            BEFORE_LAST_ITEM,
            "".join(ITEM.format(n=n, more=f", requires: [i{(n + 1) % 490}]") for n in range(490)) + BEFORE_LAST_ITEM,
        ),
    ),
    "400 unknown among 800 facts": (
        ("facts:\n", "facts:\n" + "".join(FACT.format(n=n) for n in range(800))),
        ("ends: [situation.controlled]", "ends: [" + ", ".join(f"sme.fat-{n}" for n in range(400)) + "]"),
    ),
    "400 terms": (("queue.people >= 30", "queue.people >= 30" + " or queue.people >= 30" * 400),),
    "60 wrong names among 480 that are nearly alike": (
        ("facts:\n", "facts:\n" + "".join(FACT.format(n=f"{'x' * 40}-{n}") for n in range(480))),
        ("ends: [situation.controlled]", "ends: [" + ", ".join(f"some.fact-{'x' * 40}{n}" for n in range(60)) + "]"),
    ),
    "185 limits": (("limits:\n", "limits:\n" + "".join(LIMIT.format(n=n) for n in range(185))),),
    "9,900 digits": (("length: 30 min", "length: " + "9" * 9900),),
    "9,000 blanks in a condition": (("queue.people >= 30", "queue.people" + " " * 9000 + ">= 30"),),
    "9,000 blanks in a text": (("增开窗口。 | Open counters.", "一" + " " * 9000 + "|"),),
    "60 links": (
        (
            "limits:\n",
            "links:\n"
            + "".join(f'  - {{title: 附 | A, url: "https://{"a." * 200}example.org/{n}"}}\n' for n in range(60))
            + "limits:\n",
        ),
    ),
    "4,000 brackets": (("queue.people >= 30", "(" * 4000),),
    "2,000 units": (("length: 30 min", "length: " + "1 h " * 2000),),
}


@pytest.mark.parametrize("name", HEAVY)
def test_no_text_takes_more_than_fifty_milliseconds(name):
    text = changed(*HEAVY[name])
    _timed(text)
    assert min(_timed(text) for _ in range(5)) < 0.05


def _timed(text: str | bytes) -> float:
    began = time.process_time()
    with contextlib.suppress(PlanErrors):
        compile_plan(text)
    return time.process_time() - began
