"""Steps: what is still to be done to reach the people of an alert, as rows with due times that fire once."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, ForeignKey, Index, Integer, String, bindparam, exists, func, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.bulk import parts
from server.clock import now
from server.db import Id, Key, Model, hits, new_id
from server.statements import Statement

WAITING, DONE, MET, CANCELLED = "waiting", "done", "met", "cancelled"
Kind = Literal["tell", "succession", "quorum", "arrival"]


class Step(Model):
    """One step for one alert.

    `kind`: tell (the silent, through the channels of `rule`), succession (who acts for a silent leader), quorum (how many
    must answer), arrival (who said they come and did not). `met` is a quorum that has been reached and may be lost again.
    """

    __tablename__ = "step"
    id: Mapped[Key]
    incident: Mapped[Id] = mapped_column(ForeignKey("incident.id"))
    alert: Mapped[Id] = mapped_column(ForeignKey("alert.id"))
    kind: Mapped[str] = mapped_column(String(12))
    number: Mapped[int] = mapped_column(Integer, default=0)
    rule: Mapped[dict[str, Any]]
    status: Mapped[str] = mapped_column(String(10), default=WAITING)
    due_at: Mapped[datetime]
    fired_at: Mapped[datetime | None]
    __table_args__ = (
        Index("ix_step_due", "status", "due_at"),
        Index(None, "alert"),
        Index(None, "incident", "kind"),
    )


def add(
    session: Session,
    incident: str,
    alert: str,
    planned: Sequence[tuple[Kind, datetime, Mapping[str, Any]]],
    status: str = WAITING,
) -> None:
    """Plan steps of an alert: kind, due time and rule of each, numbered in this order."""
    rows = [
        {
            "id": new_id(), "incident": incident, "alert": alert, "kind": kind, "number": number, "rule": dict(rule),
            "status": status, "due_at": due_at,
        }
        for number, (kind, due_at, rule) in enumerate(planned, 1)
    ]  # fmt: skip
    if rows:
        session.execute(Step.__table__.insert(), rows)  # type: ignore[attr-defined]


def claim_due(session: Session, most: int = 20, only: str | None = None) -> list[Step]:
    """Mark the steps that are due now as done (or the one with the id `only`) and return them, earliest first.

    Whoever gets a step here is the only one who ever does: the mark and what follows are one transaction.
    """
    at = now()
    query = select(Step.id).where(Step.status == WAITING, Step.due_at <= at).order_by(Step.due_at, Step.id).limit(most)
    if only is not None:
        query = query.where(Step.id == only)
    won = []
    for key in list(session.scalars(query)):
        statement = (
            update(Step)
            .where(Step.id == key, Step.status == WAITING, Step.due_at <= at)
            .values(status=DONE, fired_at=at)
            .execution_options(synchronize_session=False)
        )
        if hits(session, statement) == 1:
            step = session.get(Step, key, populate_existing=True)
            assert step is not None
            won.append(step)
    return won


def again(step: Step, due_at: datetime, **changes: Any) -> None:
    """Let a step come due once more, with what has changed in its rule."""
    step.status, step.due_at, step.rule = WAITING, due_at, {**step.rule, **changes}


def cancel(session: Session, alerts: Sequence[str], *kinds: Kind) -> None:
    """Take back what is still to come for these alerts; of these kinds only, where some are named."""
    for some in parts(alerts):
        which = Step.alert.in_(some) & Step.status.in_((WAITING, MET))
        if kinds:
            which = which & Step.kind.in_(kinds)
        session.execute(update(Step).where(which).values(status=CANCELLED).execution_options(synchronize_session=False))


def quorums(session: Session, incident: str) -> list[Step]:
    """Every quorum of an incident that is counted: what an answer to any of its alerts may touch."""
    return _fetched(session, _QUORUMS, incident)


def are_counted(incident: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether an incident has such quorums, for statements that ask for more than that."""
    return exists().where(*_QUORUM, Step.incident == incident)


def successions(session: Session, alert: str) -> list[Step]:
    """Who would act for a silent leader of this alert, where that still waits."""
    return _fetched(session, _SUCCESSIONS, alert)


def _fetched(session: Session, which: Statement, of: str) -> list[Step]:
    session.flush()
    found = [row.id for row in which.rows(session, of=of)]
    return list(session.scalars(select(Step).where(Step.id.in_(found)).order_by(Step.id))) if found else []


# Worked out once: they run with every answer, and mostly find nothing.
_COUNTED = or_(Step.status == WAITING, Step.status == MET)
_QUORUM = (_COUNTED, Step.kind == "quorum")
_QUORUMS = Statement(select(Step.id).where(*_QUORUM, Step.incident == bindparam("of")))
_SUCCESSIONS = Statement(select(Step.id).where(_COUNTED, Step.kind == "succession", Step.alert == bindparam("of")))


def overdue(session: Session, most: int) -> list[str]:
    """The ids of steps that are due and not done, earliest first."""
    query = select(Step.id).where(Step.status == WAITING, Step.due_at <= now()).order_by(Step.due_at, Step.id)
    return list(session.scalars(query.limit(most)))


def next_due(session: Session) -> datetime | None:
    """When the next step is due, or None."""
    return session.scalar(select(func.min(Step.due_at)).where(Step.status == WAITING))
