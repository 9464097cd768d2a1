"""Whether a person can be reached by push: proven by a receipt, not proven yet, or without any living subscription."""

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.clock import now
from server.domain.devices import Subscription
from server.domain.people import Person

REACHABLE, UNPROVEN, DEAD = "reachable", "unproven", "dead"
PROOF_LASTS = timedelta(days=30)
"""Browsers drop subscriptions of apps that are not used; an older receipt says nothing any more."""


def standing(live: int, proven_at: datetime | None, at: datetime) -> str:
    """The word for somebody with so many living subscriptions, the latest of which was proven then."""
    if live == 0:
        return DEAD
    return REACHABLE if proven_at is not None and proven_at > at - PROOF_LASTS else UNPROVEN


def outdated(session: Session, most: int = 500) -> dict[str, str]:
    """Active people whose row says something else than their subscriptions do, with the word it should say."""
    at = now()
    living = (
        select(Subscription.person, func.count().label("live"), func.max(Subscription.proven_at).label("proven_at"))
        .where(Subscription.state == "live")
        .group_by(Subscription.person)
        .subquery()
    )
    query = (
        select(Person.id, Person.reachable, living.c.live, living.c.proven_at)
        .outerjoin(living, living.c.person == Person.id)
        .where(Person.active)
    )
    found = {}
    for row in session.execute(query):
        word = standing(row.live or 0, row.proven_at, at)
        if word != row.reachable:
            found[row.id] = word
            if len(found) == most:
                break
    return found


def refresh(session: Session) -> int:
    """Correct the rows of those whose reachability has changed; returns how many."""
    found = outdated(session)
    for person in session.scalars(select(Person).where(Person.id.in_(found))) if found else ():
        person.reachable = found[person.id]
    return len(found)


def refresh_due(session: Session) -> datetime | None:
    """Now when somebody's row is wrong, else None."""
    return now() if outdated(session, 1) else None
