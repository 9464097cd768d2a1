"""What the worker does at a time of its own: limits that are due, reminders, marks that follow a delivery."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from server.clock import now
from server.db import Database
from server.delivery.wakes import Ear

log = structlog.get_logger(__name__)

LONGEST_SLEEP = 5.0
"""Seconds; a net under the wakes, and the most a clock set forward can be noticed late."""
AFTER_FAILURE = 1.0


@dataclass(frozen=True, slots=True)
class Chore:
    """A verb the database says the time for.

    `next_due` reads when there is something to do next (None: nothing is waiting); `run` does what is due, in one
    transaction, and must do each thing once however often it is called. `pause`: seconds between two runs, so that what
    comes in crowds is done in groups. `rest`: seconds after a look that found nothing, for those whose look is not cheap
    and whose matter can wait; 0 looks again after every commit.
    """

    name: str
    next_due: Callable[[Session], datetime | None]
    run: Callable[[Session], object]
    pause: float = 0.0
    rest: float = 0.0


async def keep(chore: Chore, database: Database, executor: Executor, ear: Ear) -> None:
    """Do the chore whenever it is due, until cancelled. A failure is logged and tried again, it never ends the loop."""
    loop = asyncio.get_running_loop()

    def due() -> datetime | None:
        with database.read() as session:
            return chore.next_due(session)

    while True:
        try:
            at = await loop.run_in_executor(executor, due)
            if at is not None and at <= now():
                await loop.run_in_executor(executor, database.write, chore.run)
                await asyncio.sleep(chore.pause)
                continue
            if chore.rest:
                await asyncio.sleep(chore.rest)
                continue
            # exactly until the next due row; a commit by anybody wakes us earlier
            wait = LONGEST_SLEEP if at is None else min((at - now()).total_seconds(), LONGEST_SLEEP)
            await ear.wait(max(wait, 0.0))
        except Exception:
            log.exception("a chore failed", chore=chore.name)
            await asyncio.sleep(AFTER_FAILURE)
