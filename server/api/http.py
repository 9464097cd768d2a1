"""The edge of the API: strict JSON in, problem+json out, guards before every request, and facts by PUT."""

import json
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, TypeVar

import orjson
from flask import Flask, Request, Response, current_app, g, request
from flask_smorest import Api, Blueprint
from marshmallow import Schema, ValidationError
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import HTTPException

from server.api.fields import Done, Problem, clean_id
from server.clock import now
from server.db import Database, Overloaded, StorageFull, plainly, refers_to_nothing
from server.domain import errors, facts
from server.domain.people import Standing

log = logging.getLogger("tocsin.api")
api = Api()
T = TypeVar("T")
MOST_BODY = 64 * 1024
MOST_BATCH = 256 * 1024
DEEPEST = 32
SKEW = timedelta(minutes=2)
OLDEST_SCHEMA = 1
"""The oldest form of facts and rows this server still takes and gives; an app below it must be updated first."""
STATUS: tuple[tuple[type[errors.Refused], int], ...] = (
    (errors.Unauthenticated, 401), (errors.Forbidden, 403), (errors.NotFound, 404), (errors.Conflict, 409),
    (errors.Gone, 410), (errors.Throttled, 429), (errors.Busy, 503), (errors.Full, 507),
    (errors.UpdateNeeded, 426), (errors.Refused, 422),
)  # fmt: skip
HTTP_CODES = {
    400: ("request_malformed", "请求格式有误。", "The request is malformed."),
    404: ("not_found", "没有找到。", "Not found."),
    405: ("method_not_allowed", "不支持此操作。", "This method is not allowed here."),
    406: ("not_acceptable", "无法按所要求的格式答复。", "No acceptable form of answer."),
    408: ("timeout", "请求超时。", "The request took too long."),
    413: ("too_large", "内容过大。", "The content is too large."),
    415: ("media_type", "内容类型不受支持。", "This content type is not supported."),
    429: ("throttled", "请求过于频繁，请稍后再试。", "Too many requests, please wait."),
}


class BadJson(Exception):
    """A body that is not the JSON it should be; `code` says why."""

    def __init__(self, code: str, status: int = 400) -> None:
        super().__init__(code)
        self.code, self.status = code, status


def strict_json(raw: bytes, most: int = MOST_BODY) -> Any:
    """Parse a JSON body. Raises BadJson for one too large, malformed, nested too deep, or with a key twice."""
    if len(raw) > most:
        raise BadJson("too_large", 413)
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise BadJson("json_invalid") from None
    if raw.count(b"{") + raw.count(b"[") > DEEPEST:  # only then it can be nested deeper
        _check(found, 0)
    _NO_KEY_TWICE.decode(raw.decode())  # the fast parser lets the last of two equal keys win
    return found


def _check(value: Any, depth: int) -> None:
    if depth > DEEPEST:
        raise BadJson("json_too_deep")
    if isinstance(value, dict):
        for one in value.values():
            _check(one, depth + 1)
    elif isinstance(value, list):
        for one in value:
            _check(one, depth + 1)


def _refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadJson("json_duplicate_key")
    return found


_NO_KEY_TWICE = json.JSONDecoder(object_pairs_hook=_refuse_twice)


class StrictParser(FlaskParser):
    """Reads bodies with strict_json and leaves errors to the problem handler."""

    DEFAULT_VALIDATION_STATUS = 422

    def load_json(self, req: Any, schema: Any) -> Any:
        return body()

    def handle_error(
        self, error: ValidationError, req: Any, schema: Any, *, error_status_code: Any, error_headers: Any
    ) -> Any:
        raise error


class NounBlueprint(Blueprint):  # type: ignore[misc]
    """A blueprint whose bodies are read strictly."""

    ARGUMENTS_PARSER = StrictParser()


def blueprint(noun: str) -> NounBlueprint:
    """The blueprint of one noun, under /api/v1."""
    return NounBlueprint(noun, noun, url_prefix="/api/v1", description="")


def body(most: int = MOST_BODY) -> dict[str, Any]:
    """The request's JSON object. Raises BadJson."""
    asked: Request = request._get_current_object()  # type: ignore[attr-defined]
    if asked.environ.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        raise BadJson("encoding_unsupported", 415)
    if asked.content_type != "application/json":
        charset = asked.mimetype_params.get("charset", "utf-8").lower()
        if asked.mimetype != "application/json" or charset not in {"utf-8", "utf8"}:
            raise BadJson("media_type", 415)
    length = asked.content_length
    if length is not None and length > most:
        raise BadJson("too_large", 413)
    found = strict_json(asked.get_data(cache=True), most)
    if not isinstance(found, dict):
        raise BadJson("json_not_object", 422)
    return found


def database() -> Database:
    """The database of this application."""
    return current_app.extensions["tocsin_database"]  # type: ignore[no-any-return]


def read(query: Callable[[Session], T]) -> T:
    """Run a read-only query in a session of its own."""
    with database().read() as session:
        return query(session)


def write(unit: Callable[[Session], T], *, long: bool = False) -> T:
    """Run a unit of work and commit it; a `long` one lets others go first. Raises Busy when the database is not in time.

    Whoever leads a shared commit runs the units of others too, so each carries its own request: without it one person's
    facts would be recorded as another's.
    """
    asker = copy_context()
    try:
        return database().write(lambda session: asker.run(unit, session), long=long)
    except Overloaded:
        raise errors.Busy from None
    except IntegrityError as error:
        raise clash(error) from None


def clash(error: IntegrityError) -> errors.Refused:
    """What is said of a row whose id another thing has, or that names a thing there is not."""
    if refers_to_nothing(error):
        return errors.Refused("reference_unknown", "引用的对象不存在。", "It refers to something that does not exist.")
    return errors.Conflict(
        "id_reused", "该编号已用于其他内容，原内容未改动。", "This id was used for other content; nothing changed."
    )


@dataclass(frozen=True)
class FactView:
    """How a PUT of a fact at `rule` is checked and done, for single requests and batches alike."""

    schema: Schema
    verb: Callable[..., dict[str, Any] | None]
    rule: str

    def path(self, ids: dict[str, str]) -> str:
        """The address in the one way it is written, however it was sent."""
        found = f"/api/v1{self.rule}"
        for name, id in ids.items():
            found = found.replace(f"<{name}>", id)
        return found


@dataclass(frozen=True)
class Sender:
    """Who sends facts: the person's standing, the device, and the sequence number in its queue."""

    standing: Standing
    device: str | None
    sequence: int | None = None


NAMED = frozenset({"key", "name", "version", "filename", "token"})
"""The parts of an address that are words and not ids."""
FACTS: dict[str, FactView] = {}


def fact(
    blp: Blueprint, rule: str, schema: type[Schema], summary: str
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make `verb(session, by, data, at, **ids)` answer PUTs of facts at `rule`, which ends with the fact's <id>.

    201 when it took effect now, 200 when it had before; the verb returns the state to tell, or None.
    """

    def wrap(verb: Callable[..., Any]) -> Callable[..., Any]:
        endpoint = f"{blp.name}.{verb.__name__}"
        known = FACTS[endpoint] = FactView(schema(), verb, rule)

        def view(**ids: str) -> Response:
            raw = body()
            data: dict[str, Any] = known.schema.load(raw)
            sender = Sender(g.standing, g.device)
            outcome, answer = write(lambda session: apply_fact(session, endpoint, dict(ids), raw, dict(data), sender))
            return Response(orjson.dumps(answer), 201 if outcome == "applied" else 200, content_type="application/json")

        view.__name__, view.__doc__ = verb.__name__, verb.__doc__
        # Described by hand: the library's wrappers for reading and answering would cost more than the fact itself.
        answers: dict[str, Any] = {
            str(status): {
                "description": HTTPStatus(status).phrase,
                "content": {"application/problem+json": {"schema": Problem}},
            }
            for status in (401, 403, 404, 409, 413, 415, 422, 503)
        }
        answers["201"] = {
            "description": "Took effect; 200 when it had before.", "content": {"application/json": {"schema": Done}},
        }  # fmt: skip
        asked = {"required": True, "content": {"application/json": {"schema": schema}}}
        decorated: Any = blp.doc(summary=summary, operationId=verb.__name__, requestBody=asked, responses=answers)(view)
        blp.route(rule, methods=["PUT"])(decorated)
        return verb

    return wrap


def apply_fact(
    session: Session,
    endpoint: str,
    ids: dict[str, str],
    raw: dict[str, Any],
    data: dict[str, Any],
    sender: Sender,
) -> tuple[str, dict[str, Any]]:
    """Record a fact and let it take effect; returns "applied" or "duplicate" and the answer body."""
    at = when(data.pop("occurred_at", None))
    view = FACTS[endpoint]
    envelope = facts.Envelope(ids["id"], view.path(ids), raw, sender.standing.id, sender.device, sender.sequence, at)

    def effect() -> dict[str, Any]:
        state = view.verb(session, sender.standing, data, at, **ids)
        return {"id": ids["id"], **({"state": state} if state else {})}

    result = facts.apply(session, envelope, effect)
    return result.outcome, result.body


def when(claimed: datetime | None) -> datetime:
    """The moment a fact counts as having happened: what the phone said, but never later than now."""
    received = now()
    return min(claimed, received) if claimed is not None else received


def require_schema(number: int) -> None:
    """Raise UpdateNeeded for an app so old that it would misread or misplace things."""
    if number < OLDEST_SCHEMA:
        raise errors.UpdateNeeded


def language() -> str:
    """The language to answer in: en when asked for first, else zh."""
    return request.accept_languages.best_match(["zh", "en"], "zh") or "zh"


def problem(
    status: int, code: str, zh: str, en: str, *, found: Sequence[Mapping[str, object]] | None = None, headers: dict[str, str] | None = None,
    state: object = None, **more: Any,
) -> Response:  # fmt: skip
    """A refusal as application/problem+json."""
    sentence = en if language() == "en" else zh
    content = {
        "type": f"/docs/problems#{code}", "title": sentence, "status": status, "code": code, "detail": sentence,
        "errors": found or [], "request_id": getattr(g, "request_id", ""), **({"state": state} if state is not None else {}), **more,
    }  # fmt: skip
    response = Response(orjson.dumps(content), status, content_type="application/problem+json")
    response.headers.update(headers or {})
    return response


def refusal(error: errors.Refused) -> Response:
    """How a refusal by the rules is answered."""
    status = next(code for kind, code in STATUS if isinstance(error, kind))
    retry = getattr(error, "retry_after", None)
    found = (
        [{"path": error.path, "code": error.code, "message": error.en if language() == "en" else error.zh}]
        if error.path
        else []
    )
    more = {"wipe": True} if error.code == "device_revoked" else {}
    headers = getattr(error, "headers", {}) | ({"Retry-After": str(retry)} if retry else {})
    return problem(
        status,
        error.code,
        error.zh,
        error.en,
        found=found,
        headers=headers,
        state=getattr(error, "state", None),
        **more,
    )


def invalid(error: ValidationError) -> Response:
    """How a body of the wrong shape is answered: 422 with the path of every field at fault."""
    return problem(
        422, "invalid", "填写内容有误，请检查标出的字段。", "Some fields are not right.", found=field_errors(error)
    )


def field_errors(error: ValidationError) -> list[dict[str, str]]:
    """The fields at fault as {path, code, message}, at most 20."""
    messages: dict[str, Any] = error.normalized_messages()  # type: ignore[no-untyped-call]
    if set(messages) == {"json"}:
        messages = messages["json"]
    found: list[dict[str, str]] = []

    def walk(path: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(f"{path}.{key}" if path else str(key)[:64], inner)
        elif len(found) < 20:
            said = "; ".join(str(one) for one in value) if isinstance(value, list) else str(value)
            code = {"Unknown field.": "unknown", "Missing data for required field.": "required"}.get(said, "invalid")
            found.append(
                {"path": path.removesuffix("._schema").removesuffix("_schema"), "code": code, "message": said[:200]}
            )

    walk("", messages)
    return found


def install(app: Flask) -> None:
    """Let the application answer every error as a problem and give every request a name."""

    @app.errorhandler(BadJson)
    def bad_json(error: BadJson) -> Response:
        return problem(error.status, error.code, "提交内容的格式有误。", "The body is not acceptable JSON.")

    app.register_error_handler(errors.Refused, refusal)
    app.register_error_handler(ValidationError, invalid)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        status = error.code or 500
        code, zh, en = HTTP_CODES.get(status, ("error", "出现错误。", "Something went wrong."))
        if status >= 500:
            # the rule and not the address, which may hold a token
            log.error("answered %s on %s", status, request.url_rule)
        response = problem(status, code, zh, en)
        for name in ("Allow", "Retry-After"):
            if name in (given := error.get_response().headers):
                response.headers[name] = given[name]
        return response

    @app.errorhandler(DBAPIError)
    def database_failed(error: DBAPIError) -> Response:
        plain = plainly(error)
        if plain is None:
            return unexpected(error)
        log.warning("the database failed on %s: %s", request.url_rule, type(error.orig).__name__)
        return refusal(errors.Full() if isinstance(plain, StorageFull) else errors.Busy())

    @app.errorhandler(PoolTimeout)
    def database_busy(error: PoolTimeout) -> Response:
        return refusal(errors.Busy())

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        log.exception("unexpected error on %s", request.url_rule)
        return problem(
            500, "internal", "服务器出现错误，内容已保留在本机。", "The server failed; your work is kept on the phone."
        )

    @app.before_request
    def name_request() -> None:
        g.request_id = secrets.token_hex(8)
        given = request.view_args or {}
        for name, value in given.items():
            found = value if name in NAMED else clean_id(value)
            if found is None or "\0" in value:
                raise errors.NotFound()
            given[name] = found
