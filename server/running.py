"""`tocsin run` and `tocsin web`: starts the processes, and starts again whichever dies. Loads nothing of what they load."""

import os
import signal
import subprocess
import sys
import time
from types import FrameType

import click

from server import shape
from server.answering import answers
from server.config import Config

WEB = [sys.executable, "-m", "server.serve"]
WORKER = [sys.executable, "-m", "server.cli", "worker"]
STEADY_SECONDS = 30.0


@click.command()
@click.option("--demo/--no-demo", default=None, help="Seed the demo organisation into an empty database.")
@click.pass_obj
def run(config: Config, demo: bool | None) -> None:
    """Migrate, then start web and worker and keep them running."""
    wanted = config.demo if demo is None else demo
    told = _prepare(config, wanted) if wanted or not shape.is_current(config) else ""
    supervise(config, told)


def _prepare(config: Config, demo: bool) -> str:
    # It loads the whole house, for about a second, and most starts find nothing to do.
    from server import maintenance  # noqa: PLC0415

    return maintenance.prepare(config, demo)


@click.command()
def web() -> None:
    """Serve the API, the app and the live stream."""
    os.execv(sys.executable, WEB)  # noqa: S606 - ourselves


def supervise(config: Config, told: str) -> None:
    """Start web and worker, start again whichever dies, and stop both when told to. `told` is said once the web answers."""
    children: dict[str, subprocess.Popen[bytes]] = {}
    since: dict[str, float] = {}
    stopping = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True
        for child in children.values():
            child.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    failures, announced = 0, False
    while not stopping:
        for name, command in (("web", WEB), ("worker", WORKER)):
            child = children.get(name)
            if child is None or child.poll() is not None:
                if child is not None:
                    # One that was killed or has served for a while is started at once; those that fail again and again wait.
                    killed, steady = (
                        child.returncode == -signal.SIGKILL,
                        time.monotonic() - since[name] > STEADY_SECONDS,
                    )
                    failures = 0 if killed or steady else failures + 1
                    click.echo(f"{name} ended with {child.returncode} and starts again", err=True)
                    time.sleep(min(0.1 * 2**failures, 4) if failures else 0)
                children[name], since[name] = subprocess.Popen(command, start_new_session=True), time.monotonic()
        if not announced and answers(config):
            announced, failures = True, 0
            click.echo(f"\nTocsin 警钟 runs at {config.origin}\n{told}")
        time.sleep(0.1)
    for child in children.values():
        try:
            child.wait(15)
        except subprocess.TimeoutExpired:
            child.kill()
