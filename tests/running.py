"""An incident that runs under a plan in the database, told of facts and measures as the commander would."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.clock import now
from server.db import new_id
from server.domain import activation, alerts, continuity, limits, orders, people, proposals, reporting
from server.domain.incidents import Incident
from server.planning import shelf
from tests.cast import Stage

DECIDED = {
    "plan.activated": "activate", "fallback.decided": "fallback", "evacuation.decided": "evacuate",
    "service.restored": "restore", "response.ended": "end", "incident.dismissed": "dismiss",
}  # fmt: skip
MADE: dict[str, tuple[Any, Any]] = {
    "ask": (proposals.Proposal, proposals.Proposal.kind),
    "level_proposed": (proposals.Proposal, proposals.Proposal.scale + "." + proposals.Proposal.level),
    "tier": (continuity.Mode, continuity.Mode.tier),
    "order": (orders.Order, orders.Order.key),
}


class Course:
    """An incident under one plan (its source number in the library, or its key), in the hands of the commander."""

    def __init__(self, stage: Stage, source: str) -> None:
        self.stage, self.id = stage, new_id()
        book = shelf.find(source)
        key = book.plan.key if book else source
        self.write(lambda session: reporting.raise_incident(
            session, self.id, source, self.by(session), occurred_at=now(), plan=key
        ))  # fmt: skip

    def by(self, session: Session) -> people.Standing:
        return people.standing(session, self.stage.cast.people["commander"])

    def write(self, unit: Callable[[Session], object]) -> None:
        self.stage.database.write(unit)

    def tell(self, name: str, value: bool | int | float | str | None = None) -> None:
        """Record a fact or measure, or take the decision that makes the fact."""
        if name == "incident.reported":
            return

        def unit(session: Session) -> None:
            incident, by = session.get(Incident, self.id), self.by(session)
            assert incident is not None
            if name.startswith("level."):
                _, scale, level = name.split(".")
                choice = activation.Choice("level", reason="现场情况", scale=scale, level=level)
                activation.decide(session, new_id(), incident, choice, by, now())
            elif name in DECIDED:
                choice = activation.Choice(DECIDED[name], reason="已处置")
                activation.decide(session, new_id(), incident, choice, by, now())
            else:
                reporting.record_fact(session, new_id(), incident, by, key=name, occurred_at=now(), value=value)

        self.write(unit)

    def due(self, key: str) -> list[limits.Limit]:
        with self.stage.database.read() as session:
            query = select(limits.Limit).where(limits.Limit.incident == self.id, limits.Limit.key == key)
            return list(session.scalars(query))

    def made(self, kind: str, rule: str) -> bool:
        table, name = MADE[kind]
        with self.stage.database.read() as session:
            return session.scalar(select(table.id).where(table.incident == self.id, name == rule).limit(1)) is not None

    def told(self) -> set[str]:
        with self.stage.database.read() as session:
            return set(session.scalars(select(alerts.Alert.id).where(alerts.Alert.incident == self.id)))
