"""Whether a person can be reached, per channel: what receipts of checks and alerts prove, and what silence takes away."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ForeignKey, Index, Row, String, and_, case, func, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.clock import iso, now
from server.db import Id, Key, Model, named_id
from server.domain.devices import Subscription
from server.domain.people import Membership, Person

REACHABLE, UNPROVEN, DEAD = "reachable", "unproven", "dead"
PUSH = "push"
WHYS = (
    "receipt", "never_proven", "silent", "long_ago", "gone", "quarantined", "no_device", "accepted", "refused",
    "bad_address", "failed",
)  # fmt: skip
"""A receipt came; none ever; none for the last message; the last is a month old; the push service calls the last
subscription gone; its address is not one to speak to; no device takes pushes. Of texts, calls and mails: the service took
the last one; it refused it; the number or mailbox is none; it could not be handed over at all."""
PROOF_LASTS = timedelta(days=30)
"""Browsers drop subscriptions of apps that are not used; an older receipt says nothing any more."""
SILENT_AFTER = timedelta(hours=4)
"""As long as a push service keeps a message for a phone that is off (RFC 8030, TTL); after that it is lost."""
RETOLD_AFTER = timedelta(days=1)
"""Phones learn of a newer receipt at most this often, so that an alert to everybody does not rewrite everybody's row."""


class Reachability(Model):
    """How it stands with one person and one channel, since when and why."""

    __tablename__ = "reachability"
    synced_type = "reachability"
    id: Mapped[Key]
    person: Mapped[Id] = mapped_column(ForeignKey("person.id"))
    channel: Mapped[str] = mapped_column(String(20))
    word: Mapped[str] = mapped_column(String(12))
    why: Mapped[str] = mapped_column(String(20))
    since: Mapped[datetime]
    proven_at: Mapped[datetime | None]
    __table_args__ = (Index("uq_reachability_person_channel", "person", "channel", unique=True),)

    def spaces(self, session: Session) -> Iterable[str]:
        """Command sees everybody's, leaders their team's, a person their own."""
        posts = session.scalars(
            select(Membership.team).where(Membership.person == self.person, Membership.ended_at.is_(None))
        )
        return {"contacts", f"me:{self.person}", *(f"contacts:{team}" for team in posts)}

    def document(self, session: Session, space: str) -> dict[str, Any]:
        """The row as phones keep it."""
        return {
            "id": self.id, "person": self.person, "channel": self.channel, "word": self.word, "why": self.why,
            "since": iso(self.since), "proven_at": iso(self.proven_at),
        }  # fmt: skip


class Judgement(NamedTuple):
    """What the subscriptions of a person say: the word, why, since when, and the latest receipt."""

    word: str
    why: str
    since: datetime
    proven_at: datetime | None


def key_of(person: str, channel: str) -> str:
    """The id of a person's row for a channel: the same wherever it is made, so that two makers meet in one row."""
    return named_id(person, channel)


def prove(session: Session, person: str, channel: str) -> None:
    """A receipt has come from this person through this channel: they are reachable by it as of now."""
    at, key = now(), key_of(person, channel)
    row = session.get(Reachability, key)
    if row is None:
        session.add(
            Reachability(
                id=key, person=person, channel=channel, word=REACHABLE, why="receipt", since=at, proven_at=at
            )
        )  # fmt: skip
    elif row.word != REACHABLE:
        row.word, row.why, row.since, row.proven_at = REACHABLE, "receipt", at, at
    elif row.proven_at is None or row.proven_at <= at - RETOLD_AFTER:
        row.proven_at = at
    if channel == PUSH and (found := session.get(Person, person)) is not None:
        found.reachable = REACHABLE


def note_handed_over(session: Session, person: str, channel: str, *, confirmed: bool) -> None:
    """A service has taken a text, call or mail for this person: the channel is not dead.

    Where the service says so itself (`confirmed`) the person counts as reachable by it; a receipt is never overruled.
    """
    word = REACHABLE if confirmed else UNPROVEN
    row = session.get(Reachability, key_of(person, channel))
    if row is None or row.word == DEAD or (row.word == UNPROVEN and confirmed):
        _say(session, row, person, channel, word, "accepted")


def note_failure(session: Session, person: str, channel: str, why: str) -> None:
    """A text, call or mail for this person could not be handed over, and is not tried again: the channel is dead, since now."""
    row = session.get(Reachability, key_of(person, channel))
    if row is None or (row.word, row.why) != (DEAD, why):
        _say(session, row, person, channel, DEAD, why)


def _say(session: Session, row: Reachability | None, person: str, channel: str, word: str, why: str) -> None:
    at = now()
    if row is None:
        key = key_of(person, channel)
        session.add(Reachability(id=key, person=person, channel=channel, word=word, why=why, since=at))
        session.flush()
        return
    since = row.since if row.word == word else at
    row.word, row.why, row.since = word, why, since


def rows_of(session: Session, person: str) -> list[Reachability]:
    """Every channel's row of a person."""
    return list(session.scalars(select(Reachability).where(Reachability.person == person)))


def refresh(session: Session) -> int:
    """Correct the rows of those whose reachability has changed; returns how many."""
    found = outdated(session)
    if not found:
        return 0
    keys = {person: key_of(person, PUSH) for person in found}
    known = {row.id: row for row in session.scalars(select(Reachability).where(Reachability.id.in_(keys.values())))}
    for person in session.scalars(select(Person).where(Person.id.in_(found))):
        said = found[person.id]
        person.reachable = said.word
        row = known.get(keys[person.id])
        if row is None:
            session.add(Reachability(id=keys[person.id], person=person.id, channel=PUSH, **said._asdict()))
            continue
        since = row.since if (row.word, row.why) == (said.word, said.why) else said.since
        row.word, row.why, row.since, row.proven_at = said.word, said.why, since, said.proven_at
    return len(found)


def refresh_due(session: Session) -> datetime | None:
    """Now when somebody's row is wrong, else None."""
    return now() if outdated(session, 1) else None


def outdated(session: Session, most: int = 500) -> dict[str, Judgement]:
    """Active people whose row says something else than their subscriptions do, with what it should say."""
    at = now()
    live = Subscription.state == "live"
    silent = and_(Subscription.unanswered_since.is_not(None), Subscription.unanswered_since <= at - SILENT_AFTER)
    heard = or_(Subscription.unanswered_since.is_(None), Subscription.unanswered_since > at - SILENT_AFTER)
    summed = (
        select(
            Subscription.person,
            func.sum(case((live, 1), else_=0)).label("live"),
            func.max(case((and_(live, heard), Subscription.proven_at))).label("sound_at"),
            func.max(case((live, Subscription.proven_at))).label("proven_at"),
            func.max(case((and_(live, silent), Subscription.unanswered_since))).label("silent_since"),
            func.max(case((live, Subscription.created_at))).label("made_at"),
            func.max(Subscription.ended_at).label("ended_at"),
            func.max(case((Subscription.state == "quarantined", 1), else_=0)).label("quarantined"),
        )
        .group_by(Subscription.person)
        .subquery()
    )
    r = Reachability
    query = (
        select(Person.id, Person.reachable, r.word, r.why, r.proven_at.label("told_at"), r.since, summed)
        .outerjoin(summed, summed.c.person == Person.id)
        .outerjoin(r, and_(r.person == Person.id, r.channel == PUSH))
        .where(Person.active)
    )
    found: dict[str, Judgement] = {}
    for row in session.execute(query):
        said = judge(row, at)
        if row.word is None and row.reachable == said.word and said.why == "never_proven":
            continue  # a row that is not there says just this, and thousands of new phones cost nothing
        newer = said.proven_at is not None and (row.told_at is None or said.proven_at >= row.told_at + RETOLD_AFTER)
        if (row.reachable, row.word, row.why) != (said.word, said.word, said.why) or newer:
            found[row.id] = said
            if len(found) == most:
                break
    return found


def judge(row: Row[Any], at: datetime) -> Judgement:
    """What one person's summed subscriptions say at a moment."""
    if not row.live:
        why = "no_device" if row.ended_at is None else "quarantined" if row.quarantined else "gone"
        return Judgement(DEAD, why, row.ended_at or at, None)
    if row.sound_at is not None and row.sound_at > at - PROOF_LASTS:
        return Judgement(REACHABLE, "receipt", row.sound_at, row.proven_at)
    if row.silent_since is not None:
        return Judgement(UNPROVEN, "silent", row.silent_since, row.proven_at)
    if row.proven_at is not None:
        return Judgement(UNPROVEN, "long_ago", row.proven_at + PROOF_LASTS, row.proven_at)
    return Judgement(UNPROVEN, "never_proven", row.made_at, None)
