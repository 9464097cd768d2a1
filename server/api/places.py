"""Places over HTTP, online only: their records, and the drawing of a site that its pins stand on."""

import os
import tempfile
from pathlib import Path
from typing import Any

from flask import Response, current_app, g, jsonify, make_response, request, send_file
from marshmallow import fields
from sqlalchemy import select
from sqlalchemy.orm import Session

from server.api import http, records
from server.api.fields import Body, Choice, Int, Number, Text, Uuid, Words
from server.clock import now
from server.config import Config
from server.db import new_id
from server.domain import errors, places, rights
from server.exports.pictures import PictureRefused, reencode

blp = http.blueprint("places")
MOST_BYTES = 4 * 1024 * 1024
PICTURES = ("image/jpeg", "image/png", "image/webp")


class PinBody(Body):
    """A point of the floor plan, 0 to 1 from its upper left corner."""

    x = Number(0, 1, places=4, required=True)
    y = Number(0, 1, places=4, required=True)


class PlaceBody(Body):
    """A place's record; degrees WGS 84."""

    parent = Uuid(allow_none=True)
    kind = Choice(*places.KINDS, required=True)
    title = fields.Nested(Words, required=True)
    code = Text(40, least=1, name=True, required=True)
    lat = Number(-90, 90, places=6, allow_none=True)
    lon = Number(-180, 180, places=6, allow_none=True)
    plan_pin = fields.Nested(PinBody, allow_none=True)
    capacity = Int(0, 10_000_000, allow_none=True)


@blp.route("/places/<place>", methods=["PUT"])
@blp.arguments(PlaceBody)
@blp.response(204)
def put_place(data: dict[str, Any], place: str) -> Response:
    """Create or change a place (online only)."""
    rights.require(g.standing, "place.change")

    def unit(session: Session) -> None:
        places.require_above(session, place, data.get("parent"))
        taken = session.scalar(select(places.Place.id).where(places.Place.code == data["code"]))
        if taken is not None and taken != place:
            raise errors.Conflict("code_taken", "该编号已被使用。", "This code is taken.", path="code")
        records.put(session, places.Place, place, data)

    http.write(unit)
    return make_response("", 204)


@blp.route("/places/<place>/floor-plan", methods=["PUT"])
@blp.response(200, description="Its name and its size in pixels, as the place now carries them.")
def put_floor_plan(place: str) -> Response:
    """Keep a picture (JPEG, PNG or WebP, at most 4 MB) as the floor plan of a place; it takes the place of a drawing."""
    rights.require(g.standing, "place.change")
    if request.mimetype not in PICTURES:
        raise http.BadJson("media_type", 415)
    http.read(lambda session: _known(session, place))
    raw = request.stream.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise http.BadJson("too_large", 413)
    drawing = _kept(raw)
    _carry(place, drawing)
    return jsonify(drawing)


@blp.route("/places/<place>/floor-plan", methods=["DELETE"])
@blp.response(204)
def remove_floor_plan(place: str) -> Response:
    """Take the floor plan of a place away."""
    rights.require(g.standing, "place.change")
    _carry(place, None)
    return make_response("", 204)


@blp.route("/floor-plans/<picture>", methods=["GET"])
@blp.response(200, content_type="image/jpeg", description="The picture; it never changes under this name.")
def show_floor_plan(picture: str) -> Response:
    """The picture of a floor plan, for everybody who is signed in."""
    path = next((one for one in _files(picture) if one.suffixes == [".jpg"]), None)
    if path is None or picture not in http.read(places.pictured):
        raise errors.NotFound("floor_plan_missing", "没有这张平面图。", "There is no such floor plan.")
    response: Response = send_file(path.resolve(), mimetype="image/jpeg", conditional=True)
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["Cache-Control"] = "private, max-age=31536000, immutable"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


def _folder() -> Path:
    config: Config = current_app.extensions["tocsin_config"]
    config.floor_plans_folder.mkdir(parents=True, exist_ok=True)
    return config.floor_plans_folder


def _files(picture: str) -> list[Path]:
    """The files of a picture; those of earlier versions lie among the photos."""
    names = (f"{picture}.jpg", f"{picture}.thumbnail.jpg")
    return [path for folder in (_folder(), _folder().parent) for name in names if (path := folder / name).is_file()]


def _carry(place: str, drawing: dict[str, Any] | None) -> None:
    """Let a place carry this floor plan; the files of the picture it carried count as laid aside from now on."""

    def unit(session: Session) -> str | None:
        found = _known(session, place)
        before, found.floor_plan = found.floor_plan, drawing
        return before.get("picture") if isinstance(before, dict) else None

    before, at = http.write(unit), now().timestamp()
    for file in _files(before) if before else ():
        os.utime(file.replace(_folder() / file.name), (at, at))


def _kept(raw: bytes) -> dict[str, Any]:
    """The floor plan a place carries for this picture, which is written anew beside the photos. Raises Refused."""
    folder, name = _folder(), new_id()
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        source = Path(scratch) / "source"
        source.write_bytes(raw)
        try:
            picture = reencode(source, folder / f"{name}.jpg", folder / f"{name}.thumbnail.jpg")
        except PictureRefused as refusal:
            raise errors.Refused(
                refusal.code, "文件不是可用的图片。", "The file is not a picture we can keep."
            ) from None
    return {"width": picture.width, "height": picture.height, "shapes": [], "picture": name}


def _known(session: Session, place: str) -> places.Place:
    found = session.get(places.Place, place, with_for_update=True)
    if found is None:
        raise errors.NotFound("place_unknown", "没有这个位置。", "There is no such place.")
    return found
