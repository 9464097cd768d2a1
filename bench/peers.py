"""Servers ours is measured beside: installed by the bench itself into a folder of its own, never part of the product."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.house import free_port

FOLDER = Path(os.environ.get("TOCSIN_BENCH_PEERS", Path(__file__).resolve().parents[1] / "var" / "peers"))
"""Kept from run to run; not in the repository."""


@dataclass(frozen=True)
class Peer:
    """A running peer."""

    port: int
    process: psutil.Process


@contextmanager
def pouchdb(folder: Path) -> Iterator[Peer]:
    """pouchdb-server on LevelDB with its data in `folder`; it answers before its data is on the disk."""
    program = FOLDER / "node_modules" / ".bin" / "pouchdb-server"
    if not program.exists():
        _install(
            [
                "npm",
                "install",
                "--silent",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                "--prefix",
                str(FOLDER),
                "pouchdb-server",
            ]
        )
    port = free_port()
    command = [str(program), "--port", str(port), "--dir", str(folder), "--no-stdout-logs"]
    with _running(command, port, "/", folder) as peer:
        yield peer


@contextmanager
def kinto(folder: Path, database_url: str) -> Iterator[Peer]:
    """Kinto on PostgreSQL under gunicorn with two processes of 25 threads, so that it keeps its connections."""
    python = FOLDER / "kinto" / "bin" / "python"
    if not python.exists():
        _install([sys.executable, "-m", "venv", str(FOLDER / "kinto")])
        _install([str(python), "-m", "pip", "install", "--quiet", "setuptools<81", "kinto[postgresql]", "gunicorn"])
    port, settings = free_port(), folder / "kinto.ini"
    plain = database_url.replace("postgresql+psycopg://", "postgresql://")
    settings.write_text(
        "[app:main]\nuse = egg:kinto\nkinto.bucket_create_principals = system.Everyone\n"
        + "".join(
            f"kinto.{part}_backend = kinto.core.{part}.postgresql\nkinto.{part}_url = {plain}\n"
            for part in ("storage", "permission", "cache")
        )
        + "kinto.userid_hmac_secret = bench\nmultiauth.policies = basicauth\n"
        "multiauth.policy.basicauth.use = kinto.core.authentication.BasicAuthAuthenticationPolicy\n"
    )
    subprocess.run([str(python.with_name("kinto")), "migrate", "--ini", str(settings)], check=True, capture_output=True)
    command = [
        str(python), "-m", "gunicorn", "--paste", str(settings), "-w", "2", "-k", "gthread", "--threads", "25", "--keep-alive", "30", "-b", f"127.0.0.1:{port}", "--log-level", "error",
    ]  # fmt: skip
    with _running(command, port, "/v1/", folder) as peer:
        yield peer


def _install(command: list[str]) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=600)


@contextmanager
def _running(command: list[str], port: int, path: str, folder: Path) -> Iterator[Peer]:
    with (folder / "peer.log").open("ab") as log:
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5).close()
                break
            except urllib.error.HTTPError:
                break
            except OSError:
                time.sleep(0.1)
        else:
            raise RuntimeError((folder / "peer.log").read_text())
        yield Peer(port, psutil.Process(server.pid))
    finally:
        server.terminate()
        server.wait(20)
