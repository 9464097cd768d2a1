"""Writing at the recipients that a service took their alert: after the sending, in groups."""

from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Integer, Table, bindparam, select, update
from sqlalchemy.orm import Session

from server.bulk import Given, as_rows
from server.clock import now
from server.domain import devices, feed, outbox, recipients, rolls
from server.domain.alerts import Board, Recipient
from server.domain.outbox import Delivery
from server.statements import Statement

MOST_PARTS = 8
WITHIN = timedelta(seconds=2.0)
"""How long the marks wait at most while others are still being sent."""
SHOWN_WITHIN = timedelta(seconds=5.0)
"""How long those wait at most to be shown whose mark does not come, while others are still being sent or noted."""


def note(session: Session, most: int = rolls.PART) -> int:
    """Write at the recipients that a service took their alert; returns how many deliveries were noted.

    Apart from sending, so that the marks on a board never hold up the next push; a crash in between loses nothing.
    """
    handed = _UNNOTED.rows(session, most=most)
    # read under lock: a document written after somebody's answer must not be the one from before it
    asked = as_rows([(one.recipient,) for one in handed if one.recipient is not None])
    rows = {row.id: row for row in _ROWS.rows(session, rows=asked)}
    changed = {}
    for one in handed:
        row = rows.get(one.recipient)
        if row is None:
            continue
        first = one.sent_at if row.told_at is None or one.sent_at < row.told_at else row.told_at
        channels = row.channels if one.channel in row.channels else [*row.channels, one.channel]
        if first is not row.told_at or channels is not row.channels:
            rows[row.id] = changed[row.id] = row._replace(told_at=first, channels=channels)
    told = as_rows([(row.id, row.told_at, row.channels) for row in changed.values()])
    _TELL.run(session, rows=told)
    feed.touch(session, *(_written(session, row) for row in changed.values()))
    devices.await_receipts(
        session, [(one.subscription, one.created_at) for one in handed if one.subscription is not None]
    )
    _NOTE.run(session, rows=as_rows([(one.id,) for one in handed]))
    # A board is counted over all its people: not while the next to be noted is of the same alert and sent in the same second.
    following = _UNNOTED.first(session, most=1)
    if (
        following is None
        or len({(one.subject, one.sent_at.replace(microsecond=0)) for one in [*handed, following]}) > 1
    ):
        feed.touch(session, *(Board(incident) for incident in {row.incident for row in rows.values()}))
    return len(handed)


def show(session: Session) -> int:
    """Let those who lead see the rows of a part that was called; returns how many people were looked at.

    The people themselves come first, and a row that says who was told has been shown with it: parts without any other cost
    next to nothing and are passed over together.
    """
    looked_at = 0
    for _ in range(MOST_PARTS):
        part = rolls.take_called(session)
        if part is None:
            break
        looked_at += len(part.people)
        asked = as_rows([(person,) for person in part.people])
        if rows := _UNTOLD.rows(session, rows=asked, alert=part.alert):
            feed.touch(session, *(_written(session, row) for row in rows), Board(part.incident))
            break
    return looked_at


def show_due(session: Session) -> datetime | None:
    """When a part that was called is shown: now, or five seconds later while others are still sent or noted; else None."""
    first = rolls.called_first(session)
    if first is None:
        return None
    busy = outbox.under_way(session) or rolls.are_waiting(session) or _UNNOTED.first(session, most=1) is not None
    return first + SHOWN_WITHIN if busy else now()


def due(session: Session) -> datetime | None:
    """When there is something to note: now, or two seconds after it was sent while others are still being sent; else None."""
    first = _UNNOTED.first(session, most=1)
    if first is None:
        return None
    return first.sent_at + WITHIN if outbox.under_way(session) else now()


_GIVEN = Given()
_ASKED, _DELIVERY = cast(Table, Recipient.__table__), cast(Table, Delivery.__table__)
_UNNOTED = Statement(
    select(
        _DELIVERY.c.id, _DELIVERY.c.recipient, _DELIVERY.c.channel, _DELIVERY.c.sent_at, _DELIVERY.c.subscription,
        _DELIVERY.c.created_at, _DELIVERY.c.subject,
    )
    .where(_DELIVERY.c.state == outbox.SENT)
    .limit(bindparam("most", type_=Integer))
)  # fmt: skip
_ROWS = Statement(select(*_ASKED.c).where(_ASKED.c.id.in_(_GIVEN.ids())).order_by(_ASKED.c.id).with_for_update())
_UNTOLD = Statement(
    select(*_ASKED.c)
    .where(
        _ASKED.c.alert == bindparam("alert"),
        _ASKED.c.person.in_(_GIVEN.ids()),
        _ASKED.c.told_at.is_(None),
    )
    .order_by(_ASKED.c.id)
    .with_for_update()
)
_TELL = Statement(
    update(_ASKED).where(_ASKED.c.id == _GIVEN.id(0)).values(told_at=_GIVEN.number(1), channels=_GIVEN.text(2))
)
_NOTE = Statement(
    update(_DELIVERY)
    .where(_DELIVERY.c.id.in_(_GIVEN.ids()), _DELIVERY.c.state == outbox.SENT)
    .values(state=outbox.NOTED)
)


def _written(session: Session, row: Any) -> feed.Written:
    """Those who lead see that somebody was told. The phone that was told need not come and fetch it."""
    return recipients.written(session, row, without={f"me:{row.person}"})
