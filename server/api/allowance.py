"""How much one caller may ask for: a coarse bound, so that a phone gone wrong does not starve the others."""

import time

from flask import Flask, g, request

from server.domain.errors import Throttled

MOST = 3000
WINDOW = 60.0


class Allowance:
    """Counts requests by caller and route within this process, a minute at a time."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str | None], int] = {}
        self._until = 0.0

    def take(self, caller: str, endpoint: str | None) -> None:
        """Count one request. Raises Throttled, with the seconds to the next minute, beyond 3,000 in this one."""
        at = time.monotonic()
        if at >= self._until:
            self.reset()
        key = (caller, endpoint)
        count = self._counts[key] = self._counts.get(key, 0) + 1
        if count > MOST:
            raise Throttled(
                "throttled", "请求过于频繁，请稍后再试。", "Too many requests, please wait.",
                retry_after=max(1, round(self._until - at)),
            )  # fmt: skip

    def reset(self) -> None:
        """Begin a minute with nothing counted."""
        self._counts.clear()
        self._until = time.monotonic() + WINDOW


def install(app: Flask) -> None:
    """Count every request, after the guards have said whose it is."""
    allowance = app.extensions["tocsin_allowance"] = Allowance()

    @app.before_request
    def count() -> None:
        # A session's requests, because a whole site may share one address; else the address's.
        allowance.take(getattr(g, "session", None) or request.remote_addr or "", request.endpoint)
