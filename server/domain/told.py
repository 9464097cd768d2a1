"""Writing at the recipients that a service took their alert: after the sending, in groups."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from server.bulk import write_rows
from server.clock import now
from server.domain import devices, feed, outbox, recipients, rolls
from server.domain.alerts import Board, Recipient
from server.domain.outbox import Delivery

WITHIN = timedelta(seconds=2.0)
"""How long the marks wait at most while others are still being sent."""


def note(session: Session, most: int = rolls.PART) -> int:
    """Write at the recipients that a service took their alert; returns how many deliveries were noted.

    Apart from sending, so that the marks on a board never hold up the next push; a crash in between loses nothing.
    """
    handed = _unnoted(session, most)
    ids = sorted({one.recipient for one in handed if one.recipient is not None})
    # read under lock: a document written after somebody's answer must not be the one from before it
    query = select(*Recipient.__table__.c).where(Recipient.id.in_(ids)).order_by(Recipient.id).with_for_update()
    rows = {row.id: SimpleNamespace(**row._mapping) for row in session.execute(query)} if ids else {}
    changed = {}
    for one in handed:
        row = rows.get(one.recipient or "")
        if row is None:
            continue
        if row.told_at is None or (one.sent_at is not None and one.sent_at < row.told_at):
            row.told_at = one.sent_at
            changed[row.id] = row
        if one.channel not in row.channels:
            row.channels = [*row.channels, one.channel]
            changed[row.id] = row
    noting = update(Recipient.__table__).where(Recipient.__table__.c.id == bindparam("row"))  # type: ignore[arg-type]
    write_rows(
        session,
        noting,
        ("told_at", "channels", "row"),
        [(row.told_at, row.channels, row.id) for row in changed.values()],
    )
    feed.touch(session, *(_written(session, row) for row in changed.values()))
    feed.touch(session, *(Board(incident) for incident in {row.incident for row in rows.values()}))
    asked: dict[datetime, list[str]] = {}
    for one in handed:
        if one.subscription is not None:
            asked.setdefault(one.created_at, []).append(one.subscription)
    for since, subscriptions in asked.items():
        devices.await_receipts(session, subscriptions, since)
    _note(session, [one.id for one in handed])
    return len(handed)


def show(session: Session) -> int:
    """Let those who lead see the rows of a part that was called; returns how many. The people themselves come first."""
    part = rolls.take_called(session)
    if part is None:
        return 0
    t = Recipient.__table__
    query = select(*t.c).where(t.c.alert == part.alert, t.c.person.in_(part.people)).order_by(t.c.id)
    feed.touch(session, *(_written(session, row) for row in session.execute(query.with_for_update())))
    feed.touch(session, Board(part.incident))
    return len(part.people)


def show_due(session: Session) -> datetime | None:
    """When a part that was called is shown: now, or two seconds later while others are still being sent; else None."""
    first = rolls.called_first(session)
    if first is None:
        return None
    return first + WITHIN if outbox.under_way(session) or rolls.are_waiting(session) else now()


def due(session: Session) -> datetime | None:
    """When there is something to note: now, or two seconds after it was sent while others are still being sent; else None."""
    first = _unnoted(session, 1)
    if not first:
        return None
    sent_at = first[0].sent_at
    return sent_at + WITHIN if sent_at is not None and outbox.under_way(session) else now()


class _Handed(NamedTuple):
    """A delivery that a service took and whose recipient does not say so yet."""

    id: str
    recipient: str | None
    channel: str
    sent_at: datetime | None
    subscription: str | None
    created_at: datetime


def _unnoted(session: Session, most: int) -> list[_Handed]:
    """Up to `most` deliveries that were sent and are not noted at their recipient."""
    d = Delivery
    query = select(d.id, d.recipient, d.channel, d.sent_at, d.subscription, d.created_at).where(d.state == outbox.SENT)
    return [_Handed(*row) for row in session.execute(query.limit(most))]


def _note(session: Session, deliveries: Sequence[str]) -> None:
    """Say that the recipients of these know of them."""
    for part in outbox.parts(deliveries):
        session.execute(
            update(Delivery)
            .where(Delivery.id.in_(part), Delivery.state == outbox.SENT)
            .values(state=outbox.NOTED)
            .execution_options(synchronize_session=False)
        )


def _written(session: Session, row: Any) -> feed.Written:
    """Those who lead see that somebody was told. The phone that was told need not come and fetch it."""
    return recipients.written(session, row, without={f"me:{row.person}"})
