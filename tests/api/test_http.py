"""A unit of work belongs to the request that asked for it, whoever runs it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask, g, request

from server.api import http


class Elsewhere:
    """A database whose units run where another request is being answered, as the leader of a shared commit runs them."""

    def __init__(self, app: Flask) -> None:
        self.app = app

    def write(self, unit: Callable[[Any], Any], *, long: bool) -> Any:
        """Run the unit inside a request of somebody else."""
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(self._lead, unit).result()

    def _lead(self, unit: Callable[[Any], Any]) -> Any:
        with self.app.test_request_context("/theirs"):
            g.standing = "theirs"
            return unit(None)


def test_a_unit_sees_its_own_request_when_another_leads_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is recorded in a shared commit stays the sender's own."""
    app = Flask(__name__)
    monkeypatch.setattr(http, "database", lambda: Elsewhere(app))
    with app.test_request_context("/mine"):
        g.standing = "mine"
        assert http.write(lambda session: (g.standing, request.path)) == ("mine", "/mine")
