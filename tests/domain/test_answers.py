"""Answers: what was still on its way is taken back with them, late ones are kept, and radio speaks for the absent."""

from typing import Any

import pytest
from sqlalchemy import select

from server.clock import iso, now
from server.db import new_id
from server.domain import answers, outbox, people
from server.domain.alerts import Answer, Recipient
from server.domain.devices import Device, subscribe
from server.domain.outbox import Delivery
from tests.cast import MORNING, Stage
from tests.situation import ticketing

TAKERS = ("security_lead", "security_one", "security_two")


@pytest.fixture
def alert(stage: Stage) -> str:
    """The alert of an order to security, whose phones all take pushes."""

    def unit(session: Any) -> None:
        for name in TAKERS:
            device, address = session.get(Device, stage.cast.devices[name]), f"https://push.example/{name}"
            subscribe(session, device, address, "https://push.example", b"\4" * 65, b"0" * 16, "key")

    stage.database.write(unit)
    body = {"incident": ticketing(stage), "team": stage.cast.teams["security"], "title": "到售票厅维持秩序"}
    order = stage["commander"].fact("/orders", {**body, "audience": "everyone"})
    stage["commander"].sync()
    return str(stage["commander"].one("order", id=order)["alert"])


def waiting(stage: Stage, alert: str) -> dict[str, set[str]]:
    """The states of everybody's deliveries of an alert, by name."""
    names = {id: name for name, id in stage.cast.people.items()}
    found: dict[str, set[str]] = {}
    with stage.database.read() as session:
        for person, state in session.execute(select(Delivery.person, Delivery.state).where(Delivery.subject == alert)):
            found.setdefault(names[str(person)], set()).add(state)
    return found


def row(stage: Stage, alert: str, name: str) -> dict[str, Any]:
    """What command sees of a person under an alert."""
    stage["commander"].sync()
    return stage["commander"].one("recipient", alert=alert, person=stage.cast.people[name])


def given(stage: Stage, alert: str) -> int:
    with stage.database.read() as session:
        return len(list(session.scalars(select(Answer.id).where(Answer.alert == alert))))


def test_an_answer_takes_back_what_is_on_its_way_to_the_one_who_answered(stage: Stage, alert: str) -> None:
    assert waiting(stage, alert) == {name: {"pending"} for name in TAKERS}
    stage["security_one"].fact(f"/alerts/{alert}/answers", {"kind": "received"})
    others = {name: {"pending"} for name in TAKERS if name != "security_one"}
    assert waiting(stage, alert) == {**others, "security_one": {"cancelled"}}
    with stage.database.read() as session:
        assert {one.person for one in outbox.claim(session, "sender", 50)} == {
            stage.cast.people[name] for name in others
        }


def test_answer_and_taking_back_happen_both_or_neither(stage: Stage, alert: str) -> None:
    def unit(session: Any) -> None:
        by = people.standing(session, stage.cast.people["security_one"])
        answers.answer(session, new_id(), alert, by, kind="received", occurred_at=now())
        session.flush()
        states = select(Delivery.state).where(Delivery.subject == alert, Delivery.person == by.id)
        assert list(session.scalars(states)) == ["cancelled"]
        raise OSError

    with pytest.raises(OSError):
        stage.database.write(unit)
    assert waiting(stage, alert)["security_one"] == {"pending"}
    assert (row(stage, alert, "security_one")["answered_at"], given(stage, alert)) == (None, 0)


def test_what_a_sender_holds_already_is_not_tried_again(stage: Stage, alert: str) -> None:
    held = {one.person: one for one in stage.database.write(lambda session: outbox.claim(session, "sender", 50))}
    mine = held[stage.cast.people["security_one"]]
    stage["security_one"].fact(f"/alerts/{alert}/answers", {"kind": "on_my_way"})
    failed = outbox.Settled(mine.id, mine.attempt, outbox.PENDING, "busy", retry_at=now())
    stage.database.write(lambda session: outbox.settle(session, [failed]))
    assert waiting(stage, alert)["security_one"] == {"cancelled"}


def test_one_who_answered_is_not_reminded_and_the_silent_are(stage: Stage, alert: str) -> None:
    stage["security_one"].fact(f"/alerts/{alert}/answers", {"kind": "received"})
    stage.move(minutes=30)
    found = waiting(stage, alert)
    assert found["security_one"] == {"cancelled"}
    with stage.database.read() as session:
        query = select(Delivery.person).where(Delivery.subject == alert)
        counts = [str(person) for person in session.scalars(query)]
    assert counts.count(stage.cast.people["security_one"]) == 1
    assert counts.count(stage.cast.people["security_two"]) > 1


def test_an_answer_after_the_end_is_kept_with_both_times(stage: Stage, alert: str) -> None:
    phone = stage["security_one"]
    said = now()
    id = phone.later(f"/alerts/{alert}/answers", {"kind": "on_scene"})
    stage.move(minutes=20)
    stage["commander"].sync()
    incident = stage["commander"].one("recipient", alert=alert, person=phone.person)["incident"]
    stage["commander"].fact(f"/incidents/{incident}/decisions", {"kind": "dismiss", "reason": "误报"})
    assert [one["status"] for one in phone.drain()] == ["applied"]
    found = row(stage, alert, "security_one")
    assert (found["answer"], found["answered_at"]) == ("on_scene", iso(said))
    with stage.database.read() as session:
        kept = session.get(Answer, id)
        assert kept is not None
        assert (kept.occurred_at, kept.received_at) == (said, now())
    entries = stage["commander"].get(f"/incidents/{incident}/timeline")["entries"]
    assert [one for one in entries if one["kind"] == "answer" and "告警已结束" in one["text"]["zh"]]


def test_the_answer_given_last_counts_whenever_it_arrives(stage: Stage, alert: str) -> None:
    phone = stage["security_one"]
    phone.later(f"/alerts/{alert}/answers", {"kind": "received"})
    stage.move(minutes=5)
    phone.fact(f"/alerts/{alert}/answers", {"kind": "on_my_way", "eta_minutes": 8})
    assert [one["status"] for one in phone.drain()] == ["applied"]
    found = row(stage, alert, "security_one")
    assert (found["answer"], found["eta_minutes"], given(stage, alert)) == ("on_my_way", 8, 2)


def test_the_same_answer_sent_twice_is_one(stage: Stage, alert: str) -> None:
    path, body = f"/alerts/{alert}/answers/{new_id()}", {"kind": "received"}
    stage["security_one"].put(path, body)
    stage["security_one"].put(path, body, 200)
    assert stage["security_one"].put(path, {"kind": "cannot", "reason": "在外"}, 409)["code"] == "id_reused"
    assert (given(stage, alert), row(stage, alert, "security_one")["answer"]) == (1, "received")


def test_a_leader_answers_by_radio_for_their_own(stage: Stage, alert: str) -> None:
    absent = stage.cast.people["security_two"]
    body = {"kind": "on_scene", "person": absent, "occurred_at": iso(MORNING)}
    stage["security_one"].fact(f"/alerts/{alert}/answers", body, 403)
    stage["it_lead"].fact(f"/alerts/{alert}/answers", body, 403)
    stage["security_lead"].fact(f"/alerts/{alert}/answers", body)
    found = row(stage, alert, "security_two")
    assert (found["answer"], found["answered_at"]) == ("on_scene", iso(MORNING))
    assert row(stage, alert, "security_lead")["answer"] is None, "for the absent, not for themselves"
    assert waiting(stage, alert) == {
        "security_lead": {"pending"}, "security_one": {"pending"}, "security_two": {"cancelled"},
    }  # fmt: skip
    with stage.database.read() as session:
        kept = session.scalar(select(Recipient).where(Recipient.alert == alert, Recipient.person == absent))
        assert kept is not None
        assert kept.answered_by == stage.cast.people["security_lead"]
    entries = stage["commander"].get(f"/incidents/{found['incident']}/timeline")["entries"]
    said = [one["text"]["zh"] for one in entries if one["kind"] == "answer"]
    assert said == ["security_two（security_lead代报）：到位"]


def test_nobody_answers_what_was_not_sent_to_them(stage: Stage, alert: str) -> None:
    stage["outsider"].refused(f"/alerts/{alert}/answers", {"kind": "received"}, 404, "alert_unknown")
    person = stage.cast.people["finance_lead"]
    body = {"kind": "received", "person": person}
    stage["commander"].refused(f"/alerts/{alert}/answers", body, 404, "alert_unknown")
    assert given(stage, alert) == 0
