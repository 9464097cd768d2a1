"""The web process: gunicorn with gevent workers that close their streams at once when asked to stop."""

import _socket
import gc
import logging
import os
import resource
import socket
import time
from contextlib import suppress
from functools import partial
from typing import Any

import gevent
import gunicorn.arbiter
from gunicorn.app.base import BaseApplication
from gunicorn.http import wsgi
from gunicorn.workers.ggevent import GeventWorker

from server import standby
from server.app import create_app
from server.config import Config
from server.db import outage
from server.shares import Server, Shares

log = logging.getLogger("tocsin.web")

CONNECTIONS = 12_000  # streams stay open; gevent's default of 1,000 would starve everything else
FILES = 65_536
"""Open files a process may have: each open phone is one, and most systems begin with 1,024."""
BREATH_SECONDS = 0.005
"""How long whoever has much to do lets others go first, at most."""
IDLE_SECONDS = 0.5
"""How long a process that leaves waits for the next request on a connection kept open; its answer then ends it."""


AGAIN_SECONDS = 0.5
"""Between two tries of a process that finds the database away while it starts."""
LONG = 32 * 1024
"""Bytes of a body that are sent by themselves: copying them behind the head would cost more than sending twice."""


class Together(wsgi.Response):  # type: ignore[misc]
    """An answer whose head goes out in one piece with the first of its body: sending is the dearest step of a short answer."""

    def write(self, arg: bytes) -> None:
        """Send a piece of the body, and the head before the first."""
        if self.headers_sent:
            super().write(arg)
            return
        connection: Any = self.sock
        self.sock: Any = _Held()
        try:
            super().write(arg)
        finally:
            held, self.sock = self.sock.pieces, connection
        if len(arg) < LONG:
            held = [b"".join(held)]
        for piece in held:
            self.sock.sendall(piece)


class _Held:
    """Stands where the connection does while the first piece of an answer is made."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.sendall = self.pieces.append


wsgi.Response = Together  # gunicorn offers no setting for it


class Worker(GeventWorker):  # type: ignore[misc]
    """A gevent worker that ends its streams and idle connections itself, so that a restart does not wait for them."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._idle: set[socket.socket] = set()
        self._leaving = False

    def server_class(self, listener: Any, *, spawn: Any, **more: Any) -> Server:
        """What takes the connections of a listener; gunicorn names it as a class."""
        return Server(self.app.shares, self.age, listener, handle=partial(self.handle, listener), spawn=spawn)

    def load_wsgi(self) -> None:
        """Make the application; its streams stay with this process when their requests have ended."""
        super().load_wsgi()
        hub = self.wsgi.extensions["tocsin_hub"]
        hub.breathe, hub.sockets.counts = breathe, partial(self.app.shares.more, self.age)
        gc.freeze()  # what is loaded stays: looking through it again took 10 to 25 ms each time

    def run(self) -> None:
        """Serve until told to leave, then give the database's connections back."""
        try:
            super().run()
        finally:
            database = getattr(getattr(self, "wsgi", None), "extensions", {}).get("tocsin_database")
            if database is not None:
                database.dispose()

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Close the streams, then leave as gunicorn does."""
        self._leave()
        super().handle_exit(sig, frame)

    def handle(self, listener: Any, client: socket.socket, addr: Any) -> None:
        """Serve a connection, and know it as idle while no request of it is being answered."""
        self._idle.add(client)
        try:
            super().handle(listener, client, addr)
        finally:
            self._idle.discard(client)
            self.app.shares.more(self.age, -1)

    def handle_request(self, listener_name: Any, req: Any, sock: socket.socket, addr: Any) -> Any:
        """Answer one request."""
        self._idle.discard(sock)
        try:
            return super().handle_request(listener_name, req, sock, addr)
        finally:
            self._idle.add(sock)
            if not self.alive:
                self._leave()  # it has answered as many requests as it may
            gevent.sleep(0)  # whoever sends one request upon the other does not keep the others waiting

    def _leave(self) -> None:
        """Close the streams at once, and from now on every connection on which nothing is asked."""
        if self._leaving:
            return
        self._leaving = True
        gevent.spawn(self._hang_up)  # a signal comes in the midst of anything, as while a stream is being closed

    def _hang_up(self) -> None:
        hub = getattr(getattr(self, "wsgi", None), "extensions", {}).get("tocsin_hub")  # none yet while it loads
        if hub is not None:
            hub.close()
        while True:  # connections are still taken for a moment
            gevent.sleep(IDLE_SECONDS)
            # For reading only: a request that has just arrived is still read and answered.
            for client in list(self._idle):
                with suppress(OSError):
                    # gevent's own shutdown would end the wait as an error
                    plain = _socket.socket(fileno=os.dup(client.fileno()))
                    try:
                        plain.shutdown(socket.SHUT_RD)
                    finally:
                        plain.close()


def allow_files() -> None:
    """Let this process and its children open as many files as the system grants without being asked, up to 65,536."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def breathe() -> None:
    """Let every request that has come go first, for 5 ms at most.

    gevent comes back from `sleep(0)` up to fifty times before it looks at a socket again.
    """
    with gevent.Timeout(BREATH_SECONDS, False):
        gevent.idle()


class Arbiter(gunicorn.arbiter.Arbiter):  # type: ignore[misc]
    """gunicorn's parent process, that lets the old processes go only once the new ones serve: loading takes seconds."""

    def manage_workers(self) -> None:
        """Start what is missing and let go what is too many."""
        newest = sorted(self.WORKERS.values(), key=lambda worker: worker.age)[-self.num_workers :]
        if len(self.WORKERS) <= self.num_workers or all(map(_serves, newest)):
            super().manage_workers()


def _serves(worker: Any) -> bool:
    # Until it first beats, the file's time is that of its making, by the wall clock; then it is the monotonic clock's.
    return bool(worker.tmp.last_update() <= time.monotonic())


class Web(BaseApplication):  # type: ignore[misc]
    """gunicorn, set up by our own settings instead of a file."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.shares = Shares()
        super().__init__()

    def load_config(self) -> None:
        """Hand our settings to gunicorn."""
        config = self.config
        chosen = {
            "bind": f"{config.host}:{config.port}", "workers": config.web_workers, "worker_class": "server.web.Worker",
            "worker_connections": CONNECTIONS, "graceful_timeout": 5, "timeout": 60, "keepalive": 30, "accesslog": None,
            "loglevel": "warning", "limit_request_line": 4094, "limit_request_fields": 60, "forwarded_allow_ips": "127.0.0.1",
            "proc_name": "tocsin-web", "max_requests": config.web_requests, "max_requests_jitter": config.web_requests // 4,
            "control_socket_disable": True, "child_exit": lambda arbiter, worker: self.shares.leave(worker.age),
        }  # fmt: skip
        for name, value in chosen.items():
            self.cfg.set(name, value)

    def run(self) -> None:
        """Serve until told to stop. What is loaded once is there for every process: a killed one is replaced in a moment."""
        allow_files()
        standby.settle(self.config.url)
        Arbiter(self).run()

    def load(self) -> Any:
        """Make the application inside each worker, after gevent has taken over the blocking calls.

        One that cannot be made ends the parent and all its processes: with the database away it waits instead.
        """
        while True:
            try:
                return create_app()
            except Exception as error:
                if not (reason := outage(error)):
                    raise
                log.warning("the web waits for the database: %s", reason)
                time.sleep(AGAIN_SECONDS)
