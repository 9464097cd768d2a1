"""Batches: each item gets its own result, in order, once, and a bad one never holds up the others."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from marshmallow import ValidationError
from sqlalchemy import func, select

from server.api import batch, http
from server.clock import clock, iso, now
from server.db import new_id
from server.domain import errors
from server.domain.facts import Fact
from server.domain.incidents import Incident
from server.domain.plans import Plan, Reading, Revision
from server.domain.timeline import Entry
from tests.cast import MORNING, Stage
from tests.faults.runner.checker import Verdict, feed_says_what_rows_say
from tests.situation import ticketing


def entry(stage: Stage, who: str, incident: str, text: str = "记录", **more: Any) -> str:
    """Queue a line for the log."""
    return stage[who].later(f"/incidents/{incident}/entries", {"text": text}, **more)


def lines(stage: Stage, incident: str) -> list[str]:
    with stage.database.read() as session:
        query = select(Entry).where(Entry.incident == incident, Entry.kind == "log").order_by(Entry.seq)
        return [one.text["en"].split(": ")[1] for one in session.scalars(query)]


def test_items_take_effect_in_order_and_item_three_of_ten_is_refused(stage: Stage) -> None:
    incident, phone = ticketing(stage), stage["visitors_one"]
    for number in range(10):
        entry(stage, "visitors_one", incident, f"n{number}" if number != 3 else "")
    queued = list(phone.queue)
    results = phone.drain()
    assert [result["status"] for result in results] == ["applied"] * 3 + ["refused"] + ["applied"] * 6
    assert [result["id"] for result in results] == [item["id"] for item in queued]
    assert (results[3]["http"], results[3]["code"], results[3]["errors"][0]["path"]) == (422, "invalid", "text")
    assert lines(stage, incident) == [f"n{number}" for number in range(10) if number != 3]
    with stage.database.read() as session:
        kept = session.get(Fact, queued[3]["id"])
        assert kept is not None
        assert kept.sent is not None
        assert (kept.outcome, kept.code, kept.person, kept.sent["text"]) == ("refused", "invalid", phone.person, "")


def test_a_thing_named_by_words_is_found_as_in_a_single_request(stage: Stage) -> None:
    phone = stage["visitors_one"]
    with stage.database.read() as session:
        revision = session.scalars(select(Revision).where(Revision.status == "approved")).first()
        assert revision is not None
        plan = session.get_one(Plan, revision.plan)
    phone.later(f"/plans/{plan.key}/revisions/{revision.version}/readings", {})
    phone.later(f"/plans/{plan.key}/revisions/999/readings", {})
    assert [(one["status"], one.get("code")) for one in phone.drain()] == [
        ("applied", None),
        ("refused", "revision_unknown"),
    ]
    with stage.database.read() as session:
        assert [one.person for one in session.scalars(select(Reading).where(Reading.revision == revision.id))] == [
            phone.person
        ]


def test_the_same_batch_again_changes_nothing_and_answers_the_same(stage: Stage) -> None:
    incident, phone = ticketing(stage), stage["visitors_one"]
    entry(stage, "visitors_one", incident)
    phone.later(f"/incidents/{incident}/facts", {"key": "service.restored"})
    items = phone.queue
    first, again = phone.batch(items)["results"], phone.batch(items)["results"]
    assert [result["status"] for result in again] == ["duplicate", "duplicate"]
    assert [result["body"] for result in again] == [result["body"] for result in first]
    assert lines(stage, incident) == ["记录"]


def test_a_batch_that_takes_long_gives_way_between_commits_and_keeps_its_order(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    incident, phone = ticketing(stage), stage["visitors_one"]
    monkeypatch.setattr(batch, "TURN_SECONDS", 0.0)
    turns, write = [], http.write

    def count(unit: Any, *, long: bool = False) -> Any:
        turns.append(long)
        if len(turns) > most:
            raise errors.Busy
        return write(unit, long=long)

    monkeypatch.setattr(http, "write", count)
    for number in range(6):
        entry(stage, "visitors_one", incident, f"n{number}" if number != 1 else "")
    items, most = phone.queue, 0
    assert phone.batch(items, expect=503)["code"] == "busy"
    turns.clear()
    most = 4
    results = phone.batch(items)["results"]
    assert [one["status"] for one in results] == ["applied", "refused"] + ["applied"] * 2 + ["retry_later"] * 2
    assert [one["id"] for one in results] == [item["id"] for item in items]
    turns.clear()
    most = 9
    again = phone.batch(items)["results"]
    assert [one["status"] for one in again] == ["duplicate", "refused"] + ["duplicate"] * 2 + ["applied"] * 2
    assert turns == [True] * 6
    assert lines(stage, incident) == [f"n{number}" for number in range(6) if number != 1]


@pytest.mark.parametrize(
    "change",
    [
        {}, {"method": "POST"}, {"method": None}, {"id": "0192F0C0-0000-7000-8000-00000000000A"}, {"id": "0" * 32}, {"id": 7},
        {"seq": -1}, {"seq": True}, {"seq": 2.0}, {"seq": 2**53 + 1}, {"path": ""}, {"path": "/" * 401}, {"path": "/\x00"},
        {"path": "/e\u0301"}, {"path": None}, {"body": []}, {"body": None}, {"occurred_at": iso(MORNING)}, {"more": 1},
    ],
)  # fmt: skip
def test_an_item_looked_at_by_hand_is_what_the_schema_makes_of_it(change: dict[str, Any]) -> None:
    usual = {"id": new_id(), "seq": 1, "method": "PUT", "path": "/api/v1/reports/x", "body": {"text": "记录"}}

    def outcome(load: Callable[[Any], Any], raw: dict[str, Any]) -> Any:
        try:
            return load(raw)
        except ValidationError as error:
            return error.messages

    for raw in ({**usual, **change}, {name: value for name, value in {**usual, **change}.items() if name != "method"}):
        assert outcome(batch._item, raw) == outcome(batch.ITEM.load, raw)


def test_the_items_of_one_batch_go_each_to_its_own_place(stage: Stage) -> None:
    first, second, phone = ticketing(stage), ticketing(stage), stage["visitors_one"]
    for number, incident in enumerate((first, second, first)):
        entry(stage, "visitors_one", incident, f"n{number}")
    phone.later("/reports", {"incident": second, "type": "status", "text": "n3"})
    entry(stage, "visitors_one", second, "n4")
    phone.queue.append({"id": "x", "seq": 9, "path": f"/api/v1/incidents/{second}/entries/x", "body": {"text": "n5"}})
    assert [one["status"] for one in phone.drain()] == ["applied"] * 5 + ["refused"]
    assert (lines(stage, first), lines(stage, second)) == (["n0", "n2"], ["n1", "n4"])


def test_one_item_twice_in_a_batch_counts_once(stage: Stage) -> None:
    incident, phone = ticketing(stage), stage["visitors_one"]
    entry(stage, "visitors_one", incident)
    results = phone.batch(phone.queue * 2)["results"]
    assert [result["status"] for result in results] == ["applied", "duplicate"]


def test_an_id_with_other_content_is_a_conflict_and_changes_nothing(stage: Stage) -> None:
    incident, phone = ticketing(stage), stage["visitors_one"]
    id = entry(stage, "visitors_one", incident, "first")
    phone.drain()
    entry(stage, "visitors_one", incident, "other", id=id)
    (result,) = phone.drain()
    assert (result["status"], result["http"], result["code"]) == ("conflict", 409, "id_reused")
    assert lines(stage, incident) == ["first"]


def test_an_id_of_another_thing_or_person_is_a_conflict(stage: Stage) -> None:
    """A fact's id is its own: not that of a limit's order, nor one somebody else has used."""
    incident, phone = ticketing(stage), stage["visitors_one"]
    stage["commander"].sync()
    order = stage["commander"].all("order")[0]["id"]
    stage["commander"].later("", {}, id=order)
    stage["commander"].queue[-1]["path"] = f"/api/v1/orders/{order}"
    stage["commander"].queue[-1]["body"] = {"incident": incident, "title": "x", "team": stage.cast.teams["it"]}
    after = stage["commander"].later(f"/incidents/{incident}/entries", {"text": "goes on"})
    results = stage["commander"].drain()
    assert [(one["status"], one.get("code")) for one in results] == [("conflict", "id_reused"), ("applied", None)]
    assert results[1]["id"] == after
    id = entry(stage, "visitors_one", incident)
    item = dict(phone.queue[0])
    phone.drain()
    assert stage["commander"].batch([item])["results"][0]["code"] == "id_reused"
    assert lines(stage, incident) == ["goes on", "记录"]
    assert id


def test_a_refused_item_leaves_nothing_of_its_effect(stage: Stage) -> None:
    """An order to a team and to an unknown person fails half-way: its alert, feed rows and timeline go with it."""
    incident, commander = ticketing(stage), stage["commander"]
    commander.sync()
    body = {"incident": incident, "title": "x", "people": [stage.cast.people["it_one"], new_id()]}
    commander.later("/orders", body)
    commander.later(f"/incidents/{incident}/decisions", {"kind": "end"})
    commander.later(f"/incidents/{incident}/entries", {"text": "ok"})
    results = commander.drain()
    assert [result["status"] for result in results] == ["refused", "applied", "applied"]
    entries = commander.get(f"/incidents/{incident}/timeline")["entries"]
    assert not [one for one in entries if one["text"]["en"] == "Order by commander: x"]
    assert commander.get(f"/incidents/{incident}/verification")["intact"]


def test_what_a_batch_told_before_it_began_again_is_told_once(stage: Stage) -> None:
    """The alert of the first item is undone with the whole batch when the second is refused, and issued anew."""
    phone = stage["visitors_one"]
    phone.later("/incidents", {"plan": "scenic-ticketing-failure", "title": "窗口无法出票"})
    phone.later(f"/incidents/{new_id()}/entries", {"text": "没有这个事件"})
    assert [one["status"] for one in phone.drain()] == ["applied", "refused"]
    verdict = Verdict()
    with stage.database.read() as session:
        feed_says_what_rows_say(session, verdict)
    assert verdict.wrong == []


def test_a_refused_item_may_be_sent_again_when_it_is_right(stage: Stage) -> None:
    incident, phone = ticketing(stage), stage["visitors_one"]
    id = entry(stage, "visitors_one", incident, "")
    assert phone.drain()[0]["status"] == "refused"
    entry(stage, "visitors_one", incident, "mended", id=id)
    assert phone.drain()[0]["status"] == "applied"
    assert lines(stage, incident) == ["mended"]


def test_both_times_are_kept_and_a_phone_ahead_of_time_is_not_believed(stage: Stage) -> None:
    incident, phone = ticketing(stage), stage["visitors_one"]
    happened = iso(now())
    clock.move(3600)
    stage["visitors_one"].later(f"/incidents/{incident}/entries", {"text": "late", "occurred_at": happened})
    phone.later(f"/incidents/{incident}/entries", {"text": "ahead", "occurred_at": "2026-11-23T09:00:00Z"})
    phone.queue[0]["body"].pop("occurred_at")
    phone.queue[0]["occurred_at"] = happened
    assert {result["status"] for result in phone.drain()} == {"applied"}
    told = {
        one["text"]["en"].split(": ")[1]: one for one in phone.get(f"/incidents/{incident}/timeline")["entries"][-2:]
    }
    assert (told["late"]["occurred_at"], told["late"]["received_at"]) == (happened, iso(now()))
    assert told["ahead"]["occurred_at"] == iso(now())


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"items": [{}] * 51}, 413, "too_many_items"),
        ({"epoch": new_id()}, 409, "epoch_changed"),
        ({"person": new_id()}, 409, "wrong_person"),
        ({"device": new_id()}, 403, "device_wrong"),
        ({"device": "x"}, 422, "invalid"),
        ({"surprise": 1}, 422, "invalid"),
        ({"items": 5}, 422, "invalid"),
        ({"items": [{"x": "y" * 300 * 1024}]}, 413, "too_large"),
    ],
)  # fmt: skip
def test_an_envelope_that_is_wrong_applies_nothing(
    shared_stage: Stage, change: dict[str, Any], status: int, code: str
) -> None:
    phone = shared_stage["commander"]
    id = new_id()
    good = {"id": id, "seq": 1, "path": f"/api/v1/incidents/{id}", "body": {"title": "x"}}
    body = {"device": phone.device, "person": phone.person, "items": [good], **change}
    assert phone.post("/batch", body, status)["code"] == code
    with shared_stage.database.read() as session:
        assert session.get(Incident, id) is None


ITEM: dict[str, Any] = {"seq": 1, "body": {"title": "x"}}


@pytest.mark.parametrize(
    ("item", "code"),
    [
        ({"path": "/api/v1/nothing/{id}"}, "unknown_path"),
        ({"path": "/api/v1/people/{id}", "body": {"username": "x", "name": "x", "role": "admin"}}, "unknown_path"),
        ({"path": "/api/v1/devices/{id}/subscription"}, "unknown_path"),
        ({"path": "https://evil.example/api/v1/incidents/{id}"}, "unknown_path"),
        ({"path": "/api/v1/incidents/" + new_id()}, "id_mismatch"),
        ({"path": "/api/v1/incidents/..%2f"}, "unknown_path"),
        ({"id": "00000000-0000-0000-0000-000000000000"}, "invalid"),
        ({"id": "not an id"}, "invalid"),
        ({"seq": 2**63}, "invalid"),
        ({"seq": -1}, "invalid"),
        ({"method": "DELETE"}, "invalid"),
        ({"body": []}, "invalid"),
        ({"body": {"title": "x", "role": "admin"}}, "invalid"),
        ({"body": {"title": "x", "occurred_at": "2026-11-23T02:00:00"}}, "invalid"),
        ({"type": "future"}, "invalid"),
    ],
)  # fmt: skip
def test_an_item_that_is_wrong_is_refused_alone(shared_stage: Stage, item: dict[str, Any], code: str) -> None:
    phone = shared_stage["commander"]
    bad, good = new_id(), new_id()
    wrong = json.loads(json.dumps({"id": bad, "path": "/api/v1/incidents/{id}", **ITEM, **item}).replace("{id}", bad))
    right = {"id": good, "path": f"/api/v1/incidents/{good}", **ITEM}
    results = phone.batch([wrong, right])["results"]
    assert (results[0]["status"], results[0]["code"]) == ("refused", code)
    assert results[1]["status"] == "applied"
    senseless: tuple[Any, ...] = (None, 5, "x", [])
    for raw in senseless:
        assert phone.batch([raw])["results"][0]["status"] == "refused"


def test_items_about_things_of_others_look_unknown(stage: Stage) -> None:
    incident = ticketing(stage)
    stage["outsider"].later(f"/incidents/{incident}/entries", {"text": "x"})
    stage["outsider"].later(f"/incidents/{new_id()}/entries", {"text": "x"})
    stage["observer"].later(f"/incidents/{incident}/entries", {"text": "x"})
    hidden, absent = stage["outsider"].drain()
    assert (hidden["status"], hidden["http"], hidden["code"]) == ("refused", 404, "incident_unknown")
    assert {**hidden, "id": 0} == {**absent, "id": 0}
    assert [(one["status"], one["http"]) for one in stage["observer"].drain()] == [("refused", 403)]


def test_a_queue_stays_when_the_session_has_ended_and_goes_when_the_phone_is_revoked(stage: Stage) -> None:
    phone = stage["visitors_one"]
    body = {"device": phone.device, "person": phone.person, "items": []}
    assert stage.anonymous().post("/batch", body, 401)["code"] == "session_ended"

    stage["admin"].call("DELETE", f"/devices/{phone.device}")
    refusal = phone.post("/batch", body, 403)
    assert (refusal["code"], refusal["wipe"]) == ("device_revoked", True)


def test_page_and_worker_send_the_same_at_once(stage: Stage) -> None:
    """Twenty at a time: exactly one effect, and everybody is told the same."""
    incident, commander = ticketing(stage), stage["commander"]
    id = new_id()
    path, body = f"/orders/{id}", {"incident": incident, "title": "增援", "team": stage.cast.teams["security"]}
    told: list[tuple[int, Any]] = []
    start = threading.Barrier(20)

    def send(number: int) -> None:
        phone = stage.anonymous()
        phone.client.set_cookie("tocsin", commander.token or "", domain="localhost")
        start.wait()
        if number % 2:
            answer = phone.call("PUT", path, body)
            told.append((answer.status_code, answer.get_json()))
        else:
            item = {"id": id, "seq": 1, "path": f"/api/v1{path}", "body": body}
            answer = phone.call("POST", "/batch", {"device": commander.device, "items": [item]})
            (result,) = answer.get_json()["results"]
            told.append((result["http"], result["body"]))

    threads = [threading.Thread(target=send, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(status for status, _ in told) == [200] * 19 + [201]
    assert len({json.dumps(answer, sort_keys=True) for _, answer in told}) == 1
    with stage.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Fact).where(Fact.id == id)) == 1
        kinds = select(func.count()).where(Entry.incident == incident, Entry.kind == "order", Entry.by.is_not(None))
        assert session.scalar(kinds) == 1


def test_the_answers_follow_the_language(shared_stage: Stage) -> None:
    phone = shared_stage["observer"]
    id = new_id()
    item = {"id": id, "path": f"/api/v1/incidents/{id}", **ITEM}
    answer = phone.call(
        "POST", "/batch", {"device": phone.device, "items": [item]}, headers={"Accept-Language": "zh-CN"}
    )
    assert answer.get_json()["results"][0]["message"] == "您没有权限进行此操作。"
    assert iso(MORNING) == answer.headers["X-Tocsin-Time"]
