"""Changes: a phone that pulls by what it has seen ends with exactly what it may see, whoever commits meanwhile."""

import threading
from collections.abc import Callable
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from server.clock import iso, now
from server.db import new_id
from server.domain import feed
from server.domain.people import Membership
from tests.cast import TICKETING, Cast, Phone, Stage
from tests.conftest import KINDS
from tests.postgres import Databases
from tests.situation import full_swing, ticketing
from tests.stage import set_stage

Filled = Callable[[str], tuple[str, Cast]]


def fresh(stage: Stage, name: str) -> Phone:
    """Another phone of the same person that has pulled nothing yet."""
    cast = stage.cast
    return Phone(stage.app, name, cast.people[name], cast.devices[name], cast.tokens[name])


def truth(stage: Stage, spaces: set[str]) -> dict[tuple[str, str, str], bool]:
    with stage.database.read() as session:
        rows = session.scalars(select(feed.Change).where(feed.Change.space.in_(spaces)))
        return {(row.space, row.type, row.entity): True for row in rows if row.document is not None}


@pytest.mark.parametrize("name", ["admin", "commander", "security_lead", "security_one", "observer", "outsider"])
def test_paging_small_or_large_ends_the_same(stage: Stage, name: str) -> None:
    full_swing(stage)
    small, large = fresh(stage, name), fresh(stage, name)
    small.sync(limit=7)
    large.sync(limit=1000)
    assert small.rows == large.rows
    assert small.cursors == large.cursors
    assert set(small.rows) == set(truth(stage, set(small.cursors)))
    assert small.sync() == 0


def test_those_who_stand_at_the_same_version_get_the_same_page_and_after_each_commit_a_new_one(stage: Stage) -> None:
    incident = full_swing(stage)["incident"]
    boards = [fresh(stage, name) for name in ("commander", "commander", "observer")]
    for board in boards:
        board.sync()
    for number in range(3):
        stage["security_one"].fact(f"/incidents/{incident}/entries", {"text": f"第{number}次"})
        for board in boards:
            board.sync(limit=500 if number else 1)
            assert any(f"第{number}次" in str(row) for row in board.rows.values())
            assert set(board.rows) == set(truth(stage, set(board.cursors)))
    assert boards[0].rows == boards[1].rows


def test_everybody_gets_the_spaces_that_are_theirs(stage: Stage) -> None:
    ids = full_swing(stage)
    incident, team = f"incident:{ids['incident']}", stage.cast.teams["security"]

    def spaces(name: str) -> set[str]:
        return {
            space for space in stage[name].get("/me")["spaces"] if ids["incident"] in space or "incident" not in space
        }

    me = {name: f"me:{id}" for name, id in stage.cast.people.items()}
    numbers = f"{incident}:numbers"
    assert spaces("admin") == {"org", "contacts", "plans", incident, numbers, me["admin"]}
    command = {"org", "contacts", f"contacts:{stage.cast.teams['leadership']}", "plans", incident, numbers}
    assert spaces("commander") == command | {f"{incident}:command", me["commander"]}
    assert spaces("observer") == {"org", incident, numbers, me["observer"]}
    assert spaces("outsider") == {"org", me["outsider"]}
    mine = {"org", incident, f"{incident}:team:{team}"}
    assert spaces("security_one") == mine | {me["security_one"]}
    assert spaces("security_lead") == mine | {
        me["security_lead"],
        f"contacts:{team}",
        numbers,
        f"{incident}:team:{team}:lead",
    }


def test_telephone_numbers_reach_those_who_may_see_them(stage: Stage) -> None:
    def numbers(name: str) -> set[str]:
        stage[name].sync()
        return {doc["person"] for doc in stage[name].all("contact")}

    people = stage.cast.people
    leaders = {people[name] for name in people if name.endswith("_lead")} | {people["commander"], people["second"]}
    assert numbers("security_one") == leaders == numbers("observer")
    assert numbers("security_lead") == leaders | {people["security_one"], people["security_two"]}
    assert numbers("commander") == {id for name, id in people.items() if name != "leaver"}


def test_a_person_who_joins_gets_the_new_spaces_and_who_leaves_drops_them(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    incident = ticketing(stage, activate=True)
    phone, team = stage["outsider"], stage.cast.teams["security"]
    phone.sync()
    known = dict(phone.cursors)
    post = new_id()
    body = {"person": phone.person, "team": team, "role": "member"}
    stage["admin"].put(f"/memberships/{post}", body, 204)
    answer = phone.changes()
    sent = {part["id"]: part for part in answer["spaces"]}
    assert set(sent) == {"org", f"incident:{incident}", f"incident:{incident}:team:{team}"}
    assert len(sent["org"]["rows"]) <= 2
    phone.sync()
    assert phone.one("order", key="keep-order")["incident"] == incident
    assert set(known) <= set(phone.cursors)
    stage["admin"].put(f"/memberships/{post}", {**body, "ended": True}, 204)
    assert set(phone.changes()["drop"]) == {f"incident:{incident}", f"incident:{incident}:team:{team}"}
    phone.sync()
    assert phone.all("order") == []
    assert post not in {doc["id"] for doc in phone.all("membership")}
    assert [one for one in caplog.records if one.name == "tocsin.changes"] == [], "to have left is nothing strange"


def test_what_ends_is_taken_away_once_and_a_new_phone_never_hears_of_it(stage: Stage) -> None:
    phone = stage["observer"]
    phone.sync()
    with stage.database.read() as session:
        where = Membership.person == stage.cast.people["security_two"]
        post = session.scalars(select(Membership).where(where)).one()
    stage["admin"].put(
        f"/memberships/{post.id}", {"person": post.person, "team": post.team, "role": "member", "ended": True}, 204
    )
    (part,) = [one for one in phone.changes()["spaces"] if one["id"] == "org"]
    assert [(row["id"], row["op"]) for row in part["rows"] if row["type"] == "membership"] == [(post.id, "del")]
    phone.sync()
    new = fresh(stage, "observer")
    assert "del" not in {row["op"] for one in new.changes()["spaces"] for row in one["rows"]}
    new.sync()
    assert new.rows == phone.rows


@pytest.mark.parametrize("cursor", [10**9, 1])
def test_a_phone_the_server_cannot_follow_starts_the_space_anew(stage: Stage, cursor: int) -> None:
    """A version from the future, or from before what the server still keeps: reset, with everything in it."""
    stage["observer"].sync()
    whole = dict(stage["observer"].rows)

    def forget(session: Session) -> None:
        session.execute(update(feed.Space).where(feed.Space.id == "org").values(min_version=5))

    stage.database.write(forget)
    phone = stage["observer"]
    phone.cursors["org"] = cursor
    (part,) = [one for one in phone.changes()["spaces"] if one["id"] == "org"]
    assert part["reset"]
    phone.sync()
    assert phone.rows == whole


def test_another_life_of_the_database_sends_everything_again(stage: Stage) -> None:
    phone = stage["observer"]
    phone.sync()
    assert phone.changes()["spaces"] == []
    assert {part["id"] for part in phone.changes(epoch=new_id())["spaces"]} >= {"org"}


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_decision_makes_has_the_same_ids_when_a_restored_server_hears_it_again(
    kind: str, filled: Filled, application: Callable[[str], Flask], postgres: Databases
) -> None:
    """Else no answer and no mark from after the backup would fit any more."""
    incident, activation, order = new_id(), new_id(), new_id()

    def made() -> dict[str, list[str]]:
        with contextmanager(set_stage)(kind, filled, application, postgres) as stage:
            commander = stage["commander"]
            stage["visitors_one"].put(f"/incidents/{incident}", {"plan": TICKETING, "title": "三号窗口无法出票"})
            commander.put(f"/incidents/{incident}/decisions/{activation}", {"kind": "activate"})
            by_hand = {"incident": incident, "team": stage.cast.teams["security"], "title": "请到东门"}
            commander.put(f"/orders/{order}", {**by_hand, "due_at": iso(now() + timedelta(minutes=9))})
            commander.sync()
            found = {type: [one["id"] for one in commander.all(type)] for type in ("order", "checklist", "item")}
            return {**found, "alert": sorted(one["id"] for one in commander.all("alert") if one["order"])}

    first = made()
    assert first == made()
    assert all(len(ids) > 4 for ids in first.values())


def test_cursors_of_spaces_that_are_not_mine_or_do_not_exist_are_refused_and_recorded(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    incident = ticketing(stage)
    phone = stage["outsider"]
    phone.cursors = {f"incident:{incident}": 0, f"incident:{incident}:command": 3, "nonsense": 1, f"me:{new_id()}": 0}
    wanted = set(phone.cursors)
    answer = phone.changes()
    assert set(answer["drop"]) == wanted
    assert not wanted & {part["id"] for part in answer["spaces"]}
    (line,) = [one.getMessage() for one in caplog.records if one.name == "tocsin.changes"]
    assert line.startswith(f"person {phone.person}, device {phone.device} asked for 4 spaces never theirs: ")
    assert all(repr(space) in line for space in wanted)


def test_no_phone_misses_a_row_while_many_commit(stage: Stage) -> None:
    """Eight writers in two spaces in turn, their transactions overlapping, and a phone that pulls all the time."""
    incidents = [ticketing(stage), ticketing(stage)]
    done = threading.Event()
    failures: list[Any] = []

    def write(number: int) -> None:
        phone = fresh(stage, "commander")
        for turn in range(12):
            order = incidents if (number + turn) % 2 else incidents[::-1]
            for incident in order:
                phone.later(f"/incidents/{incident}/entries", {"text": f"{number}.{turn}"})
            failures.extend(one for one in phone.drain() if one["status"] != "applied")

    reader = fresh(stage, "commander")

    def read() -> None:
        while not done.is_set():
            reader.sync(limit=5)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    pulling = threading.Thread(target=read)
    for thread in (*writers, pulling):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    pulling.join()
    assert failures == []
    reader.sync()
    said = [entry["text"]["en"] for entry in reader.all("entry") if entry["kind"] == "log"]
    assert len(said) == 8 * 12 * 2
    new = fresh(stage, "commander")
    new.sync()
    assert reader.rows == new.rows
    for incident in incidents:
        assert reader.get(f"/incidents/{incident}/verification") == {"intact": True, "broken_at": None}


def test_the_space_raised_first_and_committed_last_is_not_lost(stage: Stage) -> None:
    """Two units that overlap: the one that began first ends last; a phone that pulls in between still gets both."""
    if stage.database.is_sqlite:
        return  # one writer at a time there
    incident, phone = ticketing(stage), fresh(stage, "commander")
    phone.sync()
    begun, ended = threading.Event(), threading.Event()

    def slow(session: Session) -> None:
        stage_of = session.get(Membership, post)
        assert stage_of is not None
        stage_of.rank = 77
        begun.set()
        ended.wait(10)

    with stage.database.read() as session:
        post = session.scalars(select(Membership.id).limit(1)).one()
    thread = threading.Thread(target=lambda: stage.database.write(slow))
    thread.start()
    begun.wait(10)
    stage["admin"].put(f"/teams/{new_id()}", {"kind": "medical", "title": {"zh": "急救", "en": "Aid"}}, 204)
    phone.sync()
    assert phone.one("team", kind="medical")
    ended.set()
    thread.join()
    phone.sync()
    assert phone.one("membership", id=post)["rank"] == 77
    assert incident
