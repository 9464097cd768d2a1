"""One kept-alive connection to a push service, with at most one request under way."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, cast

import structlog

from server.delivery.answers import Answer, AnswerReader

log = structlog.get_logger(__name__)

Fault = Literal[
    "timed_out", "unreachable", "not_resolved", "tls_failed", "broken", "blocked", "circuit_open", "not_built"
]


@dataclass(frozen=True, slots=True)
class Fallen:
    """No answer came: why, in one word, and the seconds to wait when those are known.

    Nothing about it says whether the service took the request.
    """

    fault: Fault
    retry_after: float | None = None


@dataclass(slots=True)
class Request:
    """A request waiting for a connection: `build` makes its bytes, `done` is told how it ended, exactly once."""

    build: Callable[[], bytes]
    done: Callable[[Answer | Fallen], None]
    urgent: bool = False
    repeated: bool = False


class Owner(Protocol):
    """Whoever hands a connection its requests."""

    loop: asyncio.AbstractEventLoop

    def serve(self, connection: "Connection") -> None:
        """The connection is free."""
        ...

    def answered(self, connection: "Connection", started: float, answer: Answer) -> None:
        """A request that was started then has its answer."""
        ...

    def again(self, request: Request) -> None:
        """The service had closed the connection before it read this one."""
        ...

    def fell(self) -> None:
        """A request ended without an answer."""
        ...

    def lost(self, connection: "Connection") -> None:
        """The connection is closed."""
        ...


class Connection(asyncio.Protocol):
    """One connection with at most one request under way."""

    __slots__ = ("_origin", "_reader", "_request", "_transport", "_used", "closed", "since")

    def __init__(self, origin: Owner) -> None:
        self._origin = origin
        self._reader = AnswerReader()
        self._request: Request | None = None
        self._used = False
        self.since = origin.loop.time()
        self.closed: asyncio.Future[None] = origin.loop.create_future()

    @property
    def busy(self) -> bool:
        return self._request is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its ancestry

    def start(self, request: Request) -> None:
        self._request = request
        self.since = self._origin.loop.time()
        self._reader.begin()
        try:
            raw = request.build()
        except Exception:  # one message that cannot be made must not stop the others
            log.exception("a push request could not be built")
            self._request = None
            request.done(Fallen("not_built"))
            self._origin.loop.call_soon(self._origin.serve, self)
            return
        self._transport.write(raw)

    def data_received(self, data: bytes) -> None:
        request = self._request
        if request is None:  # nothing was asked: not a service that keeps to HTTP
            self._transport.abort()
            return
        answer = self._reader.feed(data)
        if answer is None:
            return
        self._request = None
        self._used = True
        if not answer.reusable:
            self._transport.abort()
        started, self.since = self.since, self._origin.loop.time()
        request.done(answer)
        self._origin.answered(self, started, answer)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)
        request, self._request = self._request, None
        if request is not None:
            partial = self._reader.end()
            if partial is not None:
                request.done(partial)
            elif self._used and not self._reader.begun and not request.repeated:
                self._origin.again(request)
            else:
                request.done(Fallen("broken"))
                self._origin.fell()
        self._origin.lost(self)

    def abandon(self, fault: Fault) -> None:
        """Stop waiting: an answer whose head has come counts, anything less is a fault."""
        request, self._request = self._request, None
        partial = self._reader.end() if request is not None else None
        self._transport.abort()
        if request is not None:
            request.done(partial or Fallen(fault))
            if partial is None:
                self._origin.fell()
