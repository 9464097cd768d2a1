"""A running Tocsin for tests: the real web and worker on the demo organisation, with a clock that can be moved."""

import atexit
import http.cookiejar
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from server.clock import TEST_CLOCK
from server.db import new_id

ROOT = Path(__file__).resolve().parent.parent
READY_SECONDS = 40
_SEEDED: list[tuple[Path, dict[str, Any]]] = []
"""The data folder that was filled in this process, and what it told of its sign-ins."""


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class House:
    """Web and worker as processes of their own; `stop` ends what was started here, by its id."""

    def __init__(self, folder: Path, database_url: str = "", **settings: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.clock_file = folder / "clock"
        self.clock_file.write_text("0")
        self.environment = {
            # Started as an operator's are: with what Python has compiled at hand.
            **{name: value for name, value in os.environ.items()
               if not name.startswith(("TOCSIN_", "DATABASE_URL", "PYTHONDONTWRITE"))},
            "TOCSIN_DATA": str(folder), "PORT": str(self.port), TEST_CLOCK: str(self.clock_file), "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "default", **({"DATABASE_URL": database_url} if database_url else {}), **settings,
        }  # fmt: skip
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.demo = self._seed(database_url)
        self.password: str = self.demo["sign_ins"][0]["password"]

    def _seed(self, database_url: str) -> dict[str, Any]:
        """Make the demo organisation; a data folder that one of these tests has filled is copied instead of filled again."""
        if database_url:
            found: dict[str, Any] = json.loads(self.command("demo", "--json"))
            return found
        if not _SEEDED:
            first = Path(tempfile.mkdtemp(prefix="house-"))
            atexit.register(shutil.rmtree, first, ignore_errors=True)
            with_folder, self.environment["TOCSIN_DATA"] = self.environment["TOCSIN_DATA"], str(first)
            _SEEDED.append((first, json.loads(self.command("demo", "--json"))))
            self.environment["TOCSIN_DATA"] = with_folder
        seeded, told = _SEEDED[0]
        shutil.copytree(seeded, self.folder, dirs_exist_ok=True)
        return {**told, "url": self.url}

    def command(self, *words: str) -> str:
        """Run a `tocsin` command and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "server.cli", *words],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, *names: str, wait: bool = True) -> None:
        """Start web and worker (or the one named) and, unless told not to, wait until the web answers."""
        for name in names or ("web", "worker"):
            with (self.folder / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    [sys.executable, "-m", "server.cli", name],
                    env=self.environment,
                    cwd=ROOT,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        if wait and "web" in self.processes:
            self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait until the web answers; fails with its log when it does not."""
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until:
            try:
                with urllib.request.urlopen(f"{self.url}/api/v1/health/live", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except (OSError, urllib.error.URLError):
                time.sleep(0.05)
        raise AssertionError(self.log("web"))

    def kill(self, name: str) -> None:
        """Kill a process and its children at once, as a power cut would."""
        process = self.processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    @contextmanager
    def paused(self, name: str) -> Iterator[None]:
        """A process and its children that still hold their connections and answer nothing."""
        group = self.processes[name].pid
        os.killpg(group, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(group, signal.SIGCONT)

    def stop(self) -> None:
        """End what runs, politely first."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.processes.clear()

    def move(self, seconds: float) -> None:
        """Let every process's clock run ahead by this much more."""
        ahead = float(self.clock_file.read_text() or 0) + seconds
        fresh = self.clock_file.with_suffix(".new")
        fresh.write_text(str(ahead))
        fresh.replace(self.clock_file)

    def log(self, name: str) -> str:
        """What a process has logged."""
        path = self.folder / f"{name}.log"
        return path.read_text() if path.is_file() else ""

    def complaints(self) -> list[str]:
        """Lines of the logs that no test should cause: errors, warnings, traces."""
        found = []
        for name in ("web", "worker"):
            for line in self.log(name).splitlines():
                if any(
                    word in line
                    for word in (
                        "ERROR",
                        "level=error",
                        "Traceback",
                        "Warning",
                        "CRITICAL",
                        "level=warning",
                        " WARNING ",
                    )
                ):
                    found.append(f"{name}: {line}")
        return found


class Phone:
    """Somebody's phone as far as the protocol goes: signs in, sends facts, pulls what changed."""

    def __init__(self, house: House, username: str) -> None:
        self.house, self.username, self.device = house, username, new_id()
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(jar)
        self.cursors: dict[str, int] = {}
        self.rows: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.sequence = 0
        status, self.me = self.call(
            "POST",
            "/sessions",
            {"username": username, "password": house.password, "device": {"id": self.device, "name": "test"}},
        )
        assert status == 200, self.me

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """One request; returns the status and the parsed answer."""
        request = urllib.request.Request(
            f"{self.house.url}/api/v1{path}", method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "X-Tocsin": "1"},
        )  # fmt: skip
        try:
            with self._opener.open(request, timeout=30) as answer:
                raw = answer.read()
                return answer.status, json.loads(raw) if raw else None
        except urllib.error.HTTPError as error:
            raw = error.read()
            return error.code, json.loads(raw) if raw else None

    def put(self, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        """PUT a fact; a path ending in / gets a new id."""
        return self.call("PUT", path + (new_id() if path.endswith("/") else ""), body or {})

    def pull(self) -> None:
        """Pull everything that changed."""
        more = True
        while more:
            status, answer = self.call("POST", "/changes", {"cursors": self.cursors})
            assert status == 200, answer
            more = False
            for space in answer["spaces"]:
                self.cursors[space["id"]] = space["to"]
                more = more or space["more"]
                for row in space["rows"]:
                    key = (space["id"], row["type"], row["id"])
                    if row["op"] == "put":
                        self.rows[key] = row["doc"]
                    else:
                        self.rows.pop(key, None)
            for gone in answer["drop"]:
                self.cursors.pop(gone, None)
                self.rows = {key: row for key, row in self.rows.items() if key[0] != gone}

    def all(self, kind: str) -> list[dict[str, Any]]:
        """The documents of a type, once each, by id."""
        found = {id: doc for (_, type_, id), doc in sorted(self.rows.items()) if type_ == kind}
        return [found[id] for id in sorted(found)]
