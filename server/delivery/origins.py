"""All that is waiting for one push service: its queue, its connections, and when to leave it alone."""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from server.delivery.answers import Answer
from server.delivery.circuits import Circuit
from server.delivery.connections import Connection, Fallen, Fault, Request
from server.domain.push_endpoints import Endpoint, is_public_address

BUSY = 0.5
"""Share of a processor from which more connections would only add work."""

SCHEDULED = Path("/proc/thread-self/schedstat")
"""Nanoseconds this thread has run and has waited to run, and how often it ran (Linux)."""

Resolver = Callable[[str, int], Awaitable[list[str]]]


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


@dataclass(frozen=True, slots=True)
class Way:
    """What all origins share: bounds, how TLS is spoken, who knows addresses, and which origins are tests' own."""

    bounds: Bounds
    tls: ssl.SSLContext
    resolver: Resolver
    test_origins: frozenset[str]


def occupied() -> float:
    """Seconds this thread has worked so far, or stood ready and waited for a processor where the kernel tells."""
    try:
        worked, waited, _ = SCHEDULED.read_bytes().split()
    except (OSError, ValueError):
        return time.thread_time()
    return (int(worked) + int(waited)) / 1e9


class NotResolvedError(Exception):
    """The host has no address now."""


class BlockedError(Exception):
    """The host has only addresses that are not the open internet."""


class Origin:
    """Queue and connections of one scheme, host and port."""

    def __init__(self, way: Way, endpoint: Endpoint) -> None:
        self.loop = asyncio.get_running_loop()
        self.bounds = way.bounds
        self.open = 0
        self.answer_time = 0.0
        self._way = way
        self._endpoint = endpoint
        self._urgent: deque[Request] = deque()
        self._waiting: deque[Request] = deque()
        self._idle: list[Connection] = []
        self._all: set[Connection] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._addresses: tuple[float, list[str]] = (0.0, [])
        self._asking = asyncio.Lock()
        self._last_end = self.loop.time()
        self._turn = 0
        self.circuit = Circuit(self.loop.time)
        self._measured = (0.0, 0.0)
        self._widening: asyncio.TimerHandle | None = None
        self._sweeping: asyncio.TimerHandle | None = None

    def submit(self, request: Request) -> None:
        if not self.circuit.lets_pass():
            request.done(Fallen("circuit_open", self.circuit.opens_in()))
            return
        (self._urgent if request.urgent else self._waiting).append(request)
        if self._idle:
            self.serve(self._idle.pop())
        elif self._widening is None or self.open + len(self._connecting) < self.bounds.few:
            self._connect_more()

    def serve(self, connection: Connection) -> None:
        """Give a free connection the next request, or let it rest."""
        queue = self._urgent or self._waiting
        if queue:
            connection.start(queue.popleft())
        else:
            self._idle.append(connection)
        if self._sweeping is None:
            self._sweeping = self.loop.call_later(self.bounds.deadline / 20, self._sweep)

    def answered(self, connection: Connection, started: float, answer: Answer) -> None:
        self._last_end = connection.since
        self.answer_time += ((connection.since - started) - self.answer_time) * 0.1
        if answer.status == 429:
            self.circuit.asked_to_wait(answer.retry_after)
            self._flush_if_open()
        elif answer.status >= 500 or answer.status == 0:
            self.circuit.failed()
            self._flush_if_open()
        else:
            self.circuit.succeeded()
        if answer.reusable:
            self.serve(connection)

    def fell(self) -> None:
        self.circuit.failed()
        self._flush_if_open()

    def lost(self, connection: Connection) -> None:
        if connection in self._all:
            self._all.discard(connection)
            self.open -= 1
        if connection in self._idle:
            self._idle.remove(connection)
        if self._urgent or self._waiting:
            self._connect_more()

    def pause(self, seconds: float) -> None:
        """Leave the service alone for a while; what waits for it ends now and is tried again later."""
        # after the answer that led here has been counted, which by itself looks like a service at work
        self.loop.call_soon(self._pause, seconds)

    def _pause(self, seconds: float) -> None:
        self.circuit.pause(seconds)
        self._flush_if_open()

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
            self._widen_later()

    def _widen_later(self) -> None:
        self._measured = (self.loop.time(), occupied())
        self._widening = self.loop.call_later(self.bounds.slow, self._widen)

    def _busy(self) -> bool:
        """Whether this process itself has been the slow one since the last look."""
        since, worked = self._measured
        return occupied() - worked > BUSY * (self.loop.time() - since)

    def _widen(self) -> None:
        # more connections help only against a service that takes its time, never against our own busy processor
        self._widening = None
        queued = len(self._urgent) + len(self._waiting)
        if not queued:
            return
        silent = self._last_end < self._measured[0]
        if (silent or self.answer_time > self.bounds.slow) and self.open and not self._busy():
            taken = self.open + len(self._connecting)
            # a service that has said nothing yet takes its time with all; one that answers gets twice as many
            room = self.bounds.most - taken if silent else min(taken, self.bounds.most - taken)
            for _ in range(min(queued - len(self._connecting), room)):
                self._begin_connect()
        self._widen_later()

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
        except NotResolvedError:
            fault = "not_resolved"
        except BlockedError:
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

    async def _open_connection(self) -> Connection:
        endpoint = self._endpoint
        addresses = await self._public_addresses()
        self._turn += 1
        address = addresses[self._turn % len(addresses)]
        _, connection = await self.loop.create_connection(
            lambda: Connection(self),
            address,
            endpoint.port,
            ssl=self._way.tls if endpoint.tls else None,
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
                addresses = await self._way.resolver(self._endpoint.host, self._endpoint.port)
            except (OSError, UnicodeError) as error:
                raise NotResolvedError from error
            if self._endpoint.origin not in self._way.test_origins:
                addresses = [address for address in addresses if is_public_address(address)]
            if not addresses:
                raise BlockedError
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
