"""Field reports and tallies over HTTP."""

from datetime import datetime
from typing import Any

from marshmallow import fields, validate
from sqlalchemy.orm import Session

from server.api import http
from server.api.fields import Body, Choice, Fact, Int, Number, Position, Text, Uuid
from server.clock import now
from server.domain import errors, field_reports, incidents, reporting, rights, tallies
from server.domain.people import Standing

blp = http.blueprint("field_reports")


class PhotoBody(Body):
    """A picture that will follow: its id, the SHA-256 and size of what will be sent."""

    id = Uuid(required=True)
    sha256 = fields.String(required=True, validate=validate.Regexp(r"[0-9a-f]{64}\Z"))
    size = Int(1, 64 * 1024 * 1024, required=True)
    mime = Choice("image/jpeg", "image/png", "image/webp", required=True)


class ReportBody(Fact):
    """What somebody saw; `fulfils` names a report the plan asks for."""

    incident = Uuid(allow_none=True)
    chain = Choice(*field_reports.CHAIN, load_default="first")
    previous = Uuid()
    type = Choice(*field_reports.TYPES, required=True)
    place = Uuid()
    position = fields.Nested(Position, allow_none=True)
    text = Text(4000)
    counts = fields.Dict(keys=Text(40, least=1), values=Int(0, 10_000_000), validate=validate.Length(max=20))
    fields_ = fields.Dict(
        keys=Text(80, least=1),
        values=Text(2000),
        validate=validate.Length(max=60),
        data_key="fields",
        attribute="fields",
    )
    fulfils = Text(80)
    photos = fields.List(fields.Nested(PhotoBody), validate=validate.Length(max=field_reports.MOST_PHOTOS))


class StrikeBody(Fact):
    """Why a report is wrong."""

    reason = Text(500, least=1, required=True)


class ReportSightingBody(Fact):
    """That command has seen it."""


class TallyBody(Fact):
    """A count of people: in or out during a window, present, or per square metre."""

    incident = Uuid(required=True)
    place = Uuid(required=True)
    kind = Choice(*tallies.KINDS, required=True)
    count = Number(0, 10_000_000, required=True)
    window_seconds = Int(1, 86400)


@http.fact(blp, "/reports/<id>", ReportBody, "File a field report")
def file_report(session: Session, by: Standing, data: dict[str, Any], at: datetime, id: str) -> dict[str, Any]:
    """File a field report; its photos follow as uploads. One that names no incident raises one."""
    named = data.pop("incident", None)
    if named is None:
        report = reporting.file_alone(session, id, by, occurred_at=at, **data)
    else:
        report = reporting.file_report(
            session, id, incidents.find(session, named, by, "report.file"), by, occurred_at=at, **data
        )
    return {"late": report.late, "incident": report.incident}


@http.fact(blp, "/reports/<report>/strikes/<id>", StrikeBody, "Strike a field report")
def strike_report(session: Session, by: Standing, data: dict[str, Any], at: datetime, report: str, id: str) -> None:
    """Strike a report as wrong."""
    found = _find(session, report, by)
    rights.require(by, "report.strike", own=found.by == by.id)
    field_reports.strike(session, found, data["reason"], by)


@http.fact(blp, "/reports/<report>/sightings/<id>", ReportSightingBody, "Say that a report was seen")
def see_report(session: Session, by: Standing, data: dict[str, Any], at: datetime, report: str, id: str) -> None:
    """Record that command has seen a report."""
    found = _find(session, report, by)
    rights.require(by, "sighting.note")
    found.seen_at = found.seen_at or now()


@http.fact(blp, "/tallies/<id>", TallyBody, "Count people")
def tally(session: Session, by: Standing, data: dict[str, Any], at: datetime, id: str) -> None:
    """Record a count of people at a place."""
    incident = incidents.find(session, data.pop("incident"), by, "tally.count", lock=True)
    reporting.tally(
        session, id, incident, by, place=data["place"], kind=data["kind"], number=data["count"],
        window_seconds=data.get("window_seconds"), occurred_at=at,
    )  # fmt: skip


def _find(session: Session, report: str, by: Standing) -> field_reports.Report:
    found = session.get(field_reports.Report, report, with_for_update=True)
    unknown = errors.NotFound("report_unknown", "没有这份报告。", "There is no such report.")
    if found is None:
        raise unknown
    incidents.find(session, found.incident, by, unseen=unknown)
    return found
