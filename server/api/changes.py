"""Changes: what a phone has missed, space by space, by the versions it has seen."""

import logging
from typing import Any

import orjson
from flask import Response, current_app, g
from marshmallow import fields, validate
from sqlalchemy import select
from sqlalchemy.orm import Session

from server.api import http
from server.api.fields import Body, Int, Text
from server.clock import iso, now
from server.domain import feed, incidents, people

blp = http.blueprint("changes")
PAGE, MOST = 500, 1000
MOST_BYTES = 1024 * 1024
log = logging.getLogger("tocsin.changes")


class ChangesBody(Body):
    """The versions a phone has seen; a space it does not name is sent from the start."""

    epoch = Text(60, allow_none=True)
    schema = Int(0, 1000, load_default=1)
    cursors = fields.Dict(keys=Text(160), values=Int(0), validate=validate.Length(max=5000), load_default=dict)
    limit = Int(1, MOST, load_default=PAGE)


CHANGES = ChangesBody()


@blp.route("/changes", methods=["POST"])
@blp.response(200, description="Rows by space, and the spaces to drop.")
@blp.doc(
    requestBody={"required": True, "content": {"application/json": {"schema": ChangesBody}}},
    responses={"422": "UNPROCESSABLE_ENTITY"},
)
def pull() -> Response:
    """Pull what changed since the versions given."""
    data: dict[str, Any] = CHANGES.load(http.body())
    http.require_schema(data["schema"])
    epoch: str = current_app.extensions["tocsin_epoch"]
    cursors = data["cursors"] if data.get("epoch") in (None, epoch) else {}
    kept = http.database().kept()  # before anything is read
    key = ("spaces of", g.standing.id, now().replace(second=0, microsecond=0))
    if kept is not None and kept.get(key) == cursors:
        content = _answer(epoch, [], [])
    else:
        content, latest = http.read(lambda session: _collect(session, cursors, data["limit"], epoch))
        if kept is not None:
            kept[key] = latest
    return Response(content, content_type="application/json")


def _collect(session: Session, cursors: dict[str, int], limit: int, epoch: str) -> tuple[bytes, dict[str, int]]:
    """The answer as JSON, documents joined as the text they were stored as; and the versions of all spaces they may see."""
    allowed = incidents.spaces(session, g.standing)
    versions = feed.versions(session, allowed)  # before the rows: the other order loses what commits in between
    parts: list[str] = []
    left, size = limit, 0
    for space in allowed:
        version, least = versions[space]
        after = cursors.get(space, 0)
        reset = after > version or 0 < after < least
        after = 0 if reset else after
        if after == version and not reset and space in cursors:
            continue
        rows = feed.page(session, space, after, version, left + 1) if left > 0 and size < MOST_BYTES else []
        more = len(rows) > left or (left <= 0 or size >= MOST_BYTES) and after < version
        rows = rows[: max(left, 0)]
        told = [_row(*row) for row in rows if row[3] is not None or after > 0]
        to = rows[-1][2] if more and rows else after if more else version
        left -= len(rows)
        size += sum(len(text) for text in told)
        parts.append(
            f'{{"id":{_text(space)},"to":{to},"more":{_flag(more)},"reset":{_flag(reset)},"rows":[{",".join(told)}]}}'
        )
    drop = [space for space in cursors if space not in versions]
    if drop and (strange := _never_theirs(session, drop)):
        shown = ", ".join(repr(space) for space in strange[:5])
        log.warning(
            "person %s, device %s asked for %d spaces never theirs: %s", g.standing.id, g.device, len(strange), shown
        )
    return _answer(epoch, parts, drop), {space: version for space, (version, _) in versions.items()}


def _never_theirs(session: Session, spaces: list[str]) -> list[str]:
    """Those of the refused spaces that no team they have left explains: an honest phone has no cursor for them."""
    me = g.standing.id
    teams = set(session.scalars(select(people.Membership.team).where(people.Membership.person == me)))
    joined = select(incidents.IncidentTeam.incident).where(incidents.IncidentTeam.team.in_(teams))
    took_part = set(session.scalars(joined))

    def explained(space: str) -> bool:
        match space.split(":"):
            case ["contacts" | "plans"]:
                return True  # their role was another one
            case ["contacts", team]:
                return team in teams
            case ["incident", incident, "team", team]:
                return incident in took_part and team in teams
            case ["incident", incident] | ["incident", incident, "numbers" | "command"]:
                return incident in took_part
        return False

    return [space for space in spaces if not explained(space)]


def _answer(epoch: str, parts: list[str], drop: list[str]) -> bytes:
    head = f'{{"epoch":{_text(epoch)},"server_time":{_text(iso(now()))},"spaces":[{",".join(parts)}],"drop":{_text(drop)}}}'
    return head.encode()


def _row(kind: str, id: str, version: int, document: str | None) -> str:
    if document is None:
        return f'{{"type":"{kind}","id":"{id}","version":{version},"op":"del"}}'
    return f'{{"type":"{kind}","id":"{id}","version":{version},"op":"put","doc":{document}}}'


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()


def _flag(value: bool) -> str:
    return "true" if value else "false"
