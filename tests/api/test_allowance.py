"""The coarse bound on requests: one phone gone wrong is told to wait, and nobody else is."""

import pytest

from server.api.allowance import MOST, Allowance
from server.domain.errors import Throttled
from tests.cast import Stage


def test_beyond_the_bound_one_session_waits_and_others_do_not(stage: Stage) -> None:
    allowance: Allowance = stage.app.extensions["tocsin_allowance"]
    phone, other = stage["security_one"], stage["security_two"]
    phone.get("/me")
    (caller, endpoint), = [key for key in allowance._counts if key[1] == "session.me"]  # fmt: skip
    for _ in range(MOST - 1):
        allowance.take(caller, endpoint)
    refused = phone.call("GET", "/me")
    assert refused.status_code == 429
    assert refused.get_json()["code"] == "throttled"
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    other.get("/me")
    phone.get("/health/live")
    allowance.reset()
    phone.get("/me")


def test_a_window_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    at = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: at[0])
    allowance = Allowance()
    for _ in range(MOST):
        allowance.take("somebody", "route")
    with pytest.raises(Throttled):
        allowance.take("somebody", "route")
    at[0] += 61
    allowance.take("somebody", "route")
