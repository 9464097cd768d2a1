"""POST requests to push services over kept-alive connections: no redirects, a hard deadline, a few kB read at most.

Each origin has its own connections and queue, so a dead or slow service delays only its own messages. A request is
built at the moment a connection is free: nothing is encrypted early, and a fan-out needs no task per message.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, cast

import structlog

from server.delivery.answers import Answer, AnswerReader
from server.delivery.circuits import Circuit
from server.domain.push_endpoints import Endpoint, is_public_address

log = structlog.get_logger(__name__)

Fault = Literal[
    "timed_out", "unreachable", "not_resolved", "tls_failed", "broken", "blocked", "circuit_open", "not_built"
]
Resolver = Callable[[str, int], Awaitable[list[str]]]


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


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of the transport; times in seconds."""

    deadline: float = 5.0
    """From taking a request off the queue to the end of its answer; connecting has the same."""
    idle: float = 55.0
    """A connection unused for so long is closed; services close theirs after a minute or more."""
    few: int = 32
    """Connections per origin as long as answers are quick."""
    most: int = 1024
    """Connections per origin once answers take longer than `slow`."""
    slow: float = 0.010
    addresses_kept: float = 60.0


async def resolve(host: str, port: int) -> list[str]:
    """The host's addresses as the system's resolver gives them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=1)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Transport:
    """All origins this process speaks to. Use inside one event loop; `close()` at the end."""

    def __init__(
        self,
        test_origins: frozenset[str] = frozenset(),
        bounds: Bounds | None = None,
        tls: ssl.SSLContext | None = None,
        resolver: Resolver = resolve,
    ) -> None:
        """`test_origins` are exempt from the public-address rule and may be plain http."""
        self.bounds = bounds or Bounds()
        self.test_origins = test_origins
        self.tls = tls or ssl.create_default_context()
        self.resolver = resolver
        self._origins: dict[str, _Origin] = {}

    def submit(self, endpoint: Endpoint, request: Request) -> None:
        """Queue a request; urgent ones go before all others of their origin."""
        origin = self._origins.get(endpoint.origin)
        if origin is None:
            if not endpoint.tls and endpoint.origin not in self.test_origins:
                request.done(Fallen("blocked"))
                return
            origin = self._origins[endpoint.origin] = _Origin(self, endpoint)
        origin.submit(request)

    async def post(self, endpoint: Endpoint, build: Callable[[], bytes], urgent: bool = False) -> Answer | Fallen:
        """Send one request and wait for its end."""
        ended: asyncio.Future[Answer | Fallen] = asyncio.get_running_loop().create_future()
        self.submit(endpoint, Request(build, lambda end: None if ended.done() else ended.set_result(end), urgent))
        return await ended

    def connections(self) -> dict[str, int]:
        """Open connections per origin, for the metrics."""
        return {name: origin.open for name, origin in self._origins.items()}

    async def close(self) -> None:
        """Close every connection; requests under way end as broken."""
        origins, self._origins = list(self._origins.values()), {}
        for origin in origins:
            await origin.close()


class _Origin:
    """Queue and connections of one scheme, host and port."""

    def __init__(self, transport: Transport, endpoint: Endpoint) -> None:
        self.loop = asyncio.get_running_loop()
        self.bounds = transport.bounds
        self.open = 0
        self.answer_time = 0.0
        self._transport = transport
        self._endpoint = endpoint
        self._urgent: deque[Request] = deque()
        self._waiting: deque[Request] = deque()
        self._idle: list[_Connection] = []
        self._all: set[_Connection] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._addresses: tuple[float, list[str]] = (0.0, [])
        self._asking = asyncio.Lock()
        self._last_end = self.loop.time()
        self._turn = 0
        self.circuit = Circuit(self.loop.time)
        self._widening: asyncio.TimerHandle | None = None
        self._sweeping: asyncio.TimerHandle | None = None

    def submit(self, request: Request) -> None:
        if not self.circuit.lets_pass():
            request.done(Fallen("circuit_open", self.circuit.opens_in()))
            return
        (self._urgent if request.urgent else self._waiting).append(request)
        if self._idle:
            self.serve(self._idle.pop())
        else:
            self._connect_more()

    def serve(self, connection: "_Connection") -> None:
        """Give a free connection the next request, or let it rest."""
        queue = self._urgent or self._waiting
        if queue:
            connection.start(queue.popleft())
        else:
            self._idle.append(connection)
        if self._sweeping is None:
            self._sweeping = self.loop.call_later(self.bounds.deadline / 20, self._sweep)

    def answered(self, connection: "_Connection", started: float, answer: Answer) -> None:
        now = self._last_end = self.loop.time()
        self.answer_time += ((now - started) - self.answer_time) * 0.1
        if answer.status == 429:
            self.circuit.asked_to_wait(answer.retry_after)
        elif answer.status >= 500 or answer.status == 0:
            self.circuit.failed()
        else:
            self.circuit.succeeded()
        self._flush_if_open()
        if answer.reusable:
            self.serve(connection)

    def fell(self) -> None:
        self.circuit.failed()
        self._flush_if_open()

    def lost(self, connection: "_Connection") -> None:
        if connection in self._all:
            self._all.discard(connection)
            self.open -= 1
        if connection in self._idle:
            self._idle.remove(connection)
        if self._urgent or self._waiting:
            self._connect_more()

    def again(self, request: Request) -> None:
        """A kept connection had been closed by the service before it read this: send it once more, first of all."""
        request.repeated = True
        (self._urgent if request.urgent else self._waiting).appendleft(request)

    async def close(self) -> None:
        for timer in (self._widening, self._sweeping):
            if timer is not None:
                timer.cancel()
        connecting = list(self._connecting)
        for task in connecting:
            task.cancel()
        await asyncio.gather(*connecting, return_exceptions=True)
        self._end_waiting(Fallen("broken"))
        connections = list(self._all)
        for connection in connections:
            connection.abandon("broken")
        await asyncio.gather(*(connection.closed for connection in connections))

    def _connect_more(self) -> None:
        queued = len(self._urgent) + len(self._waiting)
        missing = min(queued - len(self._connecting), self.bounds.few - self.open - len(self._connecting))
        for _ in range(missing):
            self._begin_connect()
        if missing < queued and self._widening is None and self.bounds.most > self.bounds.few:
            self._widening = self.loop.call_later(self.bounds.slow, self._widen)

    def _widen(self) -> None:
        # more connections help only against a service that takes its time, never against our own busy processor
        self._widening = None
        queued = len(self._urgent) + len(self._waiting)
        if not queued:
            return
        if max(self.answer_time, self.loop.time() - self._last_end) > self.bounds.slow and not self._unreachable_yet():
            taken = self.open + len(self._connecting)
            for _ in range(min(queued - len(self._connecting), self.bounds.most - taken)):
                self._begin_connect()
        self._widening = self.loop.call_later(self.bounds.slow, self._widen)

    def _unreachable_yet(self) -> bool:
        return self.open == 0

    def _begin_connect(self) -> None:
        task = self.loop.create_task(self._connect())
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self) -> None:
        fault: Fault
        try:
            async with asyncio.timeout(self.bounds.deadline):
                connection = await self._open_connection()
        except TimeoutError:
            fault = "timed_out"
        except _NotResolvedError:
            fault = "not_resolved"
        except _BlockedError:
            fault = "blocked"
        except ssl.SSLError:
            fault = "tls_failed"
        except OSError:
            fault = "unreachable"
        else:
            self.open += 1
            self._all.add(connection)
            self._connecting.discard(asyncio.current_task())
            self.serve(connection)
            return
        self._connecting.discard(asyncio.current_task())
        if self.open == 0 and not self._connecting:
            self.circuit.failed()
            self._end_waiting(Fallen(fault))

    def _flush_if_open(self) -> None:
        # whatever queues behind a service that is down must not wait out one deadline after another
        if (self._urgent or self._waiting) and self.circuit.is_open():
            self._end_waiting(Fallen("circuit_open", self.circuit.opens_in()))

    def _end_waiting(self, end: Fallen) -> None:
        waiting = [*self._urgent, *self._waiting]
        self._urgent.clear()
        self._waiting.clear()
        for request in waiting:
            request.done(end)

    async def _open_connection(self) -> "_Connection":
        endpoint = self._endpoint
        addresses = await self._public_addresses()
        self._turn += 1
        address = addresses[self._turn % len(addresses)]
        _, connection = await self.loop.create_connection(
            lambda: _Connection(self),
            address,
            endpoint.port,
            ssl=self._transport.tls if endpoint.tls else None,
            server_hostname=endpoint.host if endpoint.tls else None,
        )
        return connection

    async def _public_addresses(self) -> list[str]:
        async with self._asking:
            return await self._ask_addresses()

    async def _ask_addresses(self) -> list[str]:
        asked_at, addresses = self._addresses
        if not addresses or self.loop.time() - asked_at > self.bounds.addresses_kept:
            try:
                addresses = await self._transport.resolver(self._endpoint.host, self._endpoint.port)
            except (OSError, UnicodeError) as error:
                raise _NotResolvedError from error
            if self._endpoint.origin not in self._transport.test_origins:
                addresses = [address for address in addresses if is_public_address(address)]
            if not addresses:
                raise _BlockedError
            self._addresses = (self.loop.time(), addresses)
        return addresses

    def _sweep(self) -> None:
        """End what is past its deadline and close what has rested too long."""
        now = self.loop.time()
        for connection in list(self._all):
            if connection.busy:
                if now - connection.since > self.bounds.deadline:
                    connection.abandon("timed_out")
            elif now - connection.since > self.bounds.idle:
                connection.abandon("broken")
        self._sweeping = self.loop.call_later(self.bounds.deadline / 20, self._sweep) if self._all else None


class _Connection(asyncio.Protocol):
    """One connection with at most one request under way."""

    __slots__ = ("_origin", "_reader", "_request", "_transport", "_used", "closed", "since")

    def __init__(self, origin: _Origin) -> None:
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


class _NotResolvedError(Exception):
    pass


class _BlockedError(Exception):
    pass
