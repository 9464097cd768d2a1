"""The roster over HTTP: a table of people looked at and taken over, and the devices of somebody who has lost one."""

import re
import unicodedata
from typing import Any

from flask import Response, g, jsonify
from marshmallow import ValidationError, fields
from sqlalchemy import select
from sqlalchemy.orm import Session

from server.api import http
from server.api.fields import Body, Flag
from server.clock import iso
from server.domain import devices, errors, people, rights, roster

blp = http.blueprint("roster")
LONGEST_TABLE = 80_000
"""Characters, about two thousand people: a table in Chinese still fits a request of 256 KiB."""

_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class Table(fields.String):
    """A table as it is pasted: tabs and any line end belong to it, no other control character does."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> str:
        text = str(super()._deserialize(value, attr, data, **more))
        if _FORBIDDEN.search(text):
            raise ValidationError("must not contain control characters")
        if not 0 < len(text) <= LONGEST_TABLE:
            raise ValidationError(f"must have 1 to {LONGEST_TABLE} characters")
        return unicodedata.normalize("NFC", text)


class TableBody(Body):
    """A pasted table with a heading line; `preview` only says what it would do."""

    text = Table(required=True)
    preview = Flag(load_default=False)


@blp.route("/people/imports", methods=["POST"])
@blp.doc(requestBody={"required": True, "content": {"application/json": {"schema": TableBody}}})
@blp.response(200, description="What the table says, and whether it was taken over.")
def import_people() -> Response:
    """Take people over from a table: all of them or, with any fault, none (online only)."""
    rights.require(g.standing, "person.change")
    data = TableBody().load(http.body(http.MOST_BATCH))

    def look(session: Session) -> roster.Reading:
        return roster.read(session, data["text"], g.standing.id)

    def unit(session: Session) -> roster.Reading:
        found = look(session)
        if not found.faults:
            roster.apply(session, found.people)
        return found

    found = http.read(look) if data["preview"] else http.write(unit)
    english = http.language() == "en"
    faults = [
        {"line": one.line, "path": one.field, "code": one.code, "message": one.en if english else one.zh}
        for one in found.faults
    ]
    if faults and not data["preview"]:
        return http.problem(
            422,
            "table_unfit",
            "表格有误，没有导入任何人。",
            "The table has faults; nobody was taken over.",
            found=faults,
        )
    lines = [
        {
            "line": one.line, "username": one.username, "name": one.name, "role": one.role, "phone": one.phone,
            "locale": one.locale, "known": one.known, "posts": [{"team": team, "role": post} for team, post in one.posts],
        }
        for one in found.people
    ]  # fmt: skip
    return jsonify({"people": lines, "errors": faults, "done": not data["preview"]})


@blp.route("/people/<person>/devices", methods=["GET"])
@blp.response(200, description="Their devices that are not shut out.")
def list_devices(person: str) -> Response:
    """Somebody's devices, newest first: for those who may shut a lost one out."""

    def query(session: Session) -> list[dict[str, Any]]:
        theirs = people.standing(session, person)
        if not rights.may_shut_out(g.standing, theirs):
            raise errors.Forbidden()
        found = session.scalars(
            select(devices.Device)
            .where(devices.Device.person == person, devices.Device.revoked_at.is_(None))
            .order_by(devices.Device.last_seen_at.desc(), devices.Device.id)
        )
        return [
            {**(one.document(session, "") or {}), "current": one.id == g.device, "created_at": iso(one.created_at)}
            for one in found
        ]

    return jsonify({"devices": http.read(query)})
