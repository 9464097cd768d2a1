"""The ends of the live stream: one that writes ready bytes straight to its socket, one that hands them to any WSGI server."""

import os
import queue
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Protocol

OPENING = b"retry: 2000\n: open\n\n"
BEAT = b": beat\n\n"
BYE = b"event: bye\ndata: {}\n\n"


class Listener(Protocol):
    """One open stream: whose it is and what it may hear of."""

    person: str
    session: str
    spaces: set[str]

    def tell(self, event: bytes) -> None:
        """Send an event without waiting; a phone that cannot take it is closed and catches up when it comes back."""
        ...

    def close(self) -> None:
        """End the stream."""
        ...

    def events(self, leave: Callable[["Listener"], None]) -> Iterator[bytes]:
        """What the WSGI server writes itself, until the stream ends; calls `leave` then."""
        ...


def open_listener(environ: dict[str, Any], person: str, session: str, spaces: set[str]) -> Listener:
    """The listener that fits the server: gunicorn lets us have the socket."""
    connection, protocol = environ.get("gunicorn.socket"), environ.get("SERVER_PROTOCOL")
    if isinstance(connection, socket.socket) and protocol in {"HTTP/1.0", "HTTP/1.1"}:
        return SocketListener(connection, protocol == "HTTP/1.1", person, session, spaces)
    return QueuedListener(person, session, spaces)


class SocketListener:
    """Writes to the phone's socket itself; its greenlet only waits for the phone to hang up."""

    __slots__ = ("_chunked", "_connection", "_open", "person", "session", "spaces")

    def __init__(self, connection: socket.socket, chunked: bool, person: str, session: str, spaces: set[str]) -> None:
        self.person, self.session, self.spaces = person, session, spaces
        self._connection, self._chunked, self._open = connection, chunked, False

    def tell(self, event: bytes) -> None:
        if not self._open:
            return  # the head is not written yet; a phone pulls once its stream is open
        framed = b"%x\r\n%b\r\n" % (len(event), event) if self._chunked else event
        try:
            # The socket does not block: what does not go out at once belongs to a phone that is too far behind.
            if os.write(self._connection.fileno(), framed) < len(framed):
                self.close()
        except OSError:
            self.close()

    def close(self) -> None:
        self._open = False
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)  # its greenlet wakes from waiting

    def events(self, leave: Callable[[Listener], None]) -> Iterator[bytes]:
        try:
            yield OPENING
            self._open = True
            with suppress(OSError):
                while self._connection.recv(1024):
                    pass
        finally:
            self._open = False
            leave(self)


class QueuedListener:
    """Keeps events until the server asks for them: for servers that do not give their sockets away."""

    def __init__(self, person: str, session: str, spaces: set[str]) -> None:
        self.person, self.session, self.spaces = person, session, spaces
        self._events: queue.Queue[bytes | None] = queue.Queue(maxsize=64)

    def tell(self, event: bytes) -> None:
        try:
            self._events.put_nowait(event)
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
