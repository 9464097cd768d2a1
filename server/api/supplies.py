"""Supplies over HTTP: requests, their movements, and the shelf."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from server.api import http
from server.api.fields import Choice, Fact, Int, Text, Uuid
from server.domain import errors, incidents, rights, supplies
from server.domain.people import Standing

blp = http.blueprint("supplies")
RECEIVING = ("received", "short", "returned", "used", "void")


class RequestBody(Fact):
    """Goods asked for."""

    incident = Uuid(required=True)
    supply = Uuid(required=True)
    quantity = Int(1, 1_000_000, required=True)
    for_team = Uuid(required=True)
    to_place = Uuid()
    note = Text(1000)


class MovementBody(Fact):
    """A step of a request; numbered goods give their first and last number."""

    kind = Choice(*supplies.WORDS, required=True)
    quantity = Int(1, 1_000_000)
    serial_from = Int(0, 2_000_000_000)
    serial_to = Int(0, 2_000_000_000)
    carrier = Text(120, name=True)
    note = Text(1000)


@http.fact(blp, "/requests/<id>", RequestBody, "Ask for supplies")
def ask(session: Session, by: Standing, data: dict[str, Any], at: datetime, id: str) -> dict[str, Any]:
    """Ask for supplies for a team."""
    incident = incidents.find(session, data.pop("incident"), by)
    rights.require(by, "supply.request", team=data["for_team"])
    request = supplies.ask(
        session, id, incident, by, supply=data["supply"], quantity=data["quantity"], for_team=data["for_team"],
        to_place=data.get("to_place"), note=data.get("note"), occurred_at=at,
    )  # fmt: skip
    return {"state": request.state}


@http.fact(blp, "/requests/<request>/movements/<id>", MovementBody, "Move supplies")
def move(session: Session, by: Standing, data: dict[str, Any], at: datetime, request: str, id: str) -> dict[str, Any]:
    """Approve, dispatch, receive, return, use or void; a step that does not fit is kept as a claim."""
    found = supplies.find(session, request)
    incidents.find(session, found.incident, by, unseen=supplies.unknown())
    if data["kind"] == "cancelled" and found.by == by.id:
        pass
    elif data["kind"] in RECEIVING:
        rights.require(by, "supply.receive", team=found.for_team)
    else:
        rights.require(by, "supply.move")
    movement = supplies.step(session, id, found, by, occurred_at=at, **data)
    if not movement.accepted and data["kind"] == "approved" and found.state == "approved":
        raise errors.Conflict("approved_already", "已批准。", "Approved already.", state={"state": found.state})
    return {"state": found.state, "accepted": movement.accepted, "sent": found.sent, "received": found.received}
