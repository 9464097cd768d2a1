"""What the worker does at a time of its own: limits that are due, reminders, marks that follow a delivery."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from server.clock import now
from server.db import Database, Overloaded, StorageFull, outage
from server.delivery.wakes import Ear
from server.domain.firing import Part

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
    and whose matter can wait; 0 looks again after every commit. `apart`: what `run` would do as parts, each a transaction of
    its own, for when doing all of it in one has failed.
    """

    name: str
    next_due: Callable[[Session], datetime | None]
    run: Callable[[Session], object]
    pause: float = 0.0
    rest: float = 0.0
    apart: Callable[[Session], Sequence[Part]] | None = None


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
                await loop.run_in_executor(executor, do, chore, database)
                await asyncio.sleep(chore.pause)
                continue
            if chore.rest:
                await asyncio.sleep(chore.rest)
                continue
            # exactly until the next due row; a commit by anybody wakes us earlier
            wait = LONGEST_SLEEP if at is None else min((at - now()).total_seconds(), LONGEST_SLEEP)
            await ear.wait(max(wait, 0.0))
        except Exception as error:
            if reason := outage(error):
                log.warning("a chore waits for the database", chore=chore.name, reason=reason)
            else:
                log.exception("a chore failed", chore=chore.name)
            await asyncio.sleep(AFTER_FAILURE)


def do(chore: Chore, database: Database) -> None:
    """Do what is due in one transaction; when that fails, part by part, so that what stands in one's way stops no other.

    A part that waits for a lock is left for the next look; one that fails by itself is ended as the domain says.
    """
    try:
        database.write(chore.run)
    except Exception as error:
        if chore.apart is None:
            raise
        say = log.info if outage(error) else log.warning  # a lock that somebody holds is nothing to look after
        say("a chore is done part by part", chore=chore.name, reason=type(error).__name__)
    else:
        return
    with database.read() as session:
        parts = chore.apart(session)
    moved = False
    for part in parts:
        try:
            database.write(part.run)
        except (Overloaded, StorageFull):
            continue
        except Exception:
            log.exception("a part of a chore failed and is ended", chore=chore.name, part=part.id)
            moved = _end(part, database) or moved
        else:
            moved = True
    if parts and not moved:
        raise Overloaded


def _end(part: Part, database: Database) -> bool:
    try:
        database.write(part.instead)
    except Exception:
        log.exception("a part of a chore cannot be ended", part=part.id)
        return False
    return True
