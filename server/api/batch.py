"""Batches: up to 50 queued facts in order, each in a savepoint, one result each; a long one gives way to others between commits."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

from flask import Response, current_app, g, jsonify
from marshmallow import ValidationError, fields, validate
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from werkzeug.exceptions import HTTPException

from server.api import http
from server.api.doors import Door
from server.api.fields import Body, Choice, Int, Moment, Text, Uuid, clean_id
from server.clock import iso, now
from server.domain import errors, facts
from server.savepoints import savepoint

blp = http.blueprint("batch")
MOST_ITEMS = 50
FEW_ITEMS = 5
"""Up to so much is what somebody has just tapped: it goes ahead of those who bring what gathered in hours."""
TURN_SECONDS = 0.03
"""After so long a batch lets others write before it goes on."""
Applying = Callable[[Session, dict[str, Any]], dict[str, Any]]
DOOR = Door(inside=5, waiting=60, seconds=8.0)
"""Five share a commit, in about as long as one turn takes; with two, a fifth less came through and taps were no sooner."""


class ItemBody(Body):
    """One queued PUT: the fact's id, its place in the phone's queue, where it goes and what it says."""

    id = Uuid(required=True)
    seq = Int(0, required=True)
    method = Choice("PUT", load_default="PUT")
    path = Text(400, least=1, required=True)
    body = fields.Dict(required=True)
    occurred_at = Moment()


class BatchBody(Body):
    """What a phone has waiting, oldest first."""

    device = Uuid(required=True)
    person = Uuid()
    epoch = Text(60)
    schema = Int(0, 1000, load_default=1)
    items = fields.List(fields.Raw(allow_none=True), required=True, validate=validate.Length(max=10_000))


BATCH, ITEM = BatchBody(), ItemBody()
USUAL = {"id", "seq", "method", "path", "body"}


@blp.route("/batch", methods=["POST"])
@blp.response(200, description="One result for each item, in order.")
@blp.doc(
    summary="Send queued facts",
    requestBody={"required": True, "content": {"application/json": {"schema": BatchBody}}},
)
def send_batch() -> Response:
    """Send queued facts; a bad one never holds up the others."""
    data = http.body(http.MOST_BATCH)  # before the door: a slow link holds up nobody else
    items = data.get("items")
    long = isinstance(items, list) and len(items) > FEW_ITEMS
    with DOOR.inside() if long else nullcontext():
        results = _take(BATCH.load(data), long)
    return jsonify({"server_time": iso(now()), "epoch": current_app.extensions["tocsin_epoch"], "results": results})


def _take(data: dict[str, Any], long: bool) -> list[dict[str, Any]]:
    """Let a batch take effect in as many commits as it needs; what the database could not take after all is to be sent again."""
    http.require_schema(data["schema"])
    if len(data["items"]) > MOST_ITEMS:
        raise http.BadJson("too_many_items", 413)
    if data.get("epoch") and data["epoch"] != current_app.extensions["tocsin_epoch"]:
        raise errors.Conflict(
            "epoch_changed", "服务器数据已恢复，正在重新核对。", "The server was restored; checking again."
        )
    if data.get("person") and data["person"] != g.standing.id:
        raise errors.Conflict("wrong_person", "队列属于另一位使用者。", "This queue belongs to somebody else.")
    ways = _Ways()
    prepared = [_prepare(ways, raw) for raw in data["items"]]
    if data["device"] != g.device:
        refusal = errors.Forbidden("device_wrong", "设备与登录不符。", "The device is not the one signed in.")
        http.write(lambda session: _keep_all(session, prepared, refusal), long=long)
        raise refusal
    results: list[dict[str, Any]] = []
    while len(results) < len(prepared):
        left = prepared[len(results) :]
        try:
            results += http.write(partial(_apply_some, prepared=left), long=long)
        except errors.Busy as busy:
            if not results:
                raise
            results += [_later(one, busy) for one in left]
    return results


class _Ways:
    """Finds what paths are for; the items of a batch mostly go to the same place and differ in their own id alone."""

    def __init__(self) -> None:
        self._routes = current_app.url_map.bind("localhost")
        self._known: dict[str, tuple[str, dict[str, str | None]]] = {}

    def match(self, path: str) -> tuple[str, dict[str, str | None]]:
        """The endpoint and the ids in the path, None for one that is none. Raises HTTPException."""
        place, _, last = path.rpartition("/")
        id = clean_id(last)
        if id is not None and (known := self._known.get(place)) is not None:
            return known[0], {**known[1], "id": id}
        endpoint, ids = self._routes.match(path, method="PUT")
        clean = {name: value if name in http.NAMED else clean_id(value) for name, value in ids.items()}
        if ids.get("id") == last:
            self._known[place] = endpoint, clean
        return endpoint, clean


def _item(raw: Any) -> dict[str, Any]:
    """One item of the right shape: as the app sends it, looked at by hand, for fifty come at a time; else by the schema.

    Raises ValidationError.
    """
    if isinstance(raw, dict) and raw.keys() | {"method"} == USUAL:
        id, seq, path, body = clean_id(raw.get("id")), raw.get("seq"), raw.get("path"), raw.get("body")
        if (
            id is not None
            and type(seq) is int and 0 <= seq <= 2**53
            and raw.get("method", "PUT") == "PUT"
            and isinstance(path, str) and 1 <= len(path) <= 400 and path.isascii() and path.isprintable()
            and isinstance(body, dict)
        ):  # fmt: skip
            return {"id": id, "seq": seq, "method": "PUT", "path": path, "body": body}
    found: dict[str, Any] = ITEM.load(raw if isinstance(raw, dict) else {})
    return found


def _prepare(ways: _Ways, raw: Any) -> dict[str, Any]:
    """Check one item's shape and find what it is for; what is wrong becomes its result."""
    given = str(raw.get("id"))[:64] if isinstance(raw, dict) else None
    try:
        item = _item(raw)
        endpoint, clean = ways.match(item["path"].split("?")[0])
    except ValidationError as error:
        return {"result": _result(given, "refused", 422, "invalid", errors=http.field_errors(error))}
    except HTTPException:
        return {"result": _result(given, "refused", 404, "unknown_path")}
    view = http.FACTS.get(endpoint)
    if view is None or None in clean.values():
        return {"result": _result(item["id"], "refused", 404, "unknown_path")}
    if clean["id"] != item["id"]:
        return {"result": _result(item["id"], "refused", 422, "id_mismatch")}
    try:
        data = view.schema.load(item["body"])
        if "occurred_at" in item:
            data.setdefault("occurred_at", item["occurred_at"])
    except ValidationError as error:
        return {"item": item, "result": _result(item["id"], "refused", 422, "invalid", errors=http.field_errors(error))}
    return {"item": item, "endpoint": endpoint, "ids": clean, "data": data}


def _apply_some(session: Session, prepared: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Let as many of these take effect as one turn allows, at least one, and return their results.

    All in one savepoint, as they nearly always take effect; if one does not, begin again with one for each.
    """
    if all("endpoint" in one for one in prepared):
        try:
            with savepoint(session):
                return _in_turn(session, prepared, _applied)
        except (errors.Refused, IntegrityError):
            pass
    return _in_turn(session, prepared, _apply)


def _in_turn(session: Session, prepared: list[dict[str, Any]], apply: Applying) -> list[dict[str, Any]]:
    until, results = time.monotonic() + TURN_SECONDS, []
    for one in prepared:
        results.append(apply(session, one))
        if time.monotonic() >= until:
            break
    return results


def _applied(session: Session, one: dict[str, Any]) -> dict[str, Any]:
    item = one["item"]
    sender = http.Sender(g.standing, g.device, item["seq"])
    outcome, body = http.apply_fact(session, one["endpoint"], one["ids"], item["body"], dict(one["data"]), sender)
    session.flush()
    return _result(item["id"], outcome, 201 if outcome == "applied" else 200, body=body)


def _apply(session: Session, one: dict[str, Any]) -> dict[str, Any]:
    """Let one item take effect in a savepoint, or keep it as refused with the reason."""
    item = one.get("item")
    if item is None:
        return one["result"]  # type: ignore[no-any-return]
    sender = http.Sender(g.standing, g.device, item["seq"])
    if "result" in one:
        _keep(session, item, sender, errors.Refused("invalid", "填写内容有误。", "Some fields are not right."))
        return one["result"]  # type: ignore[no-any-return]
    refusal: errors.Refused | None = None
    for _ in range(2):  # an id that another request has just taken is a duplicate when looked at again
        try:
            with savepoint(session):
                return _applied(session, one)
        except errors.Refused as refused:
            refusal = refused
        except IntegrityError as error:
            refusal = http.clash(error)
        if refusal.code != "id_reused":
            break
    assert refusal is not None
    return _refused(session, item, sender, refusal)


def _refused(session: Session, item: dict[str, Any], sender: http.Sender, refusal: errors.Refused) -> dict[str, Any]:
    if isinstance(refusal, errors.Busy):
        return _later({"item": item}, refusal)
    status = next(code for kind, code in http.STATUS if isinstance(refusal, kind))
    _keep(session, item, sender, refusal)
    message = refusal.en if http.language() == "en" else refusal.zh
    found = [{"path": refusal.path, "code": refusal.code, "message": message}] if refusal.path else []
    outcome = "conflict" if isinstance(refusal, errors.Conflict) else "refused"
    body = {"state": refusal.state} if isinstance(refusal, errors.Conflict) and refusal.state is not None else None
    return _result(item["id"], outcome, status, refusal.code, message=message, errors=found, body=body)


def _later(one: dict[str, Any], busy: errors.Busy) -> dict[str, Any]:
    """The result of an item that keeps its place in the phone's queue; what has no such place is refused in any case."""
    return _result(one["item"]["id"], "retry_later", 503, busy.code) if "item" in one else one["result"]


def _keep_all(session: Session, prepared: list[dict[str, Any]], refusal: errors.Refused) -> None:
    """Keep what a phone tried that is not the one signed in; it may be sent again by the right one."""
    for item in (one["item"] for one in prepared if "item" in one):
        _keep(session, item, http.Sender(g.standing, g.device, item["seq"]), refusal)


def _keep(session: Session, item: dict[str, Any], sender: http.Sender, refusal: errors.Refused) -> None:
    envelope = facts.Envelope(
        item["id"],
        item["path"],
        item["body"],
        sender.standing.id,
        sender.device,
        sender.sequence,
        item.get("occurred_at"),
    )
    facts.keep_refused(session, envelope, refusal)


def _result(id: str | None, status: str, code: int, reason: str | None = None, **more: Any) -> dict[str, Any]:
    found = {"id": id, "status": status, "http": code, "code": reason, **more}
    return {name: value for name, value in found.items() if value is not None and value != []}
