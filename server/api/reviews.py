"""Reviews over HTTP: sections, actions, signature; and drills."""

from datetime import datetime
from typing import Any

from marshmallow import fields, validate
from sqlalchemy.orm import Session

from server.api import http
from server.api.fields import Fact, Flag, Moment, Text, Uuid
from server.domain import drills, incidents, reviews
from server.domain.people import Standing

blp = http.blueprint("reviews")


class SectionBody(Fact):
    """The text of one section."""

    section = Text(80, least=1, required=True)
    text = Text(20_000, required=True)


class ActionBody(Fact):
    """Something to be done; with `previous` the action it closes."""

    title = Text(300, least=1, required=True)
    owner = Uuid()
    due = Moment()
    done = Flag()
    previous = Uuid()


class SignatureBody(Fact):
    """The signature."""


class DrillBody(Fact):
    """A drill for the calendar."""

    plan = Text(80, least=1, required=True)
    title = Text(200, least=1, required=True)
    scheduled_at = Moment(required=True)
    announced = Flag(load_default=True)
    scenario = Text(4000, least=1, required=True)
    risk_check = Text(2000, least=1, required=True)


class StartBody(Fact):
    """The start of a drill; `incident` is the id of the incident it raises."""

    incident = Uuid(required=True)


class FinishBody(Fact):
    """What was observed."""

    observations = Text(8000, required=True)
    weak_points = fields.List(Text(500, least=1), validate=validate.Length(max=50), load_default=list)


@http.fact(blp, "/reviews/<review>/sections/<id>", SectionBody, "Write a section of a review")
def write_section(session: Session, by: Standing, data: dict[str, Any], at: datetime, review: str, id: str) -> None:
    """Write a section of a draft."""
    incidents.find(session, review, by, "review.write")
    reviews.write(session, reviews.find(session, review), data["section"], data["text"], by)


@http.fact(blp, "/reviews/<review>/actions/<id>", ActionBody, "Add or close an action of a review")
def act(session: Session, by: Standing, data: dict[str, Any], at: datetime, review: str, id: str) -> None:
    """Add an action, or say that one is done."""
    incidents.find(session, review, by, "review.write")
    reviews.act(
        session, id, reviews.find(session, review), by, title=data["title"], owner=data.get("owner"), due=data.get("due"),
        done=data.get("done", False), occurred_at=at, previous=data.get("previous"),
    )  # fmt: skip


@http.fact(blp, "/reviews/<review>/signatures/<id>", SignatureBody, "Sign a review")
def sign(session: Session, by: Standing, data: dict[str, Any], at: datetime, review: str, id: str) -> dict[str, Any]:
    """Sign a complete review."""
    incident = incidents.find(session, review, by, "review.sign", lock=True)
    reviews.sign(session, incident, reviews.find(session, review), by)
    return {"status": incident.status}


@http.fact(blp, "/drills/<id>", DrillBody, "Plan a drill")
def plan_drill(session: Session, by: Standing, data: dict[str, Any], at: datetime, id: str) -> None:
    """Put a drill on the calendar."""
    drills.plan(session, id, by, occurred_at=at, **data)


@http.fact(blp, "/drills/<drill>/starts/<id>", StartBody, "Start a drill")
def start_drill(
    session: Session, by: Standing, data: dict[str, Any], at: datetime, drill: str, id: str
) -> dict[str, Any]:
    """Start a drill: its incident is raised with the drill mark."""
    return {"incident": drills.start(session, drill, data["incident"], by, at).incident}


@http.fact(blp, "/drills/<drill>/finishes/<id>", FinishBody, "Close a drill")
def finish_drill(
    session: Session, by: Standing, data: dict[str, Any], at: datetime, drill: str, id: str
) -> dict[str, Any]:
    """Close a drill with what was observed."""
    return {
        "score": drills.finish(
            session, drill, by, observations=data["observations"], weak_points=data["weak_points"]
        ).score
    }
