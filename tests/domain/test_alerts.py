"""An alert to very many people is, row for row, what it is to one: recipients, deliveries and what each phone pulls."""

from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.clock import now
from server.db import Database, new_id
from server.domain import alerts, answers, calling, feed, outbox, rolls, told
from server.domain import people as roster
from server.domain.alerts import Alert, Recipient
from server.domain.feed import Change, Space
from server.domain.incidents import Incident
from server.domain.outbox import Delivery
from server.domain.people import Person

COUNT = 2 * rolls.PART + 7
WORDS = {"zh": "启动预案", "en": "Plan activated"}


@pytest.fixture
def people(database: Database) -> list[str]:
    feed.attach(database)
    ids = [new_id() for _ in range(COUNT)]
    database.write(
        lambda s: s.add_all(Person(id=id, username=id, name="值班员", role="responder", locale="zh") for id in ids)
    )
    return ids


def alert(session: Session, people: list[str], critical: bool = True) -> str:
    incident = Incident(
        id=new_id(), title="故障", by=people[0], started_at=now(), received_at=now(), status="activated"
    )
    session.add(incident)
    session.flush()
    return alerts.issue(session, incident, WORDS, WORDS, to=people, critical=critical).id


def called(database: Database, people: list[str]) -> str:
    """An alert to all these people, once a worker has asked every part of them and shown it to command."""
    key = database.write(lambda s: alert(s, people))
    while database.write(calling.call_next):
        pass
    while database.write(told.show):
        pass
    return key


def changes(session: Session, space: str) -> dict[tuple[str, str], dict[str, object]]:
    found = session.scalars(select(Change).where(Change.space == space))
    return {(row.type, row.entity): orjson.loads(row.document or "null") for row in found}


def test_everybody_has_a_row_and_everybodys_phone_gets_it(database: Database, people: list[str]) -> None:
    key = called(database, people)
    with database.read() as session:
        rows = {row.person: row for row in session.scalars(select(Recipient).where(Recipient.alert == key))}
        assert set(rows) == set(people)
        issued = session.get(Alert, key)
        assert issued is not None
        for person in (people[0], people[rolls.PART - 1], people[rolls.PART], people[-1]):
            own = changes(session, f"me:{person}")
            row = rows[person]
            assert own["recipient", row.id] == row.document(session, "")
            assert own["alert", key] == issued.document(session, "")
        command = changes(session, f"incident:{issued.incident}:command")
        assert len([1 for kind, _ in command if kind == "recipient"]) == COUNT


def test_versions_are_without_gaps_and_end_where_the_space_does(database: Database, people: list[str]) -> None:
    for _ in range(2):
        called(database, people)
    with database.read() as session:
        query = select(Change.space, func.count(), func.max(Change.version), func.count(Change.version.distinct()))
        found = {row[0]: tuple(row[1:]) for row in session.execute(query.group_by(Change.space))}
        for space, version in session.execute(select(Space.id, Space.version)):
            count, most, different = found[space]
            assert most == version
            assert different == count


def test_who_was_told_is_noted_in_groups_beside_what_they_have_done_since(
    database: Database, people: list[str]
) -> None:
    key = database.write(lambda s: alert(s, people))
    while database.write(calling.call_next):
        pass

    def hand_over(session: Session) -> None:
        session.add_all(
            Delivery(
                id=new_id(), channel="push", person=row.person, subject=key, recipient=row.id, kind="alert", content={},
                state=outbox.SENT, due_at=now(), expires_at=now(), created_at=now(), sent_at=now(),
            )
            for row in session.scalars(select(Recipient).where(Recipient.alert == key))
        )  # fmt: skip
        answered = session.scalars(select(Recipient).where(Recipient.person == people[3])).one()
        answered.answered_at, answered.answer = now(), "received"

    database.write(hand_over)
    assert [database.write(told.note) for _ in range(4)] == [rolls.PART, rolls.PART, 7, 0]
    with database.read() as session:
        rows = list(session.scalars(select(Recipient).where(Recipient.alert == key)))
        assert all(row.told_at is not None and row.channels == ["push"] for row in rows)
        answered = next(row for row in rows if row.person == people[3])
        assert answered.answer == "received"
        own = changes(session, f"me:{people[3]}")
        assert own["recipient", answered.id]["answer"] == "received"
        command = changes(session, f"incident:{answered.incident}:command")
        assert all(command["recipient", row.id] == row.document(session, "") for row in rows)
        assert own["recipient", answered.id]["told_at"] is None, "no phone has to come and fetch that it was told"
        assert session.scalar(select(func.count()).where(Delivery.state == outbox.NOTED)) == COUNT
        (board,) = session.scalars(select(Change.document).where(Change.type == "board"))
        assert orjson.loads(board or "{}")["teams"][0]["told"] == COUNT
        seen = session.get_one(Space, f"incident:{answered.incident}:command").version
    while database.write(told.show):
        pass
    with database.read() as session:
        space = session.get_one(Space, f"incident:{answered.incident}:command")
        assert space.version == seen, "who leads has those rows already"


def asked(session: Session, alert: str) -> list[str]:
    return list(session.scalars(select(Recipient.person).where(Recipient.alert == alert)))


def test_who_answers_before_being_called_is_asked_once(database: Database, people: list[str]) -> None:
    key = database.write(lambda s: alert(s, people))
    early = people[-1]

    def answer(session: Session) -> None:
        by = roster.standing(session, early)
        answers.answer(session, new_id(), key, by, kind="received", occurred_at=now())

    database.write(answer)
    with database.read() as session:
        assert asked(session, key) == [early]
        assert early not in rolls.waiting(session, [key])
    while database.write(calling.call_next):
        pass
    with database.read() as session:
        assert sorted(asked(session, key)) == sorted(people)
        row = session.scalars(select(Recipient).where(Recipient.person == early)).one()
        assert row.answer == "received"
        assert ("alert", key) in changes(session, f"me:{early}")


def test_nobody_is_asked_once_the_alert_has_ended(database: Database, people: list[str]) -> None:
    key = database.write(lambda s: alert(s, people))
    assert database.write(calling.call_next) == rolls.PART

    def end(session: Session) -> None:
        found = session.get(Alert, key)
        assert found is not None
        alerts.end_all(session, found.incident)

    database.write(end)
    assert database.write(calling.call_next) == 0
    with database.read() as session:
        assert len(asked(session, key)) == rolls.PART
    assert database.write(told.show) == rolls.PART, "those who were asked are shown all the same"


def test_the_critical_are_called_first_and_what_cannot_be_called_last(database: Database, people: list[str]) -> None:
    first = database.write(lambda s: alert(s, people, critical=False))
    urgent = database.write(lambda s: alert(s, people))
    database.write(calling.call_next)
    with database.read() as session:
        assert (len(asked(session, urgent)), len(asked(session, first))) == (rolls.PART, 0)
    for _ in range(COUNT // rolls.PART):
        database.write(rolls.put_last)
    database.write(calling.call_next)
    with database.read() as session:
        assert (len(asked(session, urgent)), len(asked(session, first))) == (rolls.PART, rolls.PART)


def test_two_who_call_at_once_take_different_parts(database: Database, people: list[str]) -> None:
    key = database.write(lambda s: alert(s, people))
    with ThreadPoolExecutor(3) as threads:
        counts = list(threads.map(lambda _: database.write(calling.call_next), range(6)))
    assert sum(counts) == COUNT
    with database.read() as session:
        assert sorted(asked(session, key)) == sorted(people)
