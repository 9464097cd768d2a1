"""Calling: those on the roll of an alert are asked, part by part, so that nobody who writes meanwhile waits for all of them."""

from sqlalchemy.orm import Session

from server.clock import now
from server.domain import alerts, feed, outbox, rolls
from server.domain.alerts import Alert, Board


def call_next(session: Session, hands: outbox.Hands | None = None) -> int:
    """Ask the next part of those who wait to be asked; returns how many. What has ended meanwhile asks nobody.

    With `hands` their pushes are a sender's from the start.
    """
    part = rolls.take(session)
    alert = session.get(Alert, part.alert) if part is not None else None
    if part is None or alert is None or alert.status != "open" or alert.expires_at <= now():
        return 0
    rows = alerts.ask(session, alert, part.people, shown=False)
    alerts.send(session, alert, rows, by=part.by, hands=hands)
    if rolls.are_called(session, alert.id):
        feed.touch(session, Board(alert.incident))
    return len(part.people)


def call_one(session: Session, alert: str, person: str) -> bool:
    """Ask somebody now who would be asked in a moment: they have seen the alert already. Returns whether they were."""
    by = rolls.strike(session, alert, person)
    found = session.get(Alert, alert) if by is not None else None
    if by is None or found is None:
        return False
    alerts.send(session, found, alerts.ask(session, found, [person]), by=by)
    return True
