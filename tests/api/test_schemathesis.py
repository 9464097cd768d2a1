"""Generated requests for every operation the OpenAPI document describes: whatever comes, no answer is the server's fault."""

import os
from typing import Any

import orjson
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from werkzeug.datastructures import Headers
from werkzeug.exceptions import BadRequest
from werkzeug.test import EnvironBuilder

from tests.cast import Stage

schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")

CASES = int(os.environ.get("TOCSIN_TEST_CASES", "0"))
"""How many requests for each operation on each database; 0: the short form, a share of the long one's 500,000."""
SHORT = 6
DECLARED = {503, 507}
AS = ("admin", "commander", "visitors_one", "observer")
# What ends the session that asks, or holds a connection open.
LEFT_OUT = {("delete", "/api/v1/sessions/current"), ("get", "/api/v1/stream"), ("put", "/api/v1/me/password")}


def described(stage: Stage) -> Any:
    return schemathesis.openapi.from_dict(orjson.loads(stage["admin"].call("GET", "/openapi.json").get_data()))


def send(stage: Stage, name: str, case: Any) -> tuple[int, str] | None:
    """Send a generated request as the app would; None when it cannot be written as HTTP at all."""
    phone = stage[name]
    kwargs = case.as_transport_kwargs(base_url="http://localhost")
    headers = {"X-Tocsin": "1", "Origin": "http://localhost"}
    for key, value in kwargs["headers"].items():
        if key.lower() not in {"host", "content-length", "user-agent", "cookie"}:
            headers[key] = value
    try:
        data = kwargs.get("data")
        more: dict[str, Any] = {"json": kwargs["json"]} if kwargs.get("json") is not None else {"data": data}
        path = kwargs["url"].removeprefix("http://localhost")
        EnvironBuilder(path=path, headers=Headers(headers)).close()
        answer = phone.client.open(
            path, method=kwargs["method"], headers=headers, query_string=kwargs.get("params"), **more
        )
    except (BadRequest, UnicodeError, ValueError, TypeError):
        return None
    return answer.status_code, answer.get_data(as_text=True)[:500]


@pytest.mark.timeout(3600)
def test_no_generated_request_is_answered_with_an_error_of_the_server(shared_stage: Stage) -> None:
    sent, wrong = 0, []
    for found in described(shared_stage).get_all_operations():
        operation = found.ok()
        if (operation.method, operation.path) in LEFT_OUT:
            continue

        @settings(
            max_examples=CASES or SHORT, deadline=None, database=None, suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.generate], derandomize=not CASES,
        )  # fmt: skip
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            nonlocal sent
            shared_stage.app.extensions["tocsin_allowance"].reset()
            name = AS[sent % len(AS)]
            answer = send(shared_stage, name, case)
            if answer is None:
                return
            sent += 1
            if answer[0] >= 500 and answer[0] not in DECLARED:
                wrong.append((name, case.method, case.path, case.path_parameters, case.body, *answer))

        ask()
    assert wrong == []
    assert sent > 200
