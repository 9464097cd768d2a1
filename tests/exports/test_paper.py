"""The paper pack: who to call with the numbers one may see, a head and page numbers on every page, each team on its own."""

import re

import pytest

from server.domain.people import Person
from server.exports.paper import css_text
from tests.cast import TICKETING, Stage


def pack(stage: Stage, who: str, query: str = "") -> str:
    answer = stage[who].call("GET", f"/plans/{TICKETING}/pack{query}")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.get_data(as_text=True)


def phone_of(stage: Stage, name: str) -> str:
    with stage.database.read() as session:
        person = session.get(Person, stage.cast.people[name])
        assert person is not None
        assert person.phone is not None
        return person.phone


def test_the_numbers_are_those_one_may_see(shared_stage: Stage) -> None:
    numbers = {name: phone_of(shared_stage, name) for name in ("security_lead", "security_one", "it_lead", "leaver")}
    everything = pack(shared_stage, "commander")
    assert numbers["security_one"] in everything
    assert numbers["it_lead"] in everything
    assert numbers["leaver"] not in everything, "who is disabled is no one to call"
    theirs = pack(shared_stage, "it_one")
    assert numbers["it_lead"] in theirs
    assert numbers["security_one"] not in theirs
    assert "security_one" in theirs, "the name stands, with a line to write the number on"
    assert numbers["security_one"] in pack(shared_stage, "security_lead")


@pytest.mark.parametrize(("language", "first", "whole"), [("zh", "第 1 版", "全文"), ("en", "version 1", "whole plan")])
def test_every_page_says_what_it_is(shared_stage: Stage, language: str, first: str, whole: str) -> None:
    page = pack(shared_stage, "commander", f"?lang={language}")
    assert css_text(whole) in page
    assert first in page
    assert "2026-11-23 10:00" in page, "the organisation's own time"
    assert "counter(page)" in page
    assert "counter(pages)" in page
    assert len(re.findall("<section class=part>", page)) >= 6, "each team with orders begins a page"
    assert "{eta}" not in page
    assert {"zh": "人", "en": "people"}[language] in re.findall(r"class=fill></span> (\w+)", page)


def test_one_team_gets_its_own_part_and_the_leaders_of_the_others(shared_stage: Stage) -> None:
    page = pack(shared_stage, "commander", "?team=logistics")
    assert len(re.findall("<section class=part>", page)) == 1
    assert phone_of(shared_stage, "logistics_one") in page
    assert phone_of(shared_stage, "security_lead") in page
    assert phone_of(shared_stage, "security_one") not in page
    assert shared_stage["commander"].get(f"/plans/{TICKETING}/pack?team=nobody", 404)["code"] == "team_unknown"


def test_a_title_cannot_leave_its_place() -> None:
    assert css_text('a"</style>\\\n') == '"a\\22 \\3c \\2f style\\3e \\5c \\a "'
