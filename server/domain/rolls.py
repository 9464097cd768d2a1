"""Rolls: whom an alert to very many people asks, in parts that are called one after the other and then shown to command."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ForeignKey, Index, Integer, Table, bindparam, delete, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.bulk import parts
from server.clock import now
from server.db import Id, Key, Model, new_id
from server.domain.incidents import Incident
from server.domain.outbox import wake_senders
from server.statements import Statement

PART = 250
"""People in a part: so many that others who write can well wait for it on a busy machine."""
SET_BACK = 10


class Roll(Model):
    """A part of those an alert asks, until it has been called and command sees their rows; `by` tells them first."""

    __tablename__ = "roll"
    id: Mapped[Key]
    incident: Mapped[Id] = mapped_column(ForeignKey("incident.id"))
    alert: Mapped[Id] = mapped_column(ForeignKey("alert.id"))
    people: Mapped[list[Any]]
    by: Mapped[list[Any]]
    priority: Mapped[int] = mapped_column(Integer)
    called_at: Mapped[datetime | None]
    __table_args__ = (Index(None, "priority", "id"), Index(None, "alert"))


_UNCALLED = Roll.called_at.is_(None)


def enter(session: Session, incident: str, alert: str, people: Sequence[str], by: Sequence[str], priority: int) -> None:
    """Let these people be asked by this alert soon, part by part; `priority` as in the outbox."""
    rows = [
        {
            "id": new_id(), "incident": incident, "alert": alert, "people": list(people[start : start + PART]),
            "by": list(by), "priority": priority,
        }
        for start in range(0, len(people), PART)
    ]  # fmt: skip
    session.execute(Roll.__table__.insert(), rows)  # type: ignore[attr-defined]
    wake_senders(session)


def take(session: Session) -> Any:
    """Take the next part off the roll, of the most critical alert first, or None. It comes back when this transaction fails.

    Several workers each take another one. The incident is held first, in the order everybody else takes the two.
    """
    held = _HOLD.first(session)
    part = _NEXT.first(session, incident=held.id) if held is not None else None
    return part if part is not None and _TAKE.run(session, key=part.id, at=now()) == 1 else None


_FIRST = select(Roll.incident).where(_UNCALLED).order_by(Roll.priority, Roll.id).limit(1)
_HOLD = Statement(
    select(Incident.id).where(Incident.id == _FIRST.scalar_subquery()).with_for_update(read=True, key_share=True)
)
_NEXT = Statement(
    select(Roll.id, Roll.alert, Roll.people, Roll.by)
    .where(Roll.incident == bindparam("incident"), _UNCALLED)
    .order_by(Roll.priority, Roll.id)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_TAKE = Statement(
    update(cast(Table, Roll.__table__)).where(Roll.id == bindparam("key"), _UNCALLED).values(called_at=bindparam("at"))
)


def take_called(session: Session) -> Roll | None:
    """Take off the roll the part that was called first; nobody else shows it. It comes back when this transaction fails."""
    query = select(Roll).where(Roll.called_at.is_not(None)).order_by(Roll.called_at).limit(1)
    part = session.scalar(query.with_for_update(skip_locked=True))
    if part is not None:
        session.delete(part)
    return part


def called_first(session: Session) -> datetime | None:
    """When the first of the parts was called that command does not see yet."""
    first: datetime | None = _CALLED_FIRST.rows(session)[0][0]
    return first


def put_last(session: Session) -> None:
    """Let the part that would be next come after all others: it could not be called, and must not keep these waiting."""
    key = session.scalar(select(Roll.id).where(_UNCALLED).order_by(Roll.priority, Roll.id).limit(1))
    session.execute(
        update(Roll)
        .where(Roll.id == key)
        .values(priority=Roll.priority + SET_BACK)
        .execution_options(synchronize_session=False)
    )


def strike(session: Session, alert: str, person: str) -> list[str] | None:
    """Take one person off the roll of an alert; returns the channels they were to be told by, None when not on it."""
    query = select(Roll).where(Roll.alert == alert, _UNCALLED).order_by(Roll.id).with_for_update()
    for part in session.scalars(query.execution_options(populate_existing=True)):
        if person in part.people:
            part.people = [one for one in part.people if one != person]
            session.flush()
            return list(part.by)
    return None


def waiting(session: Session, alerts: Sequence[str]) -> set[str]:
    """Those whom these alerts have still to ask."""
    found = session.scalars(select(Roll.people).where(Roll.alert.in_(alerts), _UNCALLED))
    return {person for people in found for person in people}


def are_called(session: Session, alert: str) -> bool:
    """Whether everybody this alert goes to has been asked."""
    return _UNCALLED_OF.first(session, alert=alert) is None


def drop(session: Session, alerts: Sequence[str]) -> None:
    """Ask nobody more by these alerts."""
    for some in parts(alerts):
        which = Roll.alert.in_(some) & _UNCALLED
        session.execute(delete(Roll).where(which).execution_options(synchronize_session=False))


def are_waiting(session: Session) -> bool:
    """Whether anybody has still to be asked."""
    return _ANY.first(session) is not None


# Worked out once: they run at every look of a sender and after every commit.
_CALLED_FIRST = Statement(select(func.min(Roll.called_at)))
_UNCALLED_OF = Statement(select(Roll.id).where(Roll.alert == bindparam("alert"), _UNCALLED).limit(1))
_ANY = Statement(select(Roll.id).where(_UNCALLED).limit(1))
