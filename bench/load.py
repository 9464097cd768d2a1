"""A load for HTTP servers: many kept connections in one thread, so that the client takes little of the machine it shares."""

import json
import selectors
import socket
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import psutil

GOOD = frozenset({200, 201, 202})
SECONDS = 60.0
Sender = Callable[[], bytes]
"""Makes one client's next request, head and body."""


@dataclass
class Load:
    """What came of a load: times of good answers in seconds, statuses, and the servers' processor time for each of these."""

    seconds: float = 0.0
    took: list[float] = field(default_factory=list)
    said: Counter[int] = field(default_factory=Counter)
    processor: float = 0.0

    @property
    def rate(self) -> float:
        """Good answers a second: whoever refuses is not quicker for it."""
        return len(self.took) / self.seconds

    @property
    def wrong(self) -> dict[int, int]:
        """Answers that were neither 200, 201 nor 202, by status; 0 is a connection that was cut."""
        return {status: count for status, count in self.said.items() if status not in GOOD}

    def quantile(self, share: float) -> float:
        """A quantile of the answer times in milliseconds."""
        return sorted(self.took)[min(int(len(self.took) * share), len(self.took) - 1)] * 1000


class Connection:
    """One kept connection with at most one request under way."""

    def __init__(self, port: int, sender: Sender) -> None:
        self.port, self.sender = port, sender
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.since, self.got = 0.0, b""

    def send(self) -> None:
        """Begin the next request."""
        request = self.sender()
        self.since, self.got = time.perf_counter(), b""
        self.socket.sendall(request)

    def receive(self) -> int | None:
        """The status once the whole answer is there, else None."""
        more = self.socket.recv(262_144)
        self.got += more
        head, gap, rest = self.got.partition(b"\r\n\r\n")
        if not more:
            return 0
        if not gap:
            return None
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                return int(head[9:12]) if len(rest) >= int(line[15:]) else None
        if head[9:12] == b"204":
            return 204
        return int(head[9:12]) if rest.endswith(b"0\r\n\r\n") else None


def run(port: int, senders: Sequence[Sender], seconds: float, servers: Sequence[psutil.Process]) -> Load:
    """Let every client send one request after another for some seconds; answers under way at the end still count."""
    load = Load()
    connections = [Connection(port, sender) for sender in senders]
    before = processor_time(servers)
    start = time.perf_counter()
    with selectors.EpollSelector() as selector:
        for connection in connections:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.send()
        open_ = len(connections)
        while open_:
            ready = selector.select(SECONDS)
            assert ready, f"{open_} requests were never answered"
            for key, _ in ready:
                found = key.data.receive()
                if found is None:
                    continue
                at = time.perf_counter()
                load.said[found] += 1
                if found in GOOD:
                    load.took.append(at - key.data.since)
                if found and at - start < seconds:
                    key.data.send()
                else:
                    open_ -= 1
                    selector.unregister(key.data.socket)
    load.seconds = time.perf_counter() - start
    load.processor = (processor_time(servers) - before) / max(1, len(load.took))
    for connection in connections:
        connection.socket.close()
    return load


def processor_time(servers: Sequence[psutil.Process]) -> float:
    """Seconds of processor time these processes and their children have used so far."""
    total = 0.0
    for server in servers:
        for process in (server, *server.children(recursive=True)):
            used = process.cpu_times()
            total += used.user + used.system
    return total


def request(method: str, path: str, body: object = None, **headers: str) -> bytes:
    """A request with a JSON body as bytes."""
    raw = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(raw)}"]
    if body is not None:
        lines.append("Content-Type: application/json")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + raw


def middle(figures: Sequence[float], form: str = ",.0f") -> str:
    """The median with the least and the most."""
    return f"{statistics.median(figures):{form}} ({min(figures):{form}} – {max(figures):{form}})"
