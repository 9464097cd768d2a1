"""The ends of the live stream: one that writes ready bytes straight to its socket, one that hands them to any WSGI server."""

import errno
import os
import queue
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

from gevent.monkey import get_original

OPENING = b"retry: 2000\n: open\n\n"
SEND_BYTES = 32 * 1024
"""What the kernel keeps for a phone that does not read, before its stream ends."""
DEAF_MS = 45_000
"""How long a phone may leave what was sent to it unconfirmed, three beats: it is out of reach and nothing says so."""
HUNG_UP = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR


class Event(NamedTuple):
    """What is told to many, made once: the bytes as they are, and as a chunk of HTTP/1.1."""

    plain: bytes
    chunk: bytes

    @classmethod
    def of(cls, plain: bytes) -> "Event":
        """The event of these bytes."""
        return cls(plain, b"%x\r\n%b\r\n" % (len(plain), plain))


BEAT = Event.of(b": beat\n\n")
BYE = Event.of(b"event: bye\ndata: {}\n\n")


class HandedOver(OSError):
    """Ends a request whose connection goes on without it; to the server as if the client were gone, of which it says nothing."""

    def __init__(self) -> None:
        super().__init__(errno.EPIPE, "the stream goes on")


class Listener(Protocol):
    """One open stream: whose it is and which spaces besides the person's own it may hear of."""

    person: str
    session: str
    spaces: frozenset[str]

    def tell(self, event: Event) -> None:
        """Send an event without waiting; a phone that cannot take it is closed and catches up when it comes back."""
        ...

    def close(self) -> None:
        """End the stream."""
        ...

    def events(self, leave: Callable[["Listener"], None]) -> Iterator[bytes]:
        """What the WSGI server writes itself, until the stream ends or goes on without it; calls `leave` when it ends."""
        ...


class Sockets:
    """The sockets of all streams that write to their own, watched together: nothing waits on each of them."""

    def __init__(self, counts: Callable[[int], None]) -> None:
        self.counts = counts
        """Told that there is one more, or one fewer."""
        self._poll: Any = None  # made with the first: most applications in tests have no stream
        self._listeners: dict[int, SocketListener] = {}

    def add(self, number: int, listener: "SocketListener") -> None:
        """Watch this one for its other end hanging up."""
        if self._poll is None:
            self._poll = get_original("select", "epoll")()  # gevent's patch takes it away: it never waits here
        self._poll.register(number, HUNG_UP)
        self._listeners[number] = listener
        self.counts(1)

    def discard(self, number: int) -> None:
        """Close this one."""
        del self._listeners[number]
        self._poll.unregister(number)  # closing does not, while the server still has its own of the same socket
        os.close(number)
        self.counts(-1)

    def hung_up(self) -> list["SocketListener"]:
        """The streams whose other end is gone."""
        return [self._listeners[number] for number, _ in self._poll.poll(0)] if self._listeners else []


def open_listener(
    environ: dict[str, Any], sockets: Sockets, person: str, session: str, spaces: frozenset[str]
) -> Listener:
    """The listener that fits the server: gunicorn lets us have the socket."""
    connection, protocol = environ.get("gunicorn.socket"), environ.get("SERVER_PROTOCOL")
    if isinstance(connection, socket.socket) and protocol in {"HTTP/1.0", "HTTP/1.1"}:
        return SocketListener(connection, protocol == "HTTP/1.1", sockets, person, session, spaces)
    return QueuedListener(person, session, spaces)


class SocketListener:
    """Writes to the phone's socket itself; once the head is out, neither the request nor its greenlet is needed any more."""

    __slots__ = ("_chunked", "_connection", "_number", "_sockets", "person", "session", "spaces")

    def __init__(
        self, connection: socket.socket, chunked: bool, sockets: Sockets, person: str, session: str,
        spaces: frozenset[str],
    ) -> None:  # fmt: skip
        self.person, self.session, self.spaces = person, session, spaces
        self._connection: socket.socket | None = connection  # the server's, until the stream has its own
        self._chunked, self._sockets, self._number = chunked, sockets, -1

    def tell(self, event: Event) -> None:
        if self._number < 0:
            return  # the head is not written yet; a phone pulls once its stream is open
        framed = event.chunk if self._chunked else event.plain
        try:
            # The socket does not block: what does not go out at once belongs to a phone that is too far behind.
            if os.write(self._number, framed) < len(framed):
                self.close()
        except OSError:
            self.close()

    def close(self) -> None:
        number, self._number = self._number, -1
        if number >= 0:
            self._sockets.discard(number)
        elif self._connection is not None:
            with suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)
        self._connection = None

    def events(self, leave: Callable[[Listener], None]) -> Iterator[bytes]:
        try:
            yield OPENING
            self._hand_over()
        finally:
            if self._number < 0:
                leave(self)
        raise HandedOver

    def _hand_over(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return  # closed meanwhile
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAF_MS)
        number = os.dup(connection.fileno())  # the server closes its own as the request ends
        self._sockets.add(number, self)
        self._number = number


class QueuedListener:
    """Keeps events until the server asks for them: for servers that do not give their sockets away."""

    def __init__(self, person: str, session: str, spaces: frozenset[str]) -> None:
        self.person, self.session, self.spaces = person, session, spaces
        self._events: queue.Queue[bytes | None] = queue.Queue(maxsize=64)

    def tell(self, event: Event) -> None:
        try:
            self._events.put_nowait(event.plain)
        except queue.Full:
            self.close()

    def close(self) -> None:
        while True:
            try:
                self._events.put_nowait(None)
                return
            except queue.Full:
                with suppress(queue.Empty):
                    self._events.get_nowait()

    def events(self, leave: Callable[[Listener], None]) -> Iterator[bytes]:
        try:
            yield OPENING
            while (event := self._events.get()) is not None:
                yield event
        finally:
            leave(self)
