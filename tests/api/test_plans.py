"""Plans: kept once, approved by a second person, changed under a running incident only by decision, and rehearsed."""

from typing import Any

import pytest

from server.db import new_id
from tests.cast import PLAN_FILES, TICKETING, Stage, as_version
from tests.situation import ticketing

TEXT = as_version(PLAN_FILES[0], 1)
SECOND = as_version(PLAN_FILES[0], 2).replace("title: 排查抢修 |", "title: 立即排查抢修 |")


def approve(stage: Stage, who: str, version: int = 2, expect: int = 201) -> Any:
    return stage[who].put(f"/plans/{TICKETING}/revisions/{version}/approvals/{new_id()}", {}, expect)


def test_importing_the_same_again_changes_nothing(stage: Stage) -> None:
    commander = stage["commander"]
    first = commander.post("/plans", {"text": SECOND}, 201)
    assert first == {"key": TICKETING, "version": 2, "status": "draft"}
    assert commander.post("/plans", {"text": SECOND}, 200) == first
    assert commander.post("/plans", {"text": SECOND + "\n# a remark changes no rule\n"}, 200) == first
    assert [one["version"] for one in commander.get(f"/plans/{TICKETING}")["versions"]] == [1, 2]


def test_a_version_is_never_used_for_other_content(stage: Stage) -> None:
    commander = stage["commander"]
    commander.post("/plans", {"text": SECOND}, 201)
    other = commander.post("/plans", {"text": SECOND.replace("立即排查抢修", "马上排查抢修")}, 409)
    assert (other["code"], other["errors"][0]["path"]) == ("version_taken", "version")
    assert commander.get(f"/plans/{TICKETING}?version=2")["text"] == SECOND
    commander.post("/plans", {"text": SECOND.replace("\nversion: 2\n", "\nversion: 4\n")}, 201)
    lower = commander.post("/plans", {"text": SECOND.replace("\nversion: 2\n", "\nversion: 3\n")}, 409)
    assert lower["code"] == "version_lower"


def test_nobody_approves_their_own_text(stage: Stage) -> None:
    stage["commander"].post("/plans", {"text": SECOND}, 201)
    assert approve(stage, "commander", expect=403)["code"] == "second_person_needed"
    approve(stage, "security_lead", expect=403)
    responder = stage["security_one"]
    assert responder.get(f"/plans/{TICKETING}")["version"] == 1
    responder.get(f"/plans/{TICKETING}?version=2", 404)
    assert approve(stage, "second")["state"] == {"status": "approved"}
    assert responder.get(f"/plans/{TICKETING}")["version"] == 2
    versions = responder.get(f"/plans/{TICKETING}")["versions"]
    assert [(one["version"], one["status"]) for one in versions] == [(1, "retired"), (2, "approved")]
    assert versions[1]["approved_by"] == stage.cast.people["second"]
    approve(stage, "admin", version=1, expect=409)  # the one before cannot come back under everybody's feet
    responder.sync()
    assert responder.one("plan", key=TICKETING)["version"] == 2


def test_a_running_incident_keeps_its_revision_until_it_is_decided_otherwise(stage: Stage) -> None:
    commander = stage["commander"]
    before = ticketing(stage)
    commander.refused(f"/incidents/{before}/decisions", {"kind": "revise"}, 409, "no_new_version")
    commander.post("/plans", {"text": SECOND}, 201)
    approve(stage, "second")
    after = ticketing(stage)
    commander.sync()
    assert commander.one("incident", id=before)["plan_version"] == 1
    assert commander.one("incident", id=after)["plan_version"] == 2
    titles = {one["incident"]: one["title"]["zh"] for one in commander.all("order") if one["key"] == "it-repair"}
    assert titles == {before: "排查抢修", after: "立即排查抢修"}
    limits = {one["id"]: one for one in commander.all("limit") if one["incident"] == before}
    stage["it_lead"].put(f"/incidents/{before}/decisions/{new_id()}", {"kind": "revise"}, 403)
    commander.fact(f"/incidents/{before}/decisions", {"kind": "revise"})
    commander.sync()
    assert commander.one("incident", id=before)["plan_version"] == 2
    again = {one["id"]: one for one in commander.all("limit") if one["incident"] == before}
    assert {id: (one["due_at"], one["status"]) for id, one in again.items()} == {
        id: (one["due_at"], one["status"]) for id, one in limits.items()
    }, "what runs already keeps running, once"
    assert len([one for one in commander.all("order") if one["incident"] == before]) == 1
    commander.refused(f"/incidents/{before}/decisions", {"kind": "revise"}, 409, "no_new_version")


def test_a_reading_counts_once(stage: Stage) -> None:
    reader, path = stage["security_one"], f"/plans/{TICKETING}/revisions/1/readings"
    first = reader.fact(path)
    reader.put(f"{path}/{first}", {}, 200)
    stage.move(hours=1)
    reader.fact(path)  # on another phone
    stage["security_two"].fact(path)
    stage["commander"].sync()
    read = [one for one in stage["commander"].all("reading") if one["person"] == reader.person]
    assert [one["id"] for one in read] == [first]
    reader.sync()
    assert [one["id"] for one in reader.all("reading")] == [first]
    assert reader.put(f"/plans/{TICKETING}/revisions/9/readings/{new_id()}", {}, 404)["code"] == "revision_unknown"


@pytest.mark.parametrize("given", [{"plan": TICKETING}, {"text": TEXT}], ids=["in use", "text"])
def test_a_rehearsal_shows_the_fifteen_minutes_of_the_repair(shared_stage: Stage, given: dict[str, str]) -> None:
    steps = [{"at_seconds": 0, "key": "incident.reported"}]
    answer = shared_stage["security_one"].post("/plans/simulations", {**given, "steps": steps, "until_seconds": 1000})
    passed = [one for one in answer["happenings"] if one["kind"] == "limit_passed"]
    assert {(one["seconds"], one["clause"]["ref"]) for one in passed} == {(900.0, "000-21 D04"), (900.0, "000-21 §4.1")}
    assert [one["seconds"] for one in answer["happenings"]] == sorted(one["seconds"] for one in answer["happenings"])
    told = [one for one in answer["happenings"] if one["kind"] == "alert" and "leadership" in one["to"]]
    assert [one["seconds"] for one in told] == [900.0]
    repaired = [*steps, {"at_seconds": 899, "key": "service.restored"}]
    answer = shared_stage["security_one"].post(
        "/plans/simulations", {**given, "steps": repaired, "until_seconds": 1000}
    )
    kinds = {(one["kind"], one["rule"]): one["seconds"] for one in answer["happenings"]}
    assert ("limit_passed", "restore") not in kinds
    assert kinds["limit_met", "restore"] == 899.0


def test_a_rehearsal_refuses_steps_the_plan_does_not_know(shared_stage: Stage) -> None:
    for key in ("item.no-such", "item.no-such-list.item"):
        body: dict[str, Any] = {"plan": TICKETING, "steps": [{"at_seconds": 0, "key": key}]}
        assert shared_stage["commander"].post("/plans/simulations", body, 422)["code"] == "step_unfit"
    body = {"plan": "no-such-plan", "steps": []}
    assert shared_stage["commander"].post("/plans/simulations", body, 404)["code"] == "plan_unknown"


FAULTY = TEXT.replace("    team: it\n", "    team: itt\n", 1)


def test_a_faulty_text_is_refused_with_every_place_named(shared_stage: Stage) -> None:
    line = next(number for number, one in enumerate(FAULTY.split("\n"), 1) if one == "    team: itt")
    said = shared_stage["commander"].post("/plans", {"text": FAULTY, "file": "ours.yaml"}, 422)
    assert said["code"] == "plan_invalid"
    assert [(one["line"], one["file"], one["nearest"]) for one in said["errors"]] == [(line, "ours.yaml", "it")]
    assert all(one["column"] > 0 for one in said["errors"])
    checked = shared_stage["commander"].post("/plans/check", {"text": FAULTY, "file": "ours.yaml"})
    assert checked["rules"] is None
    assert [(one["line"], one["column"], one["nearest"]) for one in checked["findings"]] == [
        (one["line"], one["column"], one["nearest"]) for one in said["errors"]
    ]


@pytest.mark.parametrize(
    "text",
    ["key: [", "key: a\nkey: b\n", "- a list\n", "\ttabs: no", "a: &a [*a]\n", "!!python/object/apply:os.getcwd []\n"],
)
def test_what_is_no_yaml_of_a_plan_is_refused_with_its_line(shared_stage: Stage, text: str) -> None:
    for address, status in (("/plans", 422), ("/plans/check", 200)):
        said = shared_stage["commander"].post(address, {"text": text}, status)
        found = said["errors"] if status == 422 else said["findings"]
        assert found
        assert all(one["zh"] and one["en"] and one["severity"] == "error" for one in found)
        assert found[0]["line"] >= 1, found


def test_checking_keeps_nothing_and_gives_the_rules(shared_stage: Stage) -> None:
    commander = shared_stage["commander"]
    text = SECOND.replace("\nversion: 2\n", "\nversion: 7\n")
    checked = commander.post("/plans/check", {"text": text})
    assert checked["rules"]["version"] == 7
    assert [one for one in checked["findings"] if one["severity"] == "error"] == []
    assert [one["version"] for one in commander.get(f"/plans/{TICKETING}")["versions"]] == [1]
    shared_stage["security_lead"].post("/plans/check", {"text": text}, 403)
    shared_stage["security_lead"].post("/plans", {"text": text}, 403)


@pytest.mark.parametrize(("lang", "own", "other"), [("zh", "安保执法组", "财务部"), ("en", "Security", "Finance")])
def test_the_paper_of_a_team_is_a_page_that_can_do_nothing(
    shared_stage: Stage, lang: str, own: str, other: str
) -> None:
    answer = shared_stage["security_one"].call("GET", f"/plans/{TICKETING}/pack?team=enforcement&lang={lang}")
    page = answer.get_data(as_text=True)
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    policy = answer.headers.getlist("Content-Security-Policy")
    assert len(policy) == 1
    rules = dict(part.strip().partition(" ")[::2] for part in policy[0].split(";"))
    assert rules["default-src"] == "'none'"
    assert "allow-scripts" not in rules["sandbox"]
    assert "allow-same-origin" not in rules["sandbox"]
    assert own in page
    assert "<script" not in page
    whole = shared_stage["security_one"].call("GET", f"/plans/{TICKETING}/pack?lang={lang}").get_data(as_text=True)
    assert other in whole
    assert len(whole) > len(page)
    shared_stage["security_one"].get(f"/plans/{TICKETING}/pack?team=no-such-team", 404)


def test_words_of_a_plan_are_words_on_paper_too(stage: Stage) -> None:
    marked = SECOND.replace("立即排查抢修 |", "<img src=x onerror=alert(1)>排查 |")
    assert marked != SECOND
    stage["commander"].post("/plans", {"text": marked}, 201)
    approve(stage, "second")
    page = stage["commander"].call("GET", f"/plans/{TICKETING}/pack?team=it").get_data(as_text=True)
    assert "<img" not in page
    assert "&lt;img src=x" in page
