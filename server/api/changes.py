"""Changes: what a phone has missed, space by space, by the versions it has seen."""

import logging
from typing import Any, NamedTuple

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
MOST_SHARED = 20
"""Versions in a page that is kept for others until the next commit."""
LONGEST = 160
log = logging.getLogger("tocsin.changes")


class Cursors(fields.Dict):
    """Versions by space. A phone names up to thousands of them: usual ones are not handed to two fields each."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> dict[Any, Any]:
        if isinstance(value, dict) and all(map(_usual, value, value.values())):
            return value
        found: dict[Any, Any] = super()._deserialize(value, attr, data, **more)  # type: ignore[no-untyped-call]
        return found


def _usual(space: object, version: object) -> bool:
    plain = type(space) is str and len(space) <= LONGEST and space.isascii() and space.isprintable()
    return plain and type(version) is int and 0 <= version < 2**53


class ChangesBody(Body):
    """The versions a phone has seen; a space it does not name is sent from the start."""

    epoch = Text(60, allow_none=True)
    schema = Int(0, 1000, load_default=1)
    cursors = Cursors(keys=Text(LONGEST), values=Int(0), validate=validate.Length(max=5000), load_default=dict)
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
    known: _Latest | None = None if kept is None else kept.get(key)
    if known is not None and known.versions == cursors:
        content = _answer(epoch, [], [])
    else:
        content, latest = http.read(lambda session: _collect(session, cursors, data["limit"], epoch, known, kept))
        if kept is not None:
            kept[key] = latest
    return Response(content, content_type="application/json")


class _Latest(NamedTuple):
    """The versions of all spaces somebody may see, and with each the least version that a phone may be at."""

    versions: dict[str, int]
    bounds: dict[str, tuple[int, int]]


def _collect(
    session: Session,
    cursors: dict[str, int],
    limit: int,
    epoch: str,
    known: _Latest | None,
    kept: dict[Any, Any] | None,
) -> tuple[bytes, _Latest]:
    """The answer as JSON, documents joined as the text they were stored as; and the versions that it was made by."""
    if known is None:
        found = feed.versions(session, incidents.spaces(session, g.standing))
        known = _Latest({space: version for space, (version, _) in found.items()}, found)
    versions = known.bounds  # read before the rows: the other order loses what commits in between
    parts: list[bytes] = []
    left, size = limit, 0
    for space, (version, least) in versions.items():
        after = cursors.get(space, 0)
        reset = after > version or 0 < after < least
        after = 0 if reset else after
        if after == version and not reset and space in cursors:
            continue
        room = left > 0 and size < MOST_BYTES
        page = _page(session, space, after, version, left, kept) if room else feed.Page(0, after, b"")
        more = page.upto < version and (not room or page.rows == left)
        to = page.upto if more else version
        left -= page.rows
        size += len(page.text)
        said = f'{{"id":{_text(space)},"to":{to},"more":{_flag(more)},"reset":{_flag(reset)},"rows":['
        parts += (b"," if parts else b"", said.encode(), page.text, b"]}")
    drop = [space for space in cursors if space not in versions]
    if drop and (strange := _never_theirs(session, drop)):
        shown = ", ".join(repr(space) for space in strange[:5])
        log.warning(
            "person %s, device %s asked for %d spaces never theirs: %s", g.standing.id, g.device, len(strange), shown
        )
    return _answer(epoch, parts, drop), known


def _page(session: Session, space: str, after: int, upto: int, limit: int, kept: dict[Any, Any] | None) -> feed.Page:
    """A page of a space, read once for all who stand at the same version: what has just moved is asked for by everybody."""
    if kept is None or not 0 < upto - after <= MOST_SHARED:
        return feed.page(session, space, after, upto, limit)
    key = ("page of", space, after, upto, min(limit, MOST_SHARED))
    found: feed.Page | None = kept.get(key)
    if found is None:
        found = kept[key] = feed.page(session, space, after, upto, limit)
    return found


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


def _answer(epoch: str, parts: list[bytes], drop: list[str]) -> bytes:
    head = f'{{"epoch":{_text(epoch)},"server_time":{_text(iso(now()))},"spaces":['
    return b"".join((head.encode(), *parts, f'],"drop":{_text(drop)}}}'.encode()))


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()


def _flag(value: bool) -> str:
    return "true" if value else "false"
