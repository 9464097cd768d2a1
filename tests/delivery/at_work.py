"""A worker at work in a thread of a test, and waiting for what it does."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import uvloop

from server.config import Config
from server.db import Database
from server.delivery.chores import Chore
from server.delivery.outcomes import Channel
from server.delivery.web_call import Caller
from server.delivery.worker import Worker
from tests.push_service import PushService

SECRET = "s" * 40


@contextmanager
def working(
    database: Database, service: PushService, folder: Path, *chores: Chore, channels: Mapping[str, Channel] | None = None,
    caller: Caller | None = None,
    **settings: Any,
) -> Iterator[None]:  # fmt: skip
    """A worker in a thread of its own, with these chores, channels and settings; ends politely."""
    settings = {"secret_key": SECRET, **settings}
    config = Config(data_folder=folder, push_allowed_origins=(service.origin,), **settings)
    loop = uvloop.new_event_loop()
    failures: list[BaseException] = []
    made: list[Worker] = []

    async def work() -> None:
        made.append(Worker(config, database, chores, channels))
        try:
            await made[0].run()
        finally:
            if caller is not None:
                await caller.close()

    def run() -> None:
        try:
            loop.run_until_complete(work())
        except BaseException as error:
            failures.append(error)
        finally:
            loop.close()

    thread = Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(lambda: made[0].stop())
        thread.join(20)
    assert not thread.is_alive()
    assert failures == []


def wait_until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until this holds; fails when it does not in time."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to this in time"
        time.sleep(0.02)
