"""Many at once: no reader misses a row, one id counts once, and who holds a lock holds up only those who need it."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pysqlite3.dbapi2 as sqlite
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from server.clock import now
from server.db import new_id
from server.domain import facts, feed
from server.domain.people import Membership
from server.domain.places import Place
from tests.cast import PASSWORD, Phone, Stage
from tests.faults.runner.phones import digest
from tests.situation import ticketing

only_postgresql = pytest.mark.parametrize("stage", ["postgresql"], indirect=True)  # SQLite has one writer at a time


def raise_incident(stage: Stage, who: str = "visitors_one") -> str:
    return stage[who].fact("/incidents", {"title": "漏水"})


def another(phone: Phone) -> Phone:
    """The same sign-in over another connection, with its own memory."""
    return Phone(phone.app, phone.name, phone.person, phone.device, phone.token)


def held(phone: Phone) -> dict[tuple[str, str, str], str]:
    return {key: digest(doc) for key, doc in phone.rows.items()}


def place(code: str) -> Place:
    return Place(id=new_id(), kind="point", title={"zh": code, "en": code}, code=code)


def finish(stage: Stage, session: Session) -> None:
    for finisher in stage.database.finishers:
        finisher(session)
    session.commit()


@only_postgresql
def test_transactions_that_commit_in_reverse_order_are_both_seen(stage: Stage) -> None:
    reader = stage["observer"]
    reader.sync()
    with Session(stage.database.engine) as first, Session(stage.database.engine) as second:
        first.add(place("begun first"))
        first.flush()
        second.add(place("begun second"))
        finish(stage, second)
        reader.sync()
        finish(stage, first)
    reader.sync()
    assert {"begun first", "begun second"} <= {doc["code"] for doc in reader.all("place")}


def test_pulls_while_writers_commit_miss_nothing(stage: Stage) -> None:
    incident = raise_incident(stage)
    stopping = threading.Event()
    writers = [another(stage[name]) for name in ("visitors_one", "visitors_lead", "commander", "second")]
    readers = [another(stage["commander"]) for _ in range(3)]

    def write(phone: Phone) -> None:
        for number in range(25):
            phone.fact(f"/incidents/{incident}/entries", {"text": f"{phone.name} {number}"})

    def read(phone: Phone) -> None:
        while not stopping.is_set():
            phone.sync(limit=7)

    with ThreadPoolExecutor(8) as pool:
        reading = [pool.submit(read, phone) for phone in readers]
        for job in [pool.submit(write, phone) for phone in writers]:
            job.result(60)
        stopping.set()
        for job in reading:
            job.result(60)
    whole = another(stage["commander"])
    whole.sync()
    for reader in readers:
        reader.sync()
        assert held(reader) == held(whole)
    assert len([one for one in whole.all("entry") if one["kind"] == "log"]) == 100


@only_postgresql
def test_when_the_first_sender_rolls_back_the_second_applies(stage: Stage) -> None:
    incident, id = raise_incident(stage), new_id()
    phone = stage["visitors_one"]
    with Session(stage.database.engine) as first, ThreadPoolExecutor(1) as pool:
        first.add(
            facts.Fact(
                id=id, fingerprint="0" * 64, path="/", occurred_at=now(), received_at=now(), outcome="applied", sent={}, answer={}
            )
        )  # fmt: skip
        first.flush()
        sending = pool.submit(another(phone).call, "PUT", f"/incidents/{incident}/entries/{id}", {"text": "水位上升"})
        time.sleep(0.5)
        assert not sending.done(), "the second waits for the first"
        first.rollback()
        assert sending.result(20).status_code == 201
    phone.sync()
    assert len([one for one in phone.all("entry") if one["kind"] == "log"]) == 1


@only_postgresql
def test_a_stuck_writer_holds_up_its_space_and_no_other(stage: Stage) -> None:
    stuck, free = raise_incident(stage), raise_incident(stage, "visitors_lead")
    address = stage.database.url
    with psycopg.connect(address) as holder:
        holder.execute("SELECT * FROM space WHERE id = %s FOR UPDATE", [f"incident:{stuck}"])
        before = time.monotonic()
        answer = another(stage["visitors_one"]).call("PUT", f"/incidents/{stuck}/entries/{new_id()}", {"text": "一"})
        took = time.monotonic() - before
        assert (answer.status_code, answer.get_json()["code"]) == (503, "busy")
        assert answer.headers["Retry-After"]
        assert 2.5 < took < 5
        before = time.monotonic()
        stage["visitors_lead"].fact(f"/incidents/{free}/entries", {"text": "二"})
        stage["visitors_one"].sync()
        assert time.monotonic() - before < 2
    stage["visitors_one"].fact(f"/incidents/{stuck}/entries", {"text": "一"})


@pytest.mark.parametrize("stage", ["sqlite"], indirect=True)
@pytest.mark.parametrize("held_by", ["another process of ours", "a foreign tool"])
def test_who_holds_the_write_lock_of_sqlite_is_not_waited_for_long(stage: Stage, held_by: str) -> None:
    incident, phone = raise_incident(stage), stage["visitors_one"]
    release: Callable[[], Any]
    if held_by == "a foreign tool":
        holder = sqlite.connect(str(stage.database.engine.url.database), isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        release = holder.close
    else:
        lock = stage.database._fair_lock()
        lock.__enter__()

        def release() -> None:
            lock.__exit__(None, None, None)

    before = time.monotonic()
    answer = another(phone).call("PUT", f"/incidents/{incident}/entries/{new_id()}", {"text": "一"})
    assert (answer.status_code, answer.get_json()["code"]) == (503, "busy")
    assert 2.5 < time.monotonic() - before < 5
    phone.sync()  # reading goes on
    release()
    phone.fact(f"/incidents/{incident}/entries", {"text": "一"})


def test_a_space_nobody_gave_is_dropped_and_tells_nothing(stage: Stage) -> None:
    incident = raise_incident(stage)
    outsider = stage["outsider"]
    outsider.cursors = {
        f"incident:{incident}": 0,
        f"me:{stage.cast.people['commander']}": 0,
        "contacts": 0,
        "no such": 3,
    }
    answer = outsider.changes()
    assert set(answer["drop"]) == set(outsider.cursors)
    assert {part["id"] for part in answer["spaces"]} <= {"org", f"me:{outsider.person}"}


def test_a_device_that_is_not_the_one_signed_in_is_refused_and_what_it_tried_is_kept(stage: Stage) -> None:
    incident, phone = raise_incident(stage), stage["visitors_one"]
    own, phone.device = phone.device, stage.cast.devices["commander"]
    id = phone.later(f"/incidents/{incident}/entries", {"text": "冒用设备"})
    assert phone.batch(phone.queue, expect=403)["code"] == "device_wrong"
    with stage.database.read() as session:
        kept = session.get(facts.Fact, id)
        assert kept is not None
        assert (kept.outcome, kept.code, kept.person, kept.device) == ("refused", "device_wrong", phone.person, own)
    phone.device = own
    assert phone.drain()[0]["status"] == "applied", "the right phone may still send it"


def test_a_phone_a_hundred_days_offline_signs_in_again_starts_afresh_and_loses_nothing(stage: Stage) -> None:
    incident, phone = raise_incident(stage), stage["visitors_one"]
    phone.sync()
    id = phone.later(f"/incidents/{incident}/entries", {"text": "离线一百天"})
    stage.move(days=100)
    assert phone.batch(phone.queue, expect=401)["code"]
    assert phone.changes(expect=401)["code"]
    device = {"id": phone.device, "name": "phone"}
    signing = {"username": "visitors_one", "password": PASSWORD, "device": device}
    assert phone.call("POST", "/sessions", signing).status_code == 200

    def forget(session: Session) -> None:
        for space in session.scalars(select(feed.Space)):
            space.version += 1
            space.min_version = space.version

    stage.database.write(forget)
    assert {part["reset"] for part in phone.changes()["spaces"]} == {True}
    phone.sync()
    assert [(one["id"], one["status"]) for one in phone.drain()] == [(id, "applied")]
    phone.sync()
    assert [one["refs"]["fact"] for one in phone.all("entry") if one["kind"] == "log"] == [id]


def test_an_answer_to_an_alert_the_phone_never_pulled_counts(stage: Stage) -> None:
    incident, phone = raise_incident(stage), stage["security_one"]
    order = {"incident": incident, "team": stage.cast.teams["security"], "title": "到场", "text": "到场"}
    stage["commander"].fact("/orders", order)
    stage["commander"].sync()
    alert = next(one["id"] for one in stage["commander"].all("alert") if one["team"] == order["team"])
    assert phone.rows == {}
    phone.later(f"/alerts/{alert}/answers", {"kind": "on_my_way"})
    assert [one["status"] for one in phone.drain()] == ["applied"]


def test_who_is_taken_out_of_a_team_while_offline_loses_its_space_and_keeps_the_unsent(stage: Stage) -> None:
    incident, phone = raise_incident(stage, "security_one"), stage["security_one"]
    phone.sync()
    own = [space for space in phone.cursors if space.startswith(f"incident:{incident}")]
    assert own
    with stage.database.read() as session:
        post = session.scalar(select(Membership).where(Membership.person == phone.person))
        assert post is not None
        body = {"person": post.person, "team": post.team, "role": "member", "rank": 9, "ended": True}
    id = phone.later("/incidents", {"title": "离组之后"})
    stage["admin"].put(f"/memberships/{post.id}", body, expect=204)
    before = set(phone.cursors)
    phone.sync()
    assert before - set(phone.cursors), "something is dropped"
    assert not any(space not in phone.cursors for space, _, _ in phone.rows)
    assert [(one["id"], one["status"]) for one in phone.drain()] == [(id, "applied")]


def test_who_is_put_into_a_team_is_sent_the_new_spaces_alone(stage: Stage) -> None:
    raise_incident(stage, "security_one")
    phone = stage["outsider"]
    phone.sync()
    before = set(phone.cursors)
    body = {"person": phone.person, "team": stage.cast.teams["security"], "role": "member", "rank": 9, "ended": False}
    stage["admin"].put(f"/memberships/{new_id()}", body, expect=204)
    parts = phone.changes()["spaces"]
    fresh = {part["id"] for part in parts} - before
    assert fresh
    known = {part["id"]: part["rows"] for part in parts if part["id"] in before}
    assert sum(len(rows) for rows in known.values()) <= 3, "of what it has, only the post itself"


def requested(stage: Stage) -> str:
    body = {"incident": ticketing(stage, activate=True), "supply": stage.cast.supplies["radios"], "quantity": 30}
    return stage["visitors_one"].fact("/requests", {**body, "for_team": stage.cast.teams["visitor_centre"]})


def stood(stage: Stage, request: str) -> tuple[dict[str, Any], list[tuple[str, bool]], int]:
    """The request as everybody sees it, its movements by kind, and the stock."""
    phone = another(stage["commander"])
    phone.sync()
    moved = sorted((one["kind"], one["accepted"]) for one in phone.all("movement"))
    (stock,) = [one["quantity"] for one in phone.all("supply") if one["key"] == "radios"]
    return phone.one("request", id=request), moved, stock


def test_two_drivers_dispatch_the_same_request_at_once(stage: Stage) -> None:
    request, together = requested(stage), threading.Barrier(2)

    def drive(name: str) -> int:
        together.wait()
        path = f"/requests/{request}/movements/{new_id()}"
        return (
            another(stage[name]).call("PUT", path, {"kind": "dispatched", "quantity": 30, "carrier": name}).status_code
        )

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(drive, ("logistics_one", "logistics_lead"))) == [201, 201], "both are kept"
    found, moved, stock = stood(stage, request)
    assert moved == [("dispatched", False), ("dispatched", True)]
    assert (found["sent"], found["contested"], found["state"], stock) == (30, True, "dispatched", 10)


def test_a_dispatch_after_the_cancellation_is_a_claim_and_takes_nothing_from_the_shelf(stage: Stage) -> None:
    request = requested(stage)
    stage["logistics_one"].later(f"/requests/{request}/movements", {"kind": "dispatched", "quantity": 30})
    stage["visitors_one"].fact(f"/requests/{request}/movements", {"kind": "cancelled"})
    stage["logistics_one"].drain()
    found, moved, stock = stood(stage, request)
    assert moved == [("cancelled", True), ("dispatched", False)]
    assert (found["state"], found["sent"], found["contested"], stock) == ("cancelled", 0, True, 40)


def test_a_receipt_that_arrives_before_the_dispatch_is_kept_and_shown(stage: Stage) -> None:
    request = requested(stage)
    stage["logistics_one"].later(f"/requests/{request}/movements", {"kind": "dispatched", "quantity": 30})
    stage.move(minutes=1)
    stage["visitors_one"].fact(f"/requests/{request}/movements", {"kind": "received", "quantity": 28})
    stage["logistics_one"].drain()
    found, moved, stock = stood(stage, request)
    assert moved == [("dispatched", True), ("received", False)]
    assert (found["state"], found["sent"], found["contested"], stock) == ("dispatched", 30, True, 10)


def test_a_phone_that_is_behind_what_is_kept_starts_afresh_and_keeps_its_queue(stage: Stage) -> None:
    incident, phone = raise_incident(stage), stage["visitors_one"]
    phone.sync()
    phone.later(f"/incidents/{incident}/entries", {"text": "离线一百天"})
    stage.move(days=20)
    for number in range(3):
        stage["visitors_lead"].fact("/incidents", {"title": f"其他 {number}"})

    def forget(session: Session) -> None:
        space = session.get(feed.Space, f"incident:{incident}")
        assert space is not None
        space.version += 5
        space.min_version = space.version

    stage.database.write(forget)
    again = phone.changes()
    part = next(one for one in again["spaces"] if one["id"] == f"incident:{incident}")
    assert part["reset"]
    assert {row["op"] for row in part["rows"]} == {"put"}
    phone.sync()
    assert [result["status"] for result in phone.drain()] == ["applied"]


def test_apps_that_are_too_old_are_told_and_keep_their_queue(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    phone = stage["visitors_one"]
    id = phone.later("/incidents", {"title": "漏水"})
    assert phone.batch(phone.queue, expect=426, schema=0)["code"] == "update_needed"
    assert phone.changes(expect=426, schema=0)["code"] == "update_needed"
    with stage.database.read() as session:
        assert session.scalar(select(facts.Fact.id).where(facts.Fact.id == id)) is None
    monkeypatch.setattr("server.api.http.OLDEST_SCHEMA", 2)
    assert phone.batch(phone.queue, expect=426)["code"] == "update_needed"
    monkeypatch.undo()
    assert phone.batch(phone.queue, schema=7)["results"][0]["status"] == "applied", "an app ahead of the server goes on"
