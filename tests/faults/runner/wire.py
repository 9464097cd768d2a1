"""One phone's connection: plain HTTP that can be cut off before the server has heard all, or before it has answered."""

import json
import socket
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any

WHOLE, BEFORE, AFTER, UNHEARD = "", "before", "after", "unheard"
"""Not cut; cut while the request is sent; cut once it is sent; cut when the server has committed and answered."""
SECONDS = 15.0


class Lost(Exception):
    """No answer came, so nobody on this side knows what the server did."""


@dataclass(frozen=True)
class Reply:
    """A server's answer; `body` is parsed JSON where it was JSON."""

    status: int
    headers: dict[str, str]
    body: Any


class Wire:
    """Keeps one connection open and the session's cookie; not for two threads at once."""

    def __init__(self, port: int, cookie: str = "") -> None:
        self.port, self.cookie = port, cookie
        self._connection: HTTPConnection | None = None

    def call(self, method: str, path: str, body: Any = None, cut: str = WHOLE, **headers: str) -> Reply:
        """One request under /api/v1; `body` is JSON, or bytes sent as they are. Raises Lost."""
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        sent = {"X-Tocsin": "1", "Accept-Language": "en", "Content-Length": str(len(raw))}
        if body is not None and not isinstance(body, bytes):
            sent["Content-Type"] = "application/json"
        if self.cookie:
            sent["Cookie"] = f"tocsin={self.cookie}"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            return self._exchange(method, f"/api/v1{path}", raw, sent, cut)
        except (OSError, HTTPException, ValueError):
            self.hang_up()
            raise Lost from None

    def connect(self) -> None:
        """Have a connection. Raises Lost when nobody takes it."""
        try:
            self._connected()
        except OSError:
            self.hang_up()
            raise Lost from None

    def hang_up(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _exchange(self, method: str, path: str, raw: bytes, headers: dict[str, str], cut: str) -> Reply:
        connection = self._connected()
        connection.putrequest(method, path, skip_host=True)
        connection.putheader("Host", f"localhost:{self.port}")
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(raw[: len(raw) // 2] if cut == BEFORE else raw)
        if cut in (BEFORE, AFTER):
            self.hang_up()
            raise Lost
        answer = connection.getresponse()
        found = answer.read()
        if cut == UNHEARD:
            self.hang_up()
            raise Lost
        for cookie in answer.headers.get_all("Set-Cookie", []):
            name, _, value = cookie.partition(";")[0].partition("=")
            if name == "tocsin":
                self.cookie = value
        kind = answer.headers.get_content_type()
        parsed = json.loads(found) if found and kind.endswith("json") else None
        return Reply(answer.status, {name.lower(): value for name, value in answer.headers.items()}, parsed)

    def _connected(self) -> HTTPConnection:
        if self._connection is None:
            self._connection = HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
            self._connection.connect()
            self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._connection
