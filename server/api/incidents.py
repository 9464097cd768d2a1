"""Incidents over HTTP: raise one, decide in it, record facts and log entries, read and verify its timeline."""

from datetime import datetime
from typing import Any

from flask import Response, g, jsonify, request
from marshmallow import fields
from sqlalchemy import select
from sqlalchemy.orm import Session

from server.api import http
from server.api.fields import Choice, Fact, Flag, Int, Position, Scalar, Text, Uuid
from server.domain import activation, errors, incidents, reporting, timeline
from server.domain.people import Standing
from server.domain.timeline import Entry

blp = http.blueprint("incidents")
PAGE = 200


class IncidentBody(Fact):
    """A new incident; under a plan where one is named."""

    plan = Text(80)
    trigger = Text(80)
    title = Text(200, least=1, required=True)
    place = Uuid()
    position = fields.Nested(Position)
    text = Text(4000)
    drill = Flag()


class DecisionBody(Fact):
    """A decision; level ones name scale and level, limit ones the limit, stand_down the team."""

    kind = Choice(*activation.KINDS, required=True)
    reason = Text(1000)
    note = Text(2000)
    scale = Text(80)
    level = Text(80)
    limit = Uuid()
    team = Uuid()
    plan = Text(80)
    seconds = Int(60, int(activation.LONGEST_EXTENSION.total_seconds()))
    seen_version = Int(0)


class FactBody(Fact):
    """A named fact, or a measured value with its unit."""

    key = Text(120, least=1, required=True)
    value = Scalar()
    unit = Text(20)
    note = Text(2000)


class EntryBody(Fact):
    """A line for the log."""

    text = Text(2000, least=1, required=True)


@http.fact(blp, "/incidents/<id>", IncidentBody, "Raise an incident")
def raise_incident(session: Session, by: Standing, data: dict[str, Any], at: datetime, id: str) -> dict[str, Any]:
    """Raise an incident; its plan begins to run."""
    position = data.pop("position", None) or {}
    data |= {"lat": position.get("lat"), "lon": position.get("lon")}
    incident = reporting.raise_incident(session, id, data.pop("title"), by, occurred_at=at, **data)
    return {"status": incident.status, "version": incident.version}


@http.fact(blp, "/incidents/<incident>/decisions/<id>", DecisionBody, "Decide")
def decide(
    session: Session, by: Standing, data: dict[str, Any], at: datetime, incident: str, id: str
) -> dict[str, Any]:
    """Record a decision and let it take effect."""
    seen = data.pop("seen_version", None)
    found = activation.find(session, incident, data["kind"], by)
    if seen is not None and seen < found.version and data["kind"] in {"level", "end", "dismiss"}:
        raise errors.Conflict(
            "state_conflict", "事件状态已改变，请查看当前状态。", "The incident has moved on; see its current state.",
            state={"status": found.status, "version": found.version},
        )  # fmt: skip
    activation.decide(session, id, found, activation.Choice(**data), by, at)
    return {"status": found.status, "version": found.version}


@http.fact(blp, "/incidents/<incident>/facts/<id>", FactBody, "Record a fact or a measured value")
def record_fact(
    session: Session, by: Standing, data: dict[str, Any], at: datetime, incident: str, id: str
) -> dict[str, Any]:
    """Record that something happened or was measured."""
    found = incidents.find(session, incident, by, "incident.fact", lock=True)
    reporting.record_fact(session, id, found, by, occurred_at=at, **data)
    return {"status": found.status}


@http.fact(blp, "/incidents/<incident>/entries/<id>", EntryBody, "Write a line in the log")
def log_entry(session: Session, by: Standing, data: dict[str, Any], at: datetime, incident: str, id: str) -> None:
    """Write a line in the log."""
    incidents.admit(session, incident, by, "incident.log")
    timeline.record(
        session,
        incident,
        "log",
        f"{by.name}：{data['text']}",
        f"{by.name}: {data['text']}",
        by=by.id,
        occurred_at=at,
        refs={"fact": id},
    )


@blp.route("/incidents/<incident>/timeline", methods=["GET"])
@blp.response(200, description="Up to 200 entries after number `after`.")
def read_timeline(incident: str) -> Response:
    """Read the timeline page by page."""
    after = request.args.get("after", "0")
    if not after.isascii() or not after.isdigit() or len(after) > 9:
        raise errors.Refused("cursor_invalid", "翻页参数有误。", "The cursor is not valid.", path="after")

    def query(session: Session) -> list[dict[str, Any]]:
        found = incidents.find(session, incident, g.standing)
        allowed = set(incidents.spaces(session, g.standing))
        entries = session.scalars(
            select(Entry).where(Entry.incident == found.id, Entry.seq > int(after)).order_by(Entry.seq).limit(PAGE)
        )
        return [one.document(session, "") for one in entries if allowed & set(one.spaces(session))]

    entries = http.read(query)
    return jsonify({"entries": entries, "next": entries[-1]["seq"] if len(entries) == PAGE else None})


@blp.route("/incidents/<incident>/verification", methods=["GET"])
@blp.response(200, description="Whether the hash chain holds.")
def verify_chain(incident: str) -> Response:
    """Check the timeline's hash chain."""

    def query(session: Session) -> int | None:
        return timeline.broken_at(session, incidents.find(session, incident, g.standing).id)

    broken = http.read(query)
    return jsonify({"intact": broken is None, "broken_at": broken})
