"""The worker process: fires what is due, sends what waits, and prepares itself while nothing happens."""

import asyncio
import gc
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import structlog
import uvloop
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from server.clock import now
from server.config import Config
from server.db import Database, Overloaded
from server.delivery.allowed_hosts import push_hosts
from server.delivery.chores import Chore, keep
from server.delivery.envelopes import lean_form_proves_itself
from server.delivery.letters import Letters
from server.delivery.outcomes import Channel
from server.delivery.sending import Sender
from server.delivery.set_up import open_channels, ways_of
from server.delivery.transport import Transport, trusted
from server.delivery.vapid import VAPID_FILE, Signer, load_or_make_key
from server.delivery.wakes import Bell, watching
from server.delivery.web_call import Caller
from server.delivery.web_push import WebPush
from server.domain import people
from server.domain.devices import Subscription
from server.domain.outbox import WAKE_CHANNEL
from server.presence import Presence

log = structlog.get_logger(__name__)

THREADS = 4
SUBSCRIPTIONS_SECONDS = 30.0
PRESENT_SECONDS = 2.0
AWAY_SECONDS = 1.0
SWITCH_SECONDS = 0.0001
"""A database thread gives Python away at every step and must not wait long behind the messages that are being encrypted."""
SEALED_AT_ONCE = 10
"""Envelopes made between two looks at the network, about a millisecond of work."""


class Worker:
    """Everything the worker process does, in one event loop. `chores` are the domain's own times."""

    def __init__(
        self,
        config: Config,
        database: Database,
        chores: Sequence[Chore] = (),
        channels: Mapping[str, Channel] | None = None,
    ) -> None:
        self._config = config
        self._database = database
        self._chores = tuple(chores)
        self._channels = channels
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Let `run` end after recording what has been sent."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until `stop` is called."""
        config, database = self._config, self._database
        signer = Signer(load_or_make_key(config.data_folder / VAPID_FILE), config.vapid_subject, now)
        hosts = push_hosts(config)
        transport = Transport(hosts.test_origins)
        executor = ThreadPoolExecutor(THREADS, "database")
        push = WebPush(transport, signer, hosts, now)
        letters = Letters(config.secret(), config.origin)
        sender = Sender(database, push, letters, executor, self._channels, config.dry_run)
        bell = Bell()
        presence = Presence(database)
        work = [
            sender.run(bell.listen()),
            _be_present(presence, executor),
            self._prepare(push, sender, executor),
            *(keep(chore, database, executor, bell.listen()) for chore in self._chores),
        ]
        try:
            async with watching(database, bell, (WAKE_CHANNEL, "tocsin")):
                tasks = [asyncio.create_task(part) for part in work]
                stopping = asyncio.create_task(self._stopping.wait())
                log.info("worker started", chores=[chore.name for chore in self._chores])
                await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
                sender.stop()
                await asyncio.wait([tasks[0]], timeout=transport.bounds.deadline + 1.0)
                for task in (*tasks, stopping):
                    task.cancel()
                ends = await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            await transport.close()
            executor.shutdown()
            presence.release()
        for end in ends:
            if isinstance(end, Exception):
                raise end

    async def _prepare(self, push: WebPush, sender: Sender, executor: ThreadPoolExecutor) -> None:
        """Keep a sealed envelope ready for every live subscription, working only while nothing is being sent."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                push.expect(await loop.run_in_executor(executor, self._live_subscriptions))
            except SQLAlchemyError as error:
                log.info("no envelopes are prepared while the database is away", reason=type(error).__name__)
                await asyncio.sleep(AWAY_SECONDS)
                continue
            until = loop.time() + SUBSCRIPTIONS_SECONDS
            while loop.time() < until:
                made = push.envelopes.refill(SEALED_AT_ONCE) if sender.resting else 0
                await asyncio.sleep(0.001 if made else 0.25)

    def _live_subscriptions(self) -> list[tuple[str, bytes, bytes]]:
        query = select(Subscription.endpoint, Subscription.p256dh, Subscription.auth).where(
            Subscription.state == "live"
        )
        with self._database.read() as session:
            return [(row.endpoint, row.p256dh, row.auth) for row in session.execute(query)]


async def _be_present(presence: Presence, executor: ThreadPoolExecutor) -> None:
    """Let the web see that a worker is there, also after the database went away and came back."""
    while True:
        if not await asyncio.get_running_loop().run_in_executor(executor, presence.hold):
            log.info("the database cannot be reached to say that a worker is here")
        await asyncio.sleep(PRESENT_SECONDS)


def get_ready(database: Database, chores: Sequence[Chore]) -> None:
    """Do what every copy of this process would do before its first work, so that each finds it done.

    The statements that look for work are worked out by being asked once; a database that is away is asked by the copies.
    """
    trusted()
    lean_form_proves_itself()
    with suppress(SQLAlchemyError), database.read() as session:
        for chore in chores:
            chore.next_due(session)
    database.dispose()


def make_known(ways: Mapping[str, Any], dry_run: bool, session: Session) -> None:
    """Let the organisation's settings say which channels there are, so that alerts are queued for these alone."""
    people.set_setting(session, "channels", dict(ways))
    people.set_setting(session, "dry_run", dry_run)


def calm_collector() -> None:
    """Let Python look for lost cycles rarely: what stands here stays, and a fan-out makes objects that die by themselves."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _once_reached(database: Database, unit: Callable[[Session], None]) -> None:
    """Run a unit as soon as the database takes it: a worker that starts before its database waits for it."""
    while True:
        try:
            return database.write(unit)
        except Overloaded:
            log.info("waiting for the database")
            time.sleep(AWAY_SECONDS)


def run_worker(config: Config, database: Database, chores: Sequence[Chore]) -> None:
    """Run the worker in this process until it is told to stop (SIGTERM or SIGINT).

    Raises ChannelsFault when the operator's channels file cannot be used.
    """
    caller = Caller()
    path = Path(config.channels_file) if config.channels_file else None
    channels = open_channels(path, caller, config.origin, now) if path else {}
    ways = ways_of(path) if path else {}
    _once_reached(database, partial(make_known, ways, config.dry_run))
    calm_collector()
    sys.setswitchinterval(SWITCH_SECONDS)

    async def work() -> None:
        worker = Worker(config, database, chores, channels)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, worker.stop)
        try:
            await worker.run()
        finally:
            await caller.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work())
