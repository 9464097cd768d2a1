"""Messages beside push: texts, calls and mails to one person, and posts into a group's chat, queued in the one outbox."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from server.bulk import parts
from server.clock import now
from server.db import hits, named_id, new_id
from server.domain.outbox import CANCELLED, FAILED, NORMAL, PENDING, Delivery, wake_senders
from server.domain.people import Person

TO_ONE = ("sms", "voice", "email")
TO_GROUP = ("robot", "other")
GATHER = timedelta(seconds=2)
"""What an activation says to many teams within this time is one post; what one person is written within it is one text."""
JOINED = ("sms", "voice")
"""Of these nobody wants six at once, so that they wait for each other."""
MOST_LINES = 8


def enqueue(
    session: Session, channel: str, asked: Sequence[tuple[str, str]], subject: str, kind: str, *, expires_at: datetime,
    priority: int = NORMAL,
) -> int:  # fmt: skip
    """Queue a message to each of these (person, recipient) pairs who has a number or mailbox; returns how many.

    Who has had one of this kind by this channel gets no second one. The number itself is looked up when it is sent.
    """
    at, rows, recipient_of = now(), [], dict(asked)
    known: ColumnElement[bool] = Person.mailbox.is_not(None) if channel == "email" else Person.phone.is_not(None)
    for part in parts(list(recipient_of)):
        had = select(Delivery.person).where(
            Delivery.recipient.in_([recipient_of[one] for one in part]),
            Delivery.channel == channel,
            Delivery.kind == kind,
            Delivery.state.not_in((CANCELLED, FAILED)),
        )
        done = set(session.scalars(had))
        for person in session.scalars(select(Person.id).where(Person.id.in_(part), Person.active, known)):
            if person not in done:
                rows.append(
                    {
                        "id": new_id(), "channel": channel, "person": person, "subject": subject,
                        "recipient": recipient_of[person], "kind": kind, "content": {}, "priority": priority,
                        "state": PENDING, "due_at": at + (GATHER if channel in JOINED else timedelta()), "expires_at": expires_at, "created_at": at, "attempt": 0,
                    }
                )  # fmt: skip
    if rows:
        session.execute(Delivery.__table__.insert(), rows)  # type: ignore[attr-defined]
        wake_senders(session)
    return len(rows)


def post(
    session: Session, channel: str, name: str, incident: str, kind: str, title: dict[str, str], line: dict[str, str], *,
    expires_at: datetime, priority: int = NORMAL,
) -> None:  # fmt: skip
    """Say a line in a group's chat. Lines of one incident and one kind of step that come together are one post."""
    at, number = now(), 0
    while True:
        said = f"{channel} {name} {kind} {int(at.timestamp()) // 60} {number}"
        key = named_id(incident, said)
        found = session.get(Delivery, key, populate_existing=True)
        if found is None:
            content = _with_line({"title": title, "address": {channel: name}, "lines": []}, line)
            session.add(
                Delivery(
                    id=key, channel=channel, person=None, subject=incident, kind=kind, content=content, priority=priority,
                    state=PENDING, due_at=at + GATHER, expires_at=expires_at, created_at=at, attempt=0,
                )
            )  # fmt: skip
            session.flush()
            wake_senders(session)
            return
        if line in found.content["lines"]:
            return
        statement = (
            update(Delivery)
            .where(Delivery.id == key, Delivery.state == PENDING, Delivery.attempt == 0)
            .values(content=_with_line(found.content, line))
            .execution_options(synchronize_session=False)
        )
        if hits(session, statement) == 1:
            return
        number += 1


def withdraw(session: Session, incident: str) -> None:
    """Take back the posts about an incident that have not gone out."""
    session.execute(
        update(Delivery)
        .where(Delivery.state == PENDING, Delivery.subject == incident, Delivery.channel.in_(TO_GROUP))
        .values(state=CANCELLED, outcome="cancelled")
        .execution_options(synchronize_session=False)
    )


def _with_line(content: dict[str, Any], line: dict[str, str]) -> dict[str, Any]:
    lines = [*content["lines"], line]
    shown, more = lines[:MOST_LINES], len(lines) - MOST_LINES
    body = {language: "\n".join(one[language] for one in shown) for language in ("zh", "en")}
    if more > 0:
        body = {"zh": f"{body['zh']}\n另有 {more} 条", "en": f"{body['en']}\n{more} more"}
    return {**content, "lines": lines, "body": body}
