"""Notices over HTTP: draft, approve, publish."""

from datetime import datetime
from typing import Any

from marshmallow import fields
from sqlalchemy.orm import Session

from server.api import http
from server.api.fields import Choice, Fact, Moment, Text, Uuid, Words
from server.domain import course, incidents, notices, rights
from server.domain.people import Standing

blp = http.blueprint("notices")


class NoticeBody(Fact):
    """Wording for one channel; `rule` names the notice of the plan it comes from."""

    channel = Choice(*notices.CHANNELS, required=True)
    kind = Choice("warning", "notice", "update", "correction", "all_clear", "press", load_default="notice")
    wording = fields.Nested(Words, required=True)
    eta = Moment()
    previous = Uuid()
    rule = Text(80)


class NoticeApprovalBody(Fact):
    """Yes to a draft; `eta` where its words ask for the expected time."""

    eta = Moment()


class PublicationBody(Fact):
    """That it is out."""

    note = Text(500)


@http.fact(blp, "/incidents/<incident>/notices/<id>", NoticeBody, "Draft a notice")
def draft(session: Session, by: Standing, data: dict[str, Any], at: datetime, incident: str, id: str) -> None:
    """Draft a notice."""
    found = incidents.find(session, incident, by)
    rights.require(by, "notice.draft")
    notices.draft(session, id, found, by, occurred_at=at, key=data.pop("rule", None), **data)


@http.fact(blp, "/notices/<notice>/approvals/<id>", NoticeApprovalBody, "Approve a notice")
def approve(session: Session, by: Standing, data: dict[str, Any], at: datetime, notice: str, id: str) -> dict[str, Any]:
    """Approve a notice somebody else drafted."""
    found = notices.find(session, notice)
    incidents.find(session, found.incident, by, unseen=notices.unknown())
    rights.require(by, "notice.approve")
    notices.approve(session, found, by, data.get("eta"))
    return {"state": found.state}


@http.fact(blp, "/notices/<notice>/publications/<id>", PublicationBody, "Say that a notice is out")
def publish(session: Session, by: Standing, data: dict[str, Any], at: datetime, notice: str, id: str) -> dict[str, Any]:
    """Record that an approved notice is out."""
    found = notices.find(session, notice)
    incident = incidents.find(session, found.incident, by, unseen=notices.unknown())
    rights.require(by, "notice.publish")
    course.publish_notice(session, incident, found, by, at)
    return {"state": found.state}
