"""Drills: planned, announced or not, run as incidents that nothing real may cross, scored against the plan's own limits."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.clock import iso, now
from server.db import Id, Key, Model, new_id
from server.domain import incidents, injects, people, plans, reporting, reviews, rights
from server.domain.errors import Conflict, NotFound, Refused
from server.domain.people import Standing

FASTEST = 60


class Drill(Model):
    """A drill with its scenario, risk check, observations and weak points; its incident carries the drill mark.

    `speed` is how many times faster than written the plan's limits run, `participants` the only teams it may reach
    (None: every one), `rule` the plan's drill rule it fulfils.
    """

    __tablename__ = "drill"
    synced_type = "drill"
    id: Mapped[Key]
    plan: Mapped[Id] = mapped_column(ForeignKey("plan.id"))
    rule: Mapped[str | None] = mapped_column(String(80))
    title: Mapped[str] = mapped_column(String(200))
    scheduled_at: Mapped[datetime]
    announced: Mapped[bool] = mapped_column(Boolean)
    speed: Mapped[int] = mapped_column(Integer, default=1)
    participants: Mapped[Any | None]
    scenario: Mapped[str]
    risk_check: Mapped[str]
    status: Mapped[str] = mapped_column(String(8), default="planned")
    incident: Mapped[Id | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    observations: Mapped[str | None]
    weak_points: Mapped[list[Any]]
    score: Mapped[Any | None]
    by: Mapped[Id]
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime]
    __table_args__ = (Index(None, "scheduled_at"),)

    def spaces(self, session: Session) -> Iterable[str]:
        """An announced drill is known to all; an unannounced one, until it runs, to command and whoever planned it."""
        kept = ("plans", f"me:{self.by}")
        return ("org", *kept) if self.announced or self.status != "planned" else kept

    def document(self, session: Session, space: str) -> dict[str, Any]:
        """The drill as phones keep it."""
        return {
            "id": self.id, "plan": self.plan, "rule": self.rule, "title": self.title, "scheduled_at": iso(self.scheduled_at),
            "announced": self.announced, "speed": self.speed, "participants": self.participants, "scenario": self.scenario,
            "risk_check": self.risk_check, "status": self.status, "incident": self.incident,
            "started_at": iso(self.started_at), "finished_at": iso(self.finished_at), "observations": self.observations,
            "weak_points": self.weak_points, "score": self.score, "by": self.by, "occurred_at": iso(self.occurred_at),
            "received_at": iso(self.received_at),
        }  # fmt: skip


def plan(
    session: Session, id: str, by: Standing, *, plan: str, title: str, scheduled_at: datetime, announced: bool, scenario: str,
    risk_check: str, occurred_at: datetime, rule: str | None = None, speed: int = 1, participants: list[str] | None = None,
    script: Sequence[dict[str, Any]] = (),
) -> Drill:  # fmt: skip
    """Put a drill of an approved plan on the calendar, with its script.

    Raises Refused for a drill rule, team, fact or value that is unknown.
    """
    rights.require(by, "drill.run", team=next(iter(by.leads), None))
    revision = plans.in_use(session, plan)
    rules = plans.rules_of(session, revision.id)
    assert rules is not None
    if rule is not None and rule not in {one.key for one in rules.drills}:
        raise Refused("drill_rule_unknown", "预案中没有这项演练要求。", "The plan asks for no such drill.", path="rule")
    for team in participants or ():
        if session.get(people.Team, team) is None:
            raise Refused("team_unknown", "没有这个组。", "There is no such team.", path="participants")
    drill = Drill(
        id=id, plan=revision.plan, rule=rule, title=title, scheduled_at=scheduled_at, announced=announced, speed=speed,
        participants=sorted(set(participants)) if participants else None, scenario=scenario, risk_check=risk_check,
        status="planned", weak_points=[], by=by.id, occurred_at=occurred_at, received_at=now(),
    )  # fmt: skip
    session.add(drill)
    session.flush()
    injects.write(session, id, rules, script, by.id)
    return drill


def start(session: Session, drill_id: str, incident: str, by: Standing, occurred_at: datetime) -> Drill:
    """Start a planned drill: its incident is raised under the plan, marked as a drill throughout, and its script runs."""
    drill = find(session, drill_id, by)
    if drill.status != "planned":
        raise Conflict(
            "state_conflict", "演练已开始或结束。", "The drill has started or is over.", state={"status": drill.status}
        )
    found = session.get(plans.Plan, drill.plan)
    assert found is not None
    raised = reporting.raise_incident(
        session, incident, drill.title, by, occurred_at=occurred_at, plan=found.key, text=drill.scenario, drill=True,
        speed=drill.speed, participants=drill.participants,
    )  # fmt: skip
    injects.arm(session, drill.id, raised)
    drill.status, drill.incident, drill.started_at = "running", incident, raised.started_at
    return drill


def finish(
    session: Session, drill_id: str, by: Standing, *, observations: str, weak_points: list[str], occurred_at: datetime
) -> Drill:
    """Close a drill with what was observed; weak points become actions of its review, and the limits are scored."""
    drill = find(session, drill_id, by)
    if drill.status != "running" or drill.incident is None:
        raise Conflict("state_conflict", "演练未在进行。", "The drill is not running.", state={"status": drill.status})
    incident = session.get(incidents.Incident, drill.incident)
    assert incident is not None
    if incident.status in incidents.OPEN:
        raise Conflict(
            "incident_open", "请先结束演练事件。", "End the drill's incident first.", state={"status": incident.status}
        )
    injects.skip(session, drill.id)
    drill.score = score(session, incident)
    drill.status, drill.observations, drill.weak_points = "done", observations, weak_points
    drill.finished_at = incident.ended_at or occurred_at
    review = session.get(reviews.Review, incident.id)
    for weak in weak_points if review is not None and review.status == "draft" else ():
        reviews.act(
            session, new_id(), reviews.find(session, incident.id), by, title=weak[:300], owner=None, due=None, done=False,
            occurred_at=occurred_at,
        )  # fmt: skip
    return drill


def score(session: Session, incident: incidents.Incident) -> dict[str, Any]:
    """How many of the plan's own limits were met, late and unmet, each with its seconds in the plan's time, and the answers."""
    outcomes = reviews.outcomes(session, incident.id, plans.rules_of(session, incident.revision))
    counts = {result: sum(one["result"] == result for one in outcomes) for result in ("met", "late", "unmet")}
    scored = [
        {
            "key": one["key"], "title": one["title"], "result": one["result"],
            "by_seconds": None if one["by_seconds"] is None else one["by_seconds"] * incident.speed,
        }
        for one in outcomes
    ]  # fmt: skip
    return {**counts, "limits": scored, "answers": reviews.figures(session, incident.id)}


def find(session: Session, drill: str, by: Standing) -> Drill:
    """The drill, locked, for somebody who may run it. Raises NotFound or Forbidden."""
    found = session.get(Drill, drill, with_for_update=True, populate_existing=True)
    if found is None:
        raise NotFound("drill_unknown", "没有这次演练。", "There is no such drill.")
    rights.require(by, "drill.run", team=next(iter(by.leads), None))
    return found
