"""Drills: planned, announced or not, run as incidents that nothing real may cross, scored against the plan's own limits."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.clock import iso, now
from server.db import Id, Key, Model
from server.domain import incidents, plans, reporting, reviews, rights
from server.domain.errors import Conflict, NotFound
from server.domain.people import Standing


class Drill(Model):
    """A drill with its scenario, risk check, observations and weak points; its incident carries the drill mark."""

    __tablename__ = "drill"
    synced_type = "drill"
    id: Mapped[Key]
    plan: Mapped[Id] = mapped_column(ForeignKey("plan.id"))
    title: Mapped[str] = mapped_column(String(200))
    scheduled_at: Mapped[datetime]
    announced: Mapped[bool] = mapped_column(Boolean)
    scenario: Mapped[str]
    risk_check: Mapped[str]
    status: Mapped[str] = mapped_column(String(8), default="planned")
    incident: Mapped[Id | None]
    observations: Mapped[str | None]
    weak_points: Mapped[list[Any]]
    score: Mapped[Any | None]
    by: Mapped[Id]
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime]
    __table_args__ = (Index(None, "scheduled_at"),)

    def spaces(self, session: Session) -> Iterable[str]:
        """An announced drill is known to all, an unannounced one to those who lead until it runs."""
        return ("org", "plans") if self.announced or self.status != "planned" else ("plans",)

    def document(self, session: Session, space: str) -> dict[str, Any]:
        """The drill as phones keep it."""
        return {
            "id": self.id, "plan": self.plan, "title": self.title, "scheduled_at": iso(self.scheduled_at),
            "announced": self.announced, "scenario": self.scenario, "risk_check": self.risk_check, "status": self.status,
            "incident": self.incident, "observations": self.observations, "weak_points": self.weak_points, "score": self.score,
            "by": self.by, "occurred_at": iso(self.occurred_at), "received_at": iso(self.received_at),
        }  # fmt: skip


def plan(
    session: Session, id: str, by: Standing, *, plan: str, title: str, scheduled_at: datetime, announced: bool, scenario: str,
    risk_check: str, occurred_at: datetime,
) -> Drill:  # fmt: skip
    """Put a drill of an approved plan on the calendar."""
    rights.require(by, "drill.run", team=next(iter(by.leads), None))
    drill = Drill(
        id=id, plan=plans.in_use(session, plan).plan, title=title, scheduled_at=scheduled_at, announced=announced,
        scenario=scenario, risk_check=risk_check, status="planned", weak_points=[], by=by.id, occurred_at=occurred_at,
        received_at=now(),
    )  # fmt: skip
    session.add(drill)
    return drill


def start(session: Session, drill_id: str, incident: str, by: Standing, occurred_at: datetime) -> Drill:
    """Start a planned drill: its incident is raised under the plan, marked as a drill throughout."""
    drill = find(session, drill_id, by)
    if drill.status != "planned":
        raise Conflict(
            "state_conflict", "演练已开始或结束。", "The drill has started or is over.", state={"status": drill.status}
        )
    found = session.get(plans.Plan, drill.plan)
    assert found is not None
    reporting.raise_incident(
        session, incident, drill.title, by, occurred_at=occurred_at, plan=found.key, text=drill.scenario, drill=True
    )
    drill.status, drill.incident = "running", incident
    return drill


def finish(session: Session, drill_id: str, by: Standing, *, observations: str, weak_points: list[str]) -> Drill:
    """Close a drill with what was observed; its score counts the limits met, late and unmet."""
    drill = find(session, drill_id, by)
    if drill.status != "running" or drill.incident is None:
        raise Conflict("state_conflict", "演练未在进行。", "The drill is not running.", state={"status": drill.status})
    incident = session.get(incidents.Incident, drill.incident)
    assert incident is not None
    if incident.status in incidents.OPEN:
        raise Conflict(
            "incident_open", "请先结束演练事件。", "End the drill's incident first.", state={"status": incident.status}
        )
    outcomes = reviews.outcomes(session, drill.incident, plans.rules_of(session, incident.revision))
    drill.score = {result: sum(one["result"] == result for one in outcomes) for result in ("met", "late", "unmet")}
    drill.status, drill.observations, drill.weak_points = "done", observations, weak_points
    return drill


def find(session: Session, drill: str, by: Standing) -> Drill:
    """The drill, locked, for somebody who may run it. Raises NotFound or Forbidden."""
    found = session.get(Drill, drill, with_for_update=True, populate_existing=True)
    if found is None:
        raise NotFound("drill_unknown", "没有这次演练。", "There is no such drill.")
    rights.require(by, "drill.run", team=next(iter(by.leads), None))
    return found
