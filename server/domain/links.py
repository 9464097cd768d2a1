"""Links: what the signed address in a text or a group's chat lets somebody do without signing in."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.clock import now
from server.domain import answers, facts, people, tokens
from server.domain.alerts import Alert, Recipient
from server.domain.errors import Forbidden, NotFound
from server.domain.incidents import Incident
from server.domain.people import Person

DIGITS = 4
"""How many of the last digits of their own number somebody types to be found in a group's list."""


class Asked(NamedTuple):
    """Whom a link is for, about what."""

    alert: Alert
    recipient: Recipient
    person: Person


class Group(NamedTuple):
    """The incident a group's link is about, and those who may find themselves by it: everybody still silent."""

    incident: Incident
    silent: list[tuple[str, str]]


def asked(session: Session, grant: tokens.Grant) -> Asked:
    """Whom a personal link is for. Raises NotFound when that person or alert is no more, Forbidden for another alert."""
    row = session.get(Recipient, grant.subject)
    alert = session.get(Alert, grant.alert)
    if row is None or alert is None:
        raise NotFound("alert_unknown", "没有这条告警。", "There is no such alert.")
    if row.alert != alert.id:
        raise Forbidden("token_wrong_alert", "链接与告警不符。", "The link is for another alert.")
    person = session.get(Person, row.person)
    if person is None or not person.active:
        raise NotFound("person_unknown", "没有这位人员。", "There is no such person.")
    return Asked(alert, row, person)


def others(session: Session, found: Asked) -> list[tuple[Alert, Recipient]]:
    """What else the same person is asked in the same incident and has not answered, oldest first: one text is about all of it."""
    query = (
        select(Alert, Recipient)
        .join(Recipient, Recipient.alert == Alert.id)
        .where(
            Recipient.incident == found.alert.incident, Recipient.person == found.person.id, Alert.id != found.alert.id
        )
        .where(Recipient.answered_at.is_(None), Recipient.excused_at.is_(None))
        .where(Alert.status == "open", Alert.expires_at > now())
        .order_by(Alert.issued_at, Alert.id)
    )
    return [(row.Alert, row.Recipient) for row in session.execute(query)]


def answer(
    session: Session, grant: tokens.Grant, id: str, *, kind: str, occurred_at: datetime, reason: str | None = None,
    read_back: str | None = None,
) -> None:  # fmt: skip
    """Answer the one alert a personal link is about, as its person; the same id again changes nothing."""
    found = asked(session, grant)
    by = people.standing(session, found.person.id)
    said = {name: value for name, value in (("kind", kind), ("reason", reason), ("read_back", read_back)) if value}
    path = f"/api/v1/alerts/{grant.alert}/answers/{id}"
    envelope = facts.Envelope(id, path, said, by.id, None, None, occurred_at)

    def effect() -> dict[str, object]:
        row = answers.answer(
            session, id, grant.alert, by, kind=kind, occurred_at=occurred_at, reason=reason, read_back=read_back
        )
        return {"id": id, "state": {"answer": row.answer, "recipient": row.id}}

    facts.apply(session, envelope, effect)


def group(session: Session, grant: tokens.Grant) -> Group:
    """What a group's link shows. Raises NotFound when the incident is no more."""
    incident = session.get(Incident, grant.subject)
    if incident is None:
        raise NotFound("incident_unknown", "没有这个事件。", "There is no such incident.")
    query = (
        select(Person.id, Person.name)
        .join(Recipient, Recipient.person == Person.id)
        .join(Alert, Alert.id == Recipient.alert)
        .where(Alert.incident == incident.id, Alert.status == "open", Alert.expires_at > now(), Person.active)
        .where(Recipient.answered_at.is_(None), Recipient.excused_at.is_(None))
        .distinct()
    )
    return Group(incident, sorted((row.name, row.id) for row in session.execute(query)))


def found_in(session: Session, grant: tokens.Grant, person: str, digits: str) -> Asked:
    """The newest silent alert of somebody who knows the end of their own number. Raises Forbidden otherwise."""
    known = session.get(Person, person)
    number = "".join(one for one in (known.phone or "") if one.isdigit()) if known is not None and known.active else ""
    query = (
        select(Recipient.id, Alert.id)
        .join(Alert, Alert.id == Recipient.alert)
        .where(Recipient.incident == grant.subject, Recipient.person == person, Recipient.answered_at.is_(None))
        .where(Alert.status == "open", Alert.expires_at > now())
        .order_by(Alert.issued_at.desc(), Alert.id.desc())
        .limit(1)
    )
    row = session.execute(query).first()
    if row is None or len(number) < DIGITS or number[-DIGITS:] != digits:
        raise Forbidden(
            "number_wrong",
            "姓名与号码末四位不符，请重试或打开应用回执。",
            "Name and number do not fit. Try again or answer in the app.",
        )
    recipient, alert = session.get(Recipient, row[0]), session.get(Alert, row[1])
    assert recipient is not None
    assert alert is not None
    assert known is not None
    return Asked(alert, recipient, known)
