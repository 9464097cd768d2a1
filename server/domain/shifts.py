"""Shifts: somebody goes on or off duty, and the open alerts of their team come to them or leave them alone."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.clock import now
from server.db import new_id
from server.domain import alerts, climbing, feed, outbox, people, rolls
from server.domain.alerts import Alert, Board, Recipient
from server.domain.people import Duty, Standing


def change_duty(
    session: Session, id: str, person: str, team: str, kind: str, starts_at: datetime, ends_at: datetime | None,
    note: str | None, by: Standing, occurred_at: datetime,
) -> Duty:  # fmt: skip
    """Put somebody on or off duty; from now on, the team's open alerts go to them as well, or no more."""
    duty = people.set_duty(session, id, person, team, kind, starts_at, ends_at, note, by, occurred_at)
    session.flush()
    if starts_at > now() or ends_at is not None and ends_at <= now():
        return duty
    for alert in _open_for(session, team):
        if kind == "off":
            _excuse(session, alert, person)
        else:
            _include(session, alert, person)
        session.flush()
        climbing.recount(session, alert)
    return duty


def _open_for(session: Session, team: str) -> list[Alert]:
    """The open alerts of a team that went to whoever is on duty."""
    query = select(Alert).where(
        Alert.team == team, Alert.status == "open", Alert.audience == "on_duty", Alert.expires_at > now()
    )
    return list(session.scalars(query))


def _excuse(session: Session, alert: Alert, person: str) -> None:
    """Ask somebody who goes off duty no more, and take back what waits for them."""
    where = (Recipient.alert == alert.id) & (Recipient.person == person)
    row = session.scalar(select(Recipient).where(where).with_for_update().execution_options(populate_existing=True))
    if row is None:
        if rolls.strike(session, alert.id, person) is not None:
            alerts.ask(session, alert, [person])  # they may still answer, but are sent nothing
        row = session.scalar(select(Recipient).where(where).with_for_update().execution_options(populate_existing=True))
    if row is None or row.answered_at is not None or row.excused_at is not None:
        return
    row.excused_at = now()
    outbox.cancel(session, [row.id])
    feed.touch(session, Board(alert.incident))


def _include(session: Session, alert: Alert, person: str) -> None:
    """Ask somebody who comes on duty as well."""
    where = (Recipient.alert == alert.id) & (Recipient.person == person)
    row = session.scalar(select(Recipient).where(where).with_for_update().execution_options(populate_existing=True))
    if row is None and person in rolls.waiting(session, [alert.id]):
        return
    if row is None:
        row = Recipient(
            id=new_id(), alert=alert.id, incident=alert.incident, person=person, team=alert.team, channels=[]
        )
        session.add(row)
    elif row.excused_at is None:
        return
    row.excused_at = None
    session.flush()
    feed.touch(session, alert, Board(alert.incident))
    alerts.send(session, alert, [row])
