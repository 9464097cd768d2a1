"""Drills: planned, announced or not, run as incidents that nothing real may cross, scored against the plan's own limits."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.clock import iso, now
from server.db import Id, Key, Model, new_id
from server.domain import (
    activation,
    incidents,
    injects,
    limits,
    pacing,
    people,
    plans,
    reporting,
    reviews,
    rights,
    rules,
)
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
    rulebook = plans.rules_of(session, revision.id)
    assert rulebook is not None
    if rule is not None and rule not in {one.key for one in rulebook.drills}:
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
    injects.write(session, id, rulebook, script, by.id)
    return drill


def start(
    session: Session, drill_id: str, incident: str, by: Standing, occurred_at: datetime, speed: int | None = None
) -> Drill:
    """Start a planned drill: its incident is raised under the plan, marked as a drill throughout, and its script runs.

    `speed` takes the place of the one it was planned with.
    """
    drill = find(session, drill_id, by)
    drill.speed = speed or drill.speed
    if drill.status != "planned":
        raise Conflict(
            "state_conflict", "演练已开始或结束。", "The drill has started or is over.", state={"status": drill.status}
        )
    raised = reporting.raise_incident(
        session, incident, drill.title, by, occurred_at=occurred_at, plan=plans.known(session, drill.plan).key, text=drill.scenario, drill=True,
        speed=drill.speed, participants=drill.participants,
    )  # fmt: skip
    pacing.note(session, raised, by.id, raised.started_at)
    injects.arm(session, drill.id, raised)
    drill.status, drill.incident, drill.started_at = "running", incident, raised.started_at
    return drill


def call_off(session: Session, drill_id: str, by: Standing) -> Drill:
    """Take a planned drill off the calendar. Raises Conflict once it has started."""
    drill = find(session, drill_id, by)
    if drill.status != "planned":
        raise Conflict(
            "state_conflict", "演练已开始或结束。", "The drill has started or is over.", state={"status": drill.status}
        )
    injects.skip(session, drill.id)
    drill.status = "off"
    return drill


def repace(session: Session, drill_id: str, speed: int, by: Standing) -> Drill:
    """Let a running drill go on `speed` times faster than written; what runs keeps what it has left in the plan's time."""
    drill, incident = _running(session, drill_id, by)
    if speed != incident.speed:
        before = incident.speed
        pacing.change(session, incident, speed, by)
        injects.hasten(session, drill.id, before / speed)
        drill.speed = speed
    return drill


def inject(
    session: Session, id: str, drill_id: str, by: Standing, *, key: str, at_seconds: int | None = None, value: Any = None,
    unit: str | None = None, note: str | None = None,
) -> injects.Inject:  # fmt: skip
    """Add to the script, `at_seconds` of the plan's time after the start; without it, let it happen now.

    Raises Refused for what the plan does not know, Conflict when the drill is over or has not begun.
    """
    drill = find(session, drill_id, by)
    if drill.status not in ("planned", "running"):
        raise Conflict("state_conflict", "演练已结束。", "The drill is over.", state={"status": drill.status})
    incident = session.get(incidents.Incident, drill.incident) if drill.incident else None
    revision = incident.revision if incident else plans.known(session, drill.plan).approved
    rulebook = plans.rules_of(session, revision)
    if rulebook is None or at_seconds is None and incident is None:
        raise Conflict("state_conflict", "演练尚未开始。", "The drill has not begun.", state={"status": drill.status})
    due, clock = None, incidents.clock_of(session, incident) if incident else None
    if incident is not None and clock is not None:
        passed = (clock.reads(now()) - incident.started_at).total_seconds()
        at_seconds = max(0, round(passed)) if at_seconds is None else at_seconds
        due = now() + incidents.pace(incident, timedelta(seconds=max(0.0, at_seconds - passed)))
    assert at_seconds is not None
    added = injects.add(
        session, id, drill.id, rulebook, incident, by.id, key=key, at_seconds=at_seconds, due_at=due, value=value, unit=unit, note=note
    )  # fmt: skip
    if due is not None and due <= now():
        injects.bring_forward(session, added)
    return added


def inject_now(session: Session, inject_id: str, by: Standing) -> injects.Inject:
    """Let what waits in the script happen before its time."""
    waiting = _of_running(session, inject_id, by)
    injects.bring_forward(session, waiting)
    return waiting


def leave_out(session: Session, inject_id: str, by: Standing) -> injects.Inject:
    """Keep what waits in the script from happening."""
    waiting = injects.find(session, inject_id)
    find(session, waiting.drill, by)
    injects.set_aside(waiting)
    return waiting


def stop(session: Session, id: str, drill_id: str, by: Standing, reason: str, occurred_at: datetime) -> Drill:
    """Stop a running drill: its incident ends, whatever is still open in it, and nothing more of its script happens."""
    drill, incident = _running(session, drill_id, by)
    if incident.status in incidents.OPEN:
        activation.decide(session, id, incident, activation.Choice("end", reason=reason), by, occurred_at)
    injects.skip(session, drill.id)
    return drill


def finish(
    session: Session, drill_id: str, by: Standing, *, observations: str, weak_points: list[str], occurred_at: datetime
) -> Drill:
    """Close a drill with what was observed; weak points become actions of its review, and the limits are scored."""
    drill, incident = _running(session, drill_id, by)
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
    clock = incidents.clock_of(session, incident)
    scored = [
        {
            "key": one["key"], "title": one["title"], "result": one["result"],
            "by_seconds": _in_plan_time(session, clock, one["limit"], one["by_seconds"]),
        }
        for one in outcomes
    ]  # fmt: skip
    return {**counts, "limits": scored, "answers": reviews.figures(session, incident.id)}


def _in_plan_time(session: Session, clock: rules.PlanClock, limit_id: str, by_seconds: int | None) -> int | None:
    """The seconds over or to spare of a limit as the plan's clock counts them."""
    limit = session.get(limits.Limit, limit_id)
    if by_seconds is None or limit is None:
        return None
    done = limit.due_at + timedelta(seconds=by_seconds)
    if by_seconds <= 0:  # a limit that was met was due at the pace of that moment
        return by_seconds * clock.speed_at(done)
    return round((clock.reads(done) - clock.reads(limit.due_at)).total_seconds())


def _running(session: Session, drill_id: str, by: Standing) -> tuple[Drill, incidents.Incident]:
    """A running drill with its incident, both locked. Raises Conflict when it does not run."""
    drill = find(session, drill_id, by)
    if drill.status != "running" or drill.incident is None:
        raise Conflict("state_conflict", "演练未在进行。", "The drill is not running.", state={"status": drill.status})
    incident = session.get(incidents.Incident, drill.incident, with_for_update=True, populate_existing=True)
    assert incident is not None
    return drill, incident


def _of_running(session: Session, inject_id: str, by: Standing) -> injects.Inject:
    waiting = injects.find(session, inject_id)
    _running(session, waiting.drill, by)
    return waiting


def find(session: Session, drill: str, by: Standing) -> Drill:
    """The drill, locked, for somebody who may run it. Raises NotFound or Forbidden."""
    found = session.get(Drill, drill, with_for_update=True, populate_existing=True)
    if found is None:
        raise NotFound("drill_unknown", "没有这次演练。", "There is no such drill.")
    rights.require(by, "drill.run", team=next(iter(by.leads), None))
    return found
