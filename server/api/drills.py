"""Drills over HTTP: plan, start, inject, pace, stop, finish; the calendar of what is due, and that a quiet-day duty was done."""

from datetime import datetime
from typing import Any

from flask import Response, g, jsonify
from marshmallow import fields, validate
from sqlalchemy.orm import Session

from server.api import http
from server.api.fields import Body, Fact, Flag, Int, Moment, Scalar, Text, Uuid
from server.domain import calendar, drills, rights
from server.domain.people import Standing

blp = http.blueprint("drills")


class InjectBody(Body):
    """A fact or measured value of the script, so many seconds of the plan's time after the start."""

    at_seconds = Int(0, 7 * 86400, required=True)
    key = Text(120, least=1, required=True)
    value = Scalar()
    unit = Text(20)
    note = Text(500)


class DrillBody(Fact):
    """A drill for the calendar; without `participants` every team takes part."""

    plan = Text(80, least=1, required=True)
    rule = Text(80, least=1)
    title = Text(200, least=1, required=True)
    scheduled_at = Moment(required=True)
    announced = Flag(load_default=True)
    speed = Int(1, drills.FASTEST, load_default=1)
    participants = fields.List(Uuid(), validate=validate.Length(1, 100))
    scenario = Text(4000, least=1, required=True)
    risk_check = Text(2000, least=1, required=True)
    injects = fields.List(fields.Nested(InjectBody), validate=validate.Length(max=100), load_default=list)


class StartBody(Fact):
    """The start of a drill; `incident` is the id of the incident it raises, `speed` takes the place of the planned one."""

    incident = Uuid(required=True)
    speed = Int(1, drills.FASTEST)


class SpeedBody(Fact):
    """How many times faster than written the drill goes on."""

    speed = Int(1, drills.FASTEST, required=True)


class MoreBody(Fact):
    """One more inject; without `at_seconds` it happens now."""

    at_seconds = Int(0, 7 * 86400)
    key = Text(120, least=1, required=True)
    value = Scalar()
    unit = Text(20)
    note = Text(500)


class InjectNowBody(Fact):
    """That an inject of the script happens now."""


class LeaveOutBody(Fact):
    """That an inject of the script does not happen."""


class StopBody(Fact):
    """That the drill stops, and why."""

    reason = Text(1000, least=1, required=True)


class CallOffBody(Fact):
    """That a planned drill does not take place."""


class FinishBody(Fact):
    """What was observed."""

    observations = Text(8000, required=True)
    weak_points = fields.List(Text(300, least=1), validate=validate.Length(max=50), load_default=list)


class RoundBody(Fact):
    """That a quiet-day duty was done."""

    note = Text(2000)


@blp.route("/drills/calendar", methods=["GET"])
@blp.response(200, description="Every drill and duty the plans ask for, the next due first.")
def read_calendar() -> Response:
    """When the drills and quiet-day duties of the plans in use are due."""
    rights.require(g.standing, "drill.run", team=next(iter(g.standing.leads), None))
    return jsonify({"items": http.read(calendar.coming)})


@http.fact(blp, "/drills/<id>", DrillBody, "Plan a drill")
def plan_drill(session: Session, by: Standing, data: dict[str, Any], at: datetime, id: str) -> None:
    """Put a drill on the calendar."""
    drills.plan(session, id, by, occurred_at=at, script=data.pop("injects"), **data)


@http.fact(blp, "/drills/<drill>/starts/<id>", StartBody, "Start a drill")
def start_drill(
    session: Session, by: Standing, data: dict[str, Any], at: datetime, drill: str, id: str
) -> dict[str, Any]:
    """Start a drill: its incident is raised with the drill mark."""
    return {"incident": drills.start(session, drill, data["incident"], by, at, data.get("speed")).incident}


@http.fact(blp, "/drills/<drill>/injects/<id>", MoreBody, "Inject something in a drill")
def inject(session: Session, by: Standing, data: dict[str, Any], at: datetime, drill: str, id: str) -> dict[str, Any]:
    """Add to the script of a drill, or let something happen in it now."""
    return {"status": drills.inject(session, id, drill, by, **data).status}


@http.fact(blp, "/injects/<inject>/applications/<id>", InjectNowBody, "Let an inject happen now")
def inject_now(
    session: Session, by: Standing, data: dict[str, Any], at: datetime, inject: str, id: str
) -> dict[str, Any]:
    """Let an inject of the script happen before its time."""
    return {"status": drills.inject_now(session, inject, by).status}


@http.fact(blp, "/injects/<inject>/omissions/<id>", LeaveOutBody, "Leave an inject out")
def leave_out(
    session: Session, by: Standing, data: dict[str, Any], at: datetime, inject: str, id: str
) -> dict[str, Any]:
    """Keep an inject of the script from happening."""
    return {"status": drills.leave_out(session, inject, by).status}


@http.fact(blp, "/drills/<drill>/speeds/<id>", SpeedBody, "Change the speed of a drill")
def repace_drill(
    session: Session, by: Standing, data: dict[str, Any], at: datetime, drill: str, id: str
) -> dict[str, Any]:
    """Let a running drill go on faster or slower."""
    return {"speed": drills.repace(session, drill, data["speed"], by).speed}


@http.fact(blp, "/drills/<drill>/stops/<id>", StopBody, "Stop a drill")
def stop_drill(
    session: Session, by: Standing, data: dict[str, Any], at: datetime, drill: str, id: str
) -> dict[str, Any]:
    """Stop a running drill: its incident ends."""
    return {"status": drills.stop(session, id, drill, by, data["reason"], at).status}


@http.fact(blp, "/drills/<drill>/cancellations/<id>", CallOffBody, "Call a drill off")
def call_off_drill(
    session: Session, by: Standing, data: dict[str, Any], at: datetime, drill: str, id: str
) -> dict[str, Any]:
    """Take a planned drill off the calendar."""
    return {"status": drills.call_off(session, drill, by).status}


@http.fact(blp, "/drills/<drill>/finishes/<id>", FinishBody, "Close a drill")
def finish_drill(
    session: Session, by: Standing, data: dict[str, Any], at: datetime, drill: str, id: str
) -> dict[str, Any]:
    """Close a drill with what was observed."""
    return {"score": drills.finish(session, drill, by, occurred_at=at, **data).score}


@http.fact(blp, "/plans/<key>/duties/<name>/rounds/<id>", RoundBody, "Say that a quiet-day duty was done")
def complete_duty(
    session: Session, by: Standing, data: dict[str, Any], at: datetime, key: str, name: str, id: str
) -> None:
    """Record that a duty the plan asks for between emergencies was done."""
    calendar.complete(session, id, key, name, by, data.get("note"), at)
