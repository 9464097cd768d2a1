"""Bad input at every route that takes a body: a 4xx with a code, a sentence and the field, never a 5xx, nothing changed.

The ids J1 to J59 are those of the catalogue of bad inputs this product answers for.
"""

import copy
import json
from typing import Any

import pytest
from marshmallow import Schema, ValidationError
from werkzeug.test import TestResponse

from server.api import http
from server.api.batch import BatchBody
from server.api.changes import ChangesBody
from server.api.plans import PlanBody
from server.api.roster import TableBody
from server.db import new_id
from tests.api.rights import PRINCIPALS, ROWS
from tests.api.test_rights import fill, rehearsal
from tests.cast import Phone, Stage
from tests.situation import full_swing

WRITES = {name: row for name, row in ROWS.items() if isinstance(row.body, dict)}
BY_HAND: dict[str, type[Schema]] = {
    "batch.send_batch": BatchBody,
    "plans.import_plan": PlanBody,
    "plans.check_plan": PlanBody,
    "roster.import_people": TableBody,
    "changes.pull": ChangesBody,
}
FOREIGN = (
    "incident",
    "alert",
    "order",
    "item",
    "report",
    "request",
    "drill",
    "team",
    "person",
    "duty",
    "notice",
    "device",
)
DEEP = {"sixty_five": 65, "a_thousand": 1000, "thirty_thousand": 30_000}
UNREADABLE: dict[str, tuple[bytes, set[int]]] = {
    "J1_empty": (b"", {400}),
    "J2_cut": (b'{"a": "b', {400}),
    "J3_null": (b"null", {422}),
    "J3_number": (b"5", {422}),
    "J3_text": (b'"x"', {422}),
    "J3_list": (b"[]", {422}),
    "J4_more": (b"{}x", {400}),
    "J5_comma": (b'{"a":1,}', {400}),
    "J5_comment": (b"{/*a*/}", {400}),
    "J5_quotes": (b"{'a':1}", {400}),
    "J5_nan": (b'{"a":NaN}', {400}),
    "J5_infinity": (b'{"a":-Infinity}', {400}),
    "J5_huge_exponent": (b'{"a":1e999}', {400}),
    "J5_huge_number": (b'{"a":' + b"9" * 5000 + b"}", {400}),
    **{f"J7_deep_{name}": (b'{"a":' + b"[" * n + b"]" * n + b"}", {400}) for name, n in DEEP.items()},
    "J7_deep_hundred_thousand": (b"[" * 100_000, {400, 413}),
    "J8_keys": (json.dumps({f"k{n}": n for n in range(100_000)}).encode(), {400, 413}),
    "J11_twice": (b'{"zz":1,"zz":2}', {400}),
    "J18_surrogate": (b'{"a":"\\ud800"}', {400}),
    "J29_latin": ('{"a":"é"}'.encode("latin-1"), {400}),
    "J29_overlong": (b'{"a":"\xc0\xaf"}', {400}),
    "J29_utf16": ('{"a":1}'.encode("utf-16"), {400}),
    "J29_mark": (b"\xef\xbb\xbf{}", {400}),
    "J35_large": (b'{"a":"' + b"x" * (260 * 1024) + b'"}', {413}),
}
KINDS_OF_BODY: dict[str, tuple[dict[str, str], set[int]]] = {
    "J31_text": ({"Content-Type": "text/plain"}, {415}),
    "J32_form": ({"Content-Type": "application/x-www-form-urlencoded"}, {415}),
    "J32_multipart": ({"Content-Type": "multipart/form-data; boundary=x"}, {415}),
    "J33_utf16": ({"Content-Type": "application/json; charset=utf-16"}, {415}),
    "J34_gzip": ({"Content-Encoding": "gzip"}, {415}),
    "J34_br": ({"Content-Encoding": "br, gzip"}, {415}),
}
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1.9, 2**63, -(2**63), 2**64, 1e300, "", " 12 ", "١٢", "x\0y", "x\x1by", "\u202eevil", "x" * 60_000,
    [], [[]], {}, {"zh": 5}, ["x"] * 600, "2026-02-30T00:00:00Z", "2026-01-01T24:30:00Z", "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59", "2026-11-23T02:00:00", "2026-W10-1", "00000000-0000-0000-0000-000000000000", "{ABC}",
    "' OR 1=1 --", "=HYPERLINK(1)", "<script>", "received ", "RECEIVED", "2026-11-23T02:00:00+25:00",
)  # fmt: skip
PATH_PARTS = (
    str(2**63),
    "-1",
    "1e3",
    "%00",
    "..",
    "x" * 300,
    "00000000-0000-0000-0000-000000000000",
    "%2f",
    "a;b=c",
    "²",
)


@pytest.fixture(scope="module")
def ids(shared_stage: Stage) -> dict[str, str]:
    """The ids of everything in the incident the bad input is about."""
    return full_swing(shared_stage)


def sender(stage: Stage, endpoint: str) -> Phone:
    """A phone that may use the route, so that nothing but the input is at fault."""
    row = WRITES[endpoint]
    best = min(PRINCIPALS, key=lambda name: (row.expected(name) >= 300, name != "commander"))
    return stage[best]


def check(answer: TestResponse, allowed: set[int] | None = None) -> None:
    """A refusal is a problem with everything in it; `allowed` are the statuses that may come, else any below 500."""
    status = answer.status_code
    assert status < 500, answer.get_data(as_text=True)
    if allowed is not None:
        assert status in allowed, answer.get_data(as_text=True)
    if status >= 400:
        told = answer.get_json()
        assert answer.content_type == "application/problem+json"
        assert {"type", "title", "status", "code", "detail", "errors", "request_id"} <= set(told)
        assert told["status"] == status
        assert told["title"]
        assert told["code"] == told["code"].lower()
        assert "Traceback" not in answer.get_data(as_text=True)
        assert len(answer.get_data()) < 12_000


def send(
    phone: Phone,
    endpoint: str,
    known: dict[str, str],
    body: Any = ...,
    *,
    raw: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> TestResponse:
    """A request to the route with this body, or with raw bytes."""
    row = WRITES[endpoint]
    known = {"new": new_id(), "my_device": phone.device, **known}
    path = "/api/v1" + fill(row.path, known)
    content = fill(copy.deepcopy(row.body), known) if body is ... else body
    data = json.dumps(content).encode() if raw is None else raw
    given = {"X-Tocsin": "1", "Content-Type": "application/json", "Accept-Language": "en", **(headers or {})}
    client = Phone(phone.app, phone.name, phone.person, phone.device, phone.token).client
    return client.open(path, method=row.method, data=data, headers=given)


@pytest.mark.parametrize("endpoint", WRITES)
def test_what_cannot_be_read(shared_stage: Stage, ids: dict[str, str], endpoint: str) -> None:
    phone = sender(shared_stage, endpoint)
    if not shared_stage.database.is_sqlite:
        return  # nothing of it reaches a database
    for raw, allowed in UNREADABLE.values():
        check(send(phone, endpoint, ids, raw=raw), allowed)
    for headers, allowed in KINDS_OF_BODY.values():
        check(send(phone, endpoint, ids, headers=headers), allowed)


@pytest.mark.parametrize("endpoint", WRITES)
def test_unknown_fields_and_mass_assignment(shared_stage: Stage, ids: dict[str, str], endpoint: str) -> None:
    """J9, J10: a field that is not the route's is named and nothing of the body applied."""
    phone = sender(shared_stage, endpoint)
    full = fill(copy.deepcopy(WRITES[endpoint].body), {**ids, "my_device": phone.device, "new": new_id()})
    for field in ("surprise", "is_admin", "created_at", "revision", "author_id", "received_at", "by"):
        answer = send(phone, endpoint, ids, {**full, field: "x"})
        check(answer, {422})
        assert {"path": field, "code": "unknown"}.items() <= next(
            one for one in answer.get_json()["errors"] if one["path"] == field
        ).items()


@pytest.mark.parametrize("endpoint", WRITES)
def test_wrong_values_in_every_field(shared_stage: Stage, ids: dict[str, str], endpoint: str) -> None:
    """J13 to J28: every field of the schema with every kind of wrong value; what the schema takes is sent to the end."""
    phone = sender(shared_stage, endpoint)
    full = fill(copy.deepcopy(WRITES[endpoint].body), {**ids, "my_device": phone.device, "new": new_id()})
    schema = schema_of(shared_stage, endpoint)
    with rehearsal(shared_stage.database):
        for field in sorted(field.data_key or name for name, field in schema.load_fields.items()):
            refused = []
            for value in VALUES:
                body = {**full, field: value}
                try:
                    schema.load(copy.deepcopy(body))
                except ValidationError:
                    refused.append(body)
                else:
                    # The stricter database has the word here; and a password hash for each value would take too long.
                    if not shared_stage.database.is_sqlite and endpoint not in {
                        "session.sign_in",
                        "session.change_password",
                    }:
                        check(send(phone, endpoint, ids, body))
            for body in refused[:1]:
                answer = send(phone, endpoint, ids, body)
                check(answer, {422})
                assert any(one["path"].startswith(field) for one in answer.get_json()["errors"])


def schema_of(stage: Stage, endpoint: str) -> Schema:
    """The schema that checks the route's body."""
    if endpoint in http.FACTS:
        return http.FACTS[endpoint].schema
    if endpoint in BY_HAND:
        return BY_HAND[endpoint]()
    view: Any = stage.app.view_functions[endpoint]
    described = view._apidoc["arguments"]["parameters"]
    found: type[Schema] = described[0]["schema"]
    return found()


@pytest.mark.parametrize("endpoint", [name for name, row in WRITES.items() if "{" in row.path])
def test_foreign_ids_in_path_and_body(shared_stage: Stage, ids: dict[str, str], endpoint: str) -> None:
    """J45, J46, J56: an id of another thing, or none at all, where an id is expected, the fact's own included."""
    row, phone = WRITES[endpoint], sender(shared_stage, endpoint)
    names = [part[1:-1] for part in row.path.split("/") if part.startswith("{")]
    foreign = [ids[name] for name in FOREIGN]
    with rehearsal(shared_stage.database):
        for name in names:
            for part in PATH_PARTS:
                answer = send(phone, endpoint, {**ids, name: part})
                assert answer.status_code in {308, 400, 404, 405}, (name, part, answer.status_code)
            for id in foreign:
                check(send(phone, endpoint, {**ids, name: id}))
        full = fill(copy.deepcopy(row.body), {**ids, "new": new_id(), "my_device": phone.device})
        for field, value in full.items():
            for id in [*foreign, new_id()] if isinstance(value, str) and len(value) == 36 else ():
                check(send(phone, endpoint, ids, {**full, field: id}))


@pytest.mark.parametrize("endpoint", WRITES)
def test_writes_of_another_site(shared_stage: Stage, ids: dict[str, str], endpoint: str) -> None:
    """J40, J41: the browser says where a request comes from, and a form of another page cannot set our header."""
    phone = sender(shared_stage, endpoint)
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        answer = send(phone, endpoint, ids, headers=headers)
        check(answer, {403})
        assert answer.get_json()["code"] == "cross_site"
    if not endpoint.startswith(("tokens.", "session.sign_in", "session.use_enrolment")):
        check(send(phone, endpoint, ids, headers={"X-Tocsin": "0"}), {403})


def test_the_right_way_of_writing_the_same_id(stage: Stage) -> None:
    """J16: capitals and missing dashes are put right, in the path as in the body."""
    id, body = new_id(), {"title": "停电", "occurred_at": "2026-11-23T01:59:00+00:00"}
    phone = stage["visitors_one"]
    phone.put(f"/incidents/{id.upper()}", body, 201)
    phone.put(f"/incidents/{id.replace('-', '')}", body, 200)
    phone.put(f"/incidents/{id}", body, 200)


def test_methods_and_addresses_that_are_not_there(shared_stage: Stage) -> None:
    """J46, J47: 404 and 405 are problems as well, in the language asked for."""
    phone = shared_stage["commander"]
    for method, path, status in (
        ("GET", "/api/v1/nothing", 404), ("POST", f"/api/v1/incidents/{new_id()}", 405), ("PROPFIND", "/api/v1/me", 405),
        ("GET", "/api/v1//me", 404), ("DELETE", "/api/v1/batch", 405),
    ):  # fmt: skip
        answer = phone.client.open(path, method=method, headers={"X-Tocsin": "1", "Accept-Language": "zh"})
        if answer.status_code != 308:
            check(answer, {status})
            assert any("\u4e00" <= letter <= "\u9fff" for letter in answer.get_json()["title"])


def test_cookies_that_are_no_session(shared_stage: Stage) -> None:
    """J43, J44: two cookies, a huge one, garbage."""
    good = shared_stage.cast.tokens["commander"]
    for cookie in (
        f"tocsin={good}; tocsin={good}",
        "tocsin=" + "x" * 8000,
        "tocsin=%ff%fe",
        "tocsin=",
        f"tocsin={good}x",
    ):
        answer = shared_stage.anonymous().client.get("/api/v1/me", headers={"Cookie": cookie})
        check(answer, {401})
