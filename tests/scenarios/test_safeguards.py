"""What keeps people safe while a plan runs: interlocks, levels, phones near gas, the ledger of paper work, reports to authorities."""

from datetime import timedelta
from typing import Any

import pytest

from server.clock import now
from server.domain import plans
from server.domain.incidents import Incident
from server.domain.people import Person
from server.planning import shelf
from server.planning.compiler import compile_plan
from tests.cast import Stage
from tests.planning.plan_texts import changed
from tests.running import Course

HERE = {"lat": 30.27, "lon": 120.05, "accuracy": 10}
METRE = 1 / 111_195  # degrees of latitude
PAPER = changed(
    ("key: hall-queue", "key: paper-and-gas"),
    ("key: counter, kind: service", "key: counter, kind: security"),
) + """\
zones:
  - {key: cordon, title: 警戒区 | Cordon, radius_m: 100, no_phone: true, words: 区内不用手机。 | No phones inside., clause: T03 | 一百米。 | A hundred metres.}
manual:
  by: leadership
  since: plan.activated
  clause: D07 | 分级转手工。 | Tiers.
  tiers:
    - {key: first, title: 一级 | First, after: 30 min, posts: [window], words: 转手工。 | Paper.}
    - {key: second, title: 二级 | Second, after: 6 h, posts: [window], words: 转手工。 | Paper.}
  back_entry:
    - {key: forms, title: 手工单据 | Paper forms, unit: 张 | forms, owner: counter, posts: [window], due: end of day, clause: D12 | 当日补录。 | The same day.}
"""  # fmt: skip


def in_use(stage: Stage, text: str) -> None:
    def keep(session: Any) -> None:
        revision, _ = plans.keep(session, compile_plan(text), text, stage.cast.people["commander"])
        second = session.get(Person, stage.cast.people["second"])
        plans.put_in_use(session, revision, second.id)

    stage.database.write(keep)


def from_library(stage: Stage, source: str) -> Course:
    book = shelf.find(source)
    assert book is not None
    in_use(stage, book.text)
    return Course(stage, source)


def told(stage: Stage, who: str, body: str) -> list[dict[str, Any]]:
    """The alerts that ask this person, with this in their Chinese text."""
    phone = stage[who]
    phone.sync()
    mine = {one["alert"] for one in phone.all("recipient") if one["person"] == phone.person}
    return [one for one in phone.all("alert") if one["id"] in mine and body in one["body"]["zh"]]


def kept_out(stage: Stage, course: Course) -> list[dict[str, Any]]:
    """The lines of the timeline that say who was not asked."""
    entries = stage["commander"].get(f"/incidents/{course.id}/timeline")["entries"]
    return [one for one in entries if one["kind"] == "no_phone"]


def order(stage: Stage, course: Course, words: str) -> None:
    body = {"incident": course.id, "team": stage.cast.teams["security"], "title": words, "text": words}
    stage["commander"].fact("/orders", body)


def seen_at(stage: Stage, who: str, course: Course, metres: float) -> None:
    position = {**HERE, "lat": HERE["lat"] + metres * METRE}
    stage[who].fact("/reports", {"incident": course.id, "type": "status", "text": "在位", "position": position})


def test_a_flame_is_not_put_out_before_the_source_is_cut_and_nothing_is_released_above_a_quarter(stage: Stage) -> None:
    course, phone = from_library(stage, "002-15"), stage["commander"]
    course.tell("burning", True)
    course.tell("plan.activated")
    phone.sync()
    items = {one["key"]: one for one in phone.all("item")}
    lock = items["extinguish"]["locked_until"]
    assert (lock["interlock"], lock["clause"]["ref"]) == ("source-before-flame", "002-15 §5")
    phone.refused(f"/items/{items['extinguish']['id']}/marks", {"value": "done"}, 409, "interlocked")
    course.tell("source.cut")
    phone.sync()
    assert phone.one("item", id=items["extinguish"]["id"])["locked_until"] is None
    course.tell("gas.lel-percent", 25.1)
    course.tell("situation.controlled")
    assert not course.made("order", "release")
    phone.refused(f"/incidents/{course.id}/decisions", {"kind": "end", "reason": "看来没事"}, 409, "interlocked")
    course.tell("gas.lel-percent", 25)
    assert course.made("order", "release")


def test_levels_go_up_at_once_and_down_only_with_a_reason_that_is_kept(stage: Stage) -> None:
    course, phone = from_library(stage, "002-15"), stage["commander"]
    decide = f"/incidents/{course.id}/decisions"
    course.tell("leak.large", True)
    phone.fact(decide, {"kind": "level", "scale": "leak", "level": "large"})
    course.tell("tank.fire", True)
    phone.fact(decide, {"kind": "level", "scale": "leak", "level": "fire"})  # as proposed: needs no reason
    course.tell("tank.fire", False)
    phone.refused(decide, {"kind": "level", "scale": "leak", "level": "large"}, 422, "reason_needed")
    phone.fact(decide, {"kind": "level", "scale": "leak", "level": "large", "reason": "罐体火已灭"})
    phone.sync()
    levels = [one for one in phone.all("decision") if one["kind"] == "level"]
    assert [one["subject"]["level"] for one in sorted(levels, key=lambda one: one["occurred_at"])] == [
        "large",
        "fire",
        "large",
    ]
    assert [one["reason"] for one in levels if one["reason"]] == ["罐体火已灭"]
    assert {"level.raised", "level.lowered"} <= {one["key"] for one in phone.all("fact")}


def test_nobody_last_seen_where_no_phone_may_be_used_is_asked_to_tap(stage: Stage) -> None:
    in_use(stage, PAPER)
    phone = stage["security_lead"]
    course = Course(stage, "paper-and-gas")
    stage.database.write(lambda session: _place(session, course.id))
    course.tell("plan.activated")
    seen_at(stage, "security_one", course, 60)
    seen_at(stage, "security_lead", course, 200)
    stage.move(minutes=3)
    order(stage, course, "撤到上风侧")
    assert told(stage, "security_one", "撤到上风侧") == []
    assert len(told(stage, "security_two", "撤到上风侧")) == 1
    (asked,) = told(stage, "security_lead", "撤到上风侧")
    assert "security_one在禁用手机区内" in asked["body"]["zh"]
    (line,) = [one for one in kept_out(stage, course) if one["refs"]["alert"] == asked["id"]]
    assert line["text"]["en"] == (
        "security_one was not asked: last seen where no phone may be used (3 min ago, field report)"
    )
    # who goes in while still silent is not reminded
    seen_at(stage, "security_two", course, 90)
    stage.move(minutes=2)
    reminded = [one["refs"]["person"] for one in kept_out(stage, course) if one["refs"]["alert"] == asked["id"]]
    assert stage.cast.people["security_two"] in reminded
    # all of them inside: the leadership group passes it on; outside again they are asked themselves
    seen_at(stage, "security_lead", course, 20)
    order(stage, course, "清点人数")
    assert [len(told(stage, who, "清点人数")) for who in ("security_lead", "security_two", "commander")] == [0, 0, 1]
    seen_at(stage, "security_lead", course, 121)
    order(stage, course, "恢复岗位")
    assert [len(told(stage, who, "恢复岗位")) for who in ("security_lead", "security_two", "commander")] == [1, 0, 0]
    assert phone.one("alert", title={"zh": "恢复岗位", "en": "恢复岗位"})


def _place(session: Any, incident: str) -> None:
    found = session.get(Incident, incident)
    found.lat, found.lon = HERE["lat"], HERE["lon"]


def test_going_to_paper_opens_the_ledger_by_itself_and_the_end_waits_for_zero(stage: Stage) -> None:
    in_use(stage, PAPER)
    course, phone = Course(stage, "paper-and-gas"), stage["commander"]
    course.tell("plan.activated")
    stage.move(minutes=29, seconds=59)
    phone.sync()
    assert phone.all("back_entry") == []
    stage.move(seconds=1)
    phone.sync()
    line = phone.one("back_entry")
    assert (line["key"], line["tier"], line["counted_at"], line["remaining"]) == ("forms", "first", None, 0)
    stage.move(hours=6)
    phone.sync()
    assert phone.one("back_entry")["id"] == line["id"]  # the same post in the next tier
    end = f"/incidents/{course.id}/decisions"
    phone.refused(end, {"kind": "end"}, 422, "ledger_open")  # nobody has said how much there is
    clerk = stage["security_one"]
    clerk.fact(f"/back-entries/{line['id']}/counts", {"quantity": 40})
    course.tell("service.restored")
    clerk.fact(f"/back-entries/{line['id']}/completions", {"quantity": 30})
    clerk.refused(f"/back-entries/{line['id']}/counts", {"quantity": 29}, 422, "less_than_entered")
    clerk.fact(f"/back-entries/{line['id']}/counts", {"quantity": 42})  # two more were found
    phone.sync()
    assert phone.one("back_entry")["remaining"] == 12
    assert phone.one("back_entry")["due_at"] == phone.one("limit", key="back-entry-forms")["due_at"]
    phone.refused(end, {"kind": "end"}, 422, "ledger_open")
    clerk.fact(f"/back-entries/{line['id']}/completions", {"quantity": 12})
    assert [one.status for one in course.due("back-entry-forms")] == ["met"]
    phone.fact(end, {"kind": "end"})


@pytest.mark.parametrize("sent", [True, False])
def test_a_report_to_the_authorities_has_its_hour_and_its_form(stage: Stage, sent: bool) -> None:
    course, phone = from_library(stage, "003-03"), stage["commander"]
    course.tell("head.informed")
    rule = next(one for one in shelf.find("003-03").plan.reports if one.key == "authorities")  # type: ignore[union-attr]
    needed = {one.key: "已核实" for one in rule.fields if one.required}
    assert {"unit", "time", "place", "scene", "course", "casualties", "loss", "measures"} <= set(needed)
    body = {"incident": course.id, "type": "status", "text": "事故报告", "fulfils": "authorities"}
    partly = {key: value for key, value in needed.items() if key != "casualties"}
    phone.refused("/reports", {**body, "fields": partly}, 422, "fields_missing")
    course.tell("gear.returned")
    course.tell("response.ended")  # the end of the response does not end what is owed to the authorities
    (clock,) = course.due("report-authorities")
    assert clock.due_at == now() + timedelta(hours=1)
    stage.move(minutes=59, seconds=59)
    before = course.told()
    if sent:
        phone.fact("/reports", {**body, "fields": needed})
    stage.move(seconds=1)
    assert [one.status for one in course.due("report-authorities")] == ["met" if sent else "passed"]
    assert (course.told() > before) != sent


@pytest.mark.parametrize("done", [True, False])
def test_an_order_by_hand_has_its_time_as_one_of_a_plan_has(stage: Stage, done: bool) -> None:
    in_use(stage, PAPER)
    course, phone, lead = Course(stage, "paper-and-gas"), stage["commander"], stage["security_lead"]
    due = now() + timedelta(minutes=10)
    body = {"incident": course.id, "team": stage.cast.teams["security"], "title": "封闭南门", "text": "封闭南门"}
    id = phone.fact("/orders", {**body, "due_at": due.isoformat()})
    (clock,) = course.due(f"order-{id}")
    assert (clock.status, clock.due_at) == ("running", due)
    stage.move(minutes=9, seconds=59)
    assert [one.status for one in course.due(f"order-{id}")] == ["running"]
    assert told(stage, "security_lead", "到时未完成") == []
    if done:
        lead.sync()
        (item,) = [one for one in lead.all("item") if one["checklist"] == lead.one("order", id=id)["checklist"]]
        lead.fact(f"/items/{item['id']}/marks", {"value": "done"})
    stage.move(seconds=1)
    assert [one.status for one in course.due(f"order-{id}")] == ["met" if done else "passed"]
    late = [len(told(stage, who, "到时未完成：封闭南门")) for who in ("security_lead", "commander", "security_one")]
    assert late == ([0, 0, 0] if done else [1, 1, 0])
    phone.sync()
    assert phone.one("order", id=id)["status"] == ("done" if done else "issued")


def test_people_of_one_team_who_are_ordered_by_hand_say_there_that_it_is_done(stage: Stage) -> None:
    in_use(stage, PAPER)
    course, phone, guard = Course(stage, "paper-and-gas"), stage["commander"], stage["security_one"]
    due, guards = now() + timedelta(minutes=10), [stage.cast.people[one] for one in ("security_one", "security_two")]
    body = {"incident": course.id, "title": "封闭南门", "text": "封闭南门", "due_at": due.isoformat()}
    id = phone.fact("/orders", {**body, "people": guards})
    apart = phone.fact("/orders", {**body, "people": [guards[0], stage.cast.people["it_one"]]})
    guard.sync()
    listing = guard.one("checklist", key=f"order-{id}")
    assert (listing["team"], listing["title"]["zh"]) == (stage.cast.teams["security"], "封闭南门")
    item = guard.one("item", checklist=listing["id"])
    guard.fact(f"/items/{item['id']}/marks", {"value": "done"})
    assert [one.status for one in course.due(f"order-{id}")] == ["met"]
    # who shares no team says so each in their own, and it is done with the last of them
    for who, left in (("it_one", "running"), ("security_one", "met")):
        own = stage[who]
        own.sync()
        listing = own.one("checklist", key=f"order-{apart}")
        item = own.one("item", checklist=listing["id"])
        own.fact(f"/items/{item['id']}/marks", {"value": "done"})
        assert [one.status for one in course.due(f"order-{apart}")] == [left]
    phone.sync()
    assert phone.one("order", id=apart)["status"] == "done"
