"""Supplies over HTTP: requests, their movements, and the shelf."""

from datetime import datetime
from typing import Any

from flask import Response, g, make_response
from marshmallow import fields, validate
from sqlalchemy import select
from sqlalchemy.orm import Session

from server.api import http, records
from server.api.fields import Body, Choice, Fact, Flag, Int, Moment, Text, Uuid, Words
from server.domain import errors, incidents, places, rights, supplies
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


class NumbersBody(Body):
    """The numbers from the first to the last, both included."""

    first = Int(0, 2_000_000_000, required=True)
    last = Int(0, 2_000_000_000, required=True)


class SupplyBody(Body):
    """A supply's record; `numbers` are all ranges that numbered goods were ever stocked with, left out they stay."""

    key = Text(80, least=1, name=True, required=True)
    title = fields.Nested(Words, required=True)
    unit = fields.Nested(Words, required=True)
    place = Uuid(allow_none=True)
    quantity = Int(0, 100_000_000, required=True)
    minimum = Int(0, 100_000_000, load_default=0)
    serial = Flag(load_default=False)
    numbers = fields.List(fields.Nested(NumbersBody), validate=validate.Length(max=200))
    expires_at = Moment(allow_none=True)


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


@blp.route("/supplies/<supply>", methods=["PUT"])
@blp.arguments(SupplyBody)
@blp.response(204)
def put_supply(data: dict[str, Any], supply: str) -> Response:
    """Create or change a supply (online only)."""
    rights.require(g.standing, "supply.stock")
    numbers = data.pop("numbers", None)

    def unit(session: Session) -> None:
        taken = session.scalar(select(supplies.Supply.id).where(supplies.Supply.key == data["key"]))
        if taken is not None and taken != supply:
            raise errors.Conflict("key_taken", "该编号已被使用。", "This key is taken.", path="key")
        places.known(session, data.get("place"))
        goods = records.put(session, supplies.Supply, supply, data)
        if numbers is not None:
            supplies.number(goods, [(one["first"], one["last"]) for one in numbers])

    http.write(unit)
    return make_response("", 204)
