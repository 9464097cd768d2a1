"""Claiming deliveries and getting them out: what was sent is marked and what comes next is claimed in one transaction."""

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from operator import attrgetter
from typing import NamedTuple, TypeVar

import structlog
from sqlalchemy.orm import Session

from server.clock import now
from server.db import Database, Overloaded, StorageFull, outage
from server.delivery.circuits import GoneWatch, back_off
from server.delivery.letters import Letters
from server.delivery.outcomes import DRY_RUN, Channel, Message, Outcome, Result
from server.delivery.ownership import Ownership, take_ownership
from server.delivery.together import together
from server.delivery.wakes import Ear
from server.delivery.web_push import WebPush
from server.domain import calling, climbing, devices, messages, outbox, reachability, rolls
from server.domain.outbox import FAILED, NOTED, PENDING, SENT, Claimed, Settled

log = structlog.get_logger(__name__)

T = TypeVar("T")

MOST_IN_HAND = 2000
"""Deliveries claimed and not yet settled; of these only what ended in the last 50 ms is sent twice when we are killed."""
FLUSH_SECONDS = 0.05
LOOK_FOR_DEAD_SECONDS = 1.0
NO_ANSWER = frozenset({"circuit_open", "unreachable", "not_resolved"})
"""What says that a push service as a whole is away."""
OWN_REASONS = frozenset({"drill", "channel_not_set_up", DRY_RUN})
"""Why we ourselves did not send; it says nothing about a channel."""
REST_SECONDS = 1.0
AFTER_FAILED_CALL = 1.0
MOST_PARTS = 4
CALL_ANYWAY = 0.5
"""Seconds: those called are sent to at once; only while no hand has become free for so long are they queued as well."""
SHORT_TURN = 0.02
"""Seconds: while a turn takes less, nobody waits long for it, and the next one calls another part of a roll as well."""
STORM_PAUSE = 10.0
"""Seconds a push service that calls everybody gone is left alone before one message asks it again."""


class Heard(NamedTuple):
    """What a text, a call, a mail or a post that is over says about its channel; without `why` it was taken."""

    row: Claimed
    why: str | None
    confirmed: bool


@dataclass(slots=True)
class Ended:
    """What has ended since the last transaction and must be recorded with it."""

    settled: list[Settled] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    unreached: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    quarantined: list[str] = field(default_factory=list)
    reinstated: list[str] = field(default_factory=list)

    def joined(self, later: "Ended") -> "Ended":
        """This and what ended after it."""
        return Ended(
            self.settled + later.settled,
            self.heard + later.heard,
            self.unreached + later.unreached,
            self.gone + later.gone,
            self.quarantined + later.quarantined,
            self.reinstated + later.reinstated,
        )


class Sender:
    """Sends what is due until cancelled. One per process."""

    def __init__(
        self,
        database: Database,
        push: WebPush,
        letters: Letters,
        executor: Executor,
        channels: Mapping[str, Channel] | None = None,
        dry_run: bool = False,
    ) -> None:
        """`dry_run`: nothing leaves, pushes included, and every row says so."""
        self.in_hand = 0
        self._dry_run = dry_run
        self._database = database
        self._push = push
        self._letters = letters
        self._executor = executor
        self._channels = dict(channels or {})
        self._gone = GoneWatch(time.monotonic)
        self._ended = Ended()
        self._ownership: Ownership | None = None
        self._last_end = 0.0
        self._looked_for_dead = 0.0
        self._lost: list[str] = []
        self._calls_after = 0.0
        self._called_at = 0.0
        self._parts = 1
        self._stopping = False
        self._ear: Ear | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, ear: Ear) -> None:
        """Claim, send and settle until `stop`; `ear` hears of every commit."""
        self._ear = ear
        try:
            while not (self._stopping and self.in_hand == 0):
                try:
                    await self._once()
                except Exception as error:
                    if reason := outage(error):
                        log.warning("the sender waits for the database", reason=reason)
                    else:
                        log.exception("the sender failed and goes on")
                    await asyncio.sleep(1.0)
        finally:
            await self._leave()

    @property
    def resting(self) -> bool:
        """Whether nothing is being sent and nothing has been for a moment."""
        return self.in_hand == 0 and time.monotonic() - self._last_end > REST_SECONDS

    def stop(self) -> None:
        """Claim nothing more; `run` ends once what is under way has been answered and recorded."""
        self._stopping = True
        if self._ear is not None:
            self._ear.event.set()

    async def _once(self) -> None:
        due, roll = await self._in_thread(self._look)
        room = 0 if self._stopping else MOST_IN_HAND - self.in_hand
        calls = roll and not self._stopping and self._may_call()
        waiting = bool(self._lost) or (due is not None and due <= now())
        if self._ended.settled or calls or (waiting and room > 0):
            called, claimed = await self._turn(room if waiting else 0, calls)
            if called or claimed and claimed == room and self.in_hand < MOST_IN_HAND:
                return
        if self._ear is not None and not (self._stopping and self.in_hand == 0):
            await self._ear.wait(self._pause(due))

    def _may_call(self) -> bool:
        at = time.monotonic()
        return at >= self._calls_after and (self._has_room() or at - self._called_at > CALL_ANYWAY)

    def _has_room(self) -> bool:
        return MOST_IN_HAND - self.in_hand >= rolls.PART * self._parts

    def _pause(self, due: datetime | None) -> float:
        if self.in_hand or self._ended.settled:
            return FLUSH_SECONDS
        until = LOOK_FOR_DEAD_SECONDS if due is None else (due - now()).total_seconds()
        return min(max(until, 0.0), LOOK_FOR_DEAD_SECONDS)

    def _look(self) -> tuple[datetime | None, bool]:
        """When the next delivery is due and whether people wait to be called; once a second also whose rows lie about
        without a living owner."""
        with self._database.read() as session:
            if time.monotonic() - self._looked_for_dead > LOOK_FOR_DEAD_SECONDS:
                self._looked_for_dead = time.monotonic()
                self._lost = self._owned().dead(outbox.owners(session))
            return outbox.next_due(session), rolls.are_waiting(session)

    def _owned(self) -> Ownership:
        if self._ownership is None or not self._ownership.holds():
            self._ownership = take_ownership(self._database)
        return self._ownership

    async def _turn(self, room: int, calls: bool) -> tuple[int, int]:
        """Record, call and claim in one transaction, and send; how many people were called and messages are to be sent."""
        ended, self._ended = self._ended, Ended()
        lost, self._lost = self._lost, []
        unit, started = partial(self._record_and_claim, ended, room, lost, calls), time.monotonic()
        try:
            called, turn = await self._in_thread(partial(self._database.write, unit))
        except BaseException as error:
            # nothing was committed: what has ended must go into the next transaction
            self._ended = ended.joined(self._ended)
            if calls and isinstance(error, Exception) and not isinstance(error, (Overloaded, StorageFull)):
                self._calls_after = time.monotonic() + AFTER_FAILED_CALL
                await self._in_thread(partial(self._database.write, rolls.put_last))
            raise
        if called:
            self._called_at = time.monotonic()
            took = self._called_at - started
            self._parts = min(self._parts + 1, MOST_PARTS) if took < SHORT_TURN else max(self._parts - 1, 1)
        self.in_hand += len(turn)
        for rows, message in together(turn):
            self._send(rows, message)
        return called, len(turn)

    def _record_and_claim(
        self, ended: Ended, room: int, lost: Sequence[str], calls: bool, session: Session
    ) -> tuple[int, list[tuple[Claimed, Message]]]:
        outbox.settle(session, ended.settled)
        for row, why, confirmed in ended.heard:
            if row.person is None:
                if why is not None:
                    climbing.post_failed(session, row.subject)
            elif why is None:
                reachability.note_handed_over(session, row.person, row.channel, confirmed=confirmed)
            else:
                reachability.note_failure(session, row.person, row.channel, why)
        if ended.unreached:
            climbing.push_failed(session, ended.unreached)
        for subscription in ended.gone:
            devices.end_subscription(session, subscription, "gone")
        for subscription in ended.quarantined:
            devices.end_subscription(session, subscription, "quarantined")
        for subscription in ended.reinstated:
            devices.reinstate(session, subscription)
        outbox.revive(session, ended.reinstated, GoneWatch.SECONDS)
        if room == 0 and not calls:
            return 0, []
        hands, called = outbox.Hands(self._owned().name), 0
        if calls:
            fits = self._has_room()
            for _ in range(self._parts):
                more = calling.call_next(session, hands if fits else None)
                called += more
                if more == 0:
                    break
        rows = hands.rows
        if room > len(rows):
            rows = sorted(rows + outbox.claim(session, hands.owner, room - len(rows), lost), key=attrgetter("priority"))
        rows += outbox.claim_beside(
            session, hands.owner, [row for row in rows if row.channel in messages.JOINED], messages.GATHER
        )
        written = self._letters.write(session, rows)
        if len(written) < len(rows):
            told = {row.id for row, _ in written}
            mute = [Settled(row.id, row.attempt, FAILED, "nothing_to_say") for row in rows if row.id not in told]
            outbox.settle(session, mute)
        return called, written

    def _send(self, rows: Sequence[Claimed], message: Message) -> None:
        """Send a message that stands for these deliveries."""
        row = rows[0]
        if self._dry_run:
            log.info("dry run: not sent", channel=row.channel, kind=row.kind, subject=row.subject, deliveries=len(rows))
            self._end_all(rows, Outcome(Result.ACCEPTED, detail=DRY_RUN, confirmed=False))
            return
        if row.channel == self._push.name:
            try:
                self._push.submit(message, partial(self._end, row))
            except Exception:  # one row that cannot be made into a message must not hold up the others
                log.exception("a push could not be written", delivery=row.id)
                self._end(row, Outcome(Result.FAILED, detail="not_built"))
            return
        channel = self._channels.get(row.channel)
        if message.payload["notification"]["data"]["drill"]:
            # nothing queues these; whatever comes to queue one, a drill does not leave the building
            self._end_all(rows, Outcome(Result.BLOCKED, detail="drill"))
            return
        if channel is None:
            self._end_all(rows, Outcome(Result.FAILED, detail="channel_not_set_up"))
            return
        task = asyncio.create_task(self._send_alone(channel, rows, message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_alone(self, channel: Channel, rows: Sequence[Claimed], message: Message) -> None:
        try:
            outcome = await channel.send(message)
        except Exception:
            log.exception("a channel failed", channel=channel.name)
            outcome = Outcome(Result.FAILED, back_off(rows[0].attempt), detail="channel_failed")
        self._end_all(rows, outcome)

    def _end_all(self, rows: Sequence[Claimed], outcome: Outcome) -> None:
        for row in rows:
            self._end(row, outcome)

    def _end(self, row: Claimed, outcome: Outcome) -> None:
        self.in_hand -= 1
        self._last_end = time.monotonic()
        if row.channel == self._push.name and row.endpoint is not None and row.subscription is not None:
            outcome = self._judged(row, row.subscription, row.endpoint, outcome)
            first = row.recipient is not None and row.attempt == 1
            if first and outcome.result is Result.FAILED and outcome.detail in NO_ANSWER:
                self._ended.unreached.append(str(row.recipient))
        last = settled(row, outcome)
        self._ended.settled.append(last)
        if row.channel != self._push.name and last.state in (SENT, FAILED) and outcome.detail not in OWN_REASONS:
            why = None if last.state == SENT else why_failed(outcome)
            self._ended.heard.append(Heard(row, why, outcome.confirmed))
        if self._ear is not None and (self.in_hand == 0 or len(self._ended.settled) >= MOST_IN_HAND // 2):
            self._ear.event.set()

    def _judged(self, row: Claimed, subscription: str, endpoint: str, outcome: Outcome) -> Outcome:
        """Act on what the answer says about the subscription itself; in a storm of "gone" it means only a later try."""
        result, origin = outcome.result, "/".join(endpoint.split("/", 3)[:3])
        if result is Result.GONE:
            verdict = self._gone.gone(origin, subscription)
            if verdict.retire:
                self._ended.gone.append(subscription)
                return outcome
            if verdict.reinstate:
                log.error("a push service calls too many phones gone; none is retired", origin=origin)
                self._ended.reinstated.extend(verdict.reinstate)
                self._ended.gone = [name for name in self._ended.gone if name not in verdict.reinstate]
            if verdict.pause:
                self._push.pause(endpoint, STORM_PAUSE)
            wait = STORM_PAUSE * random.uniform(1.0, 1.25) if verdict.pause else back_off(row.attempt)
            return Outcome(Result.FAILED, wait, outcome.status, "gone_storm")
        if result is Result.BLOCKED:
            self._ended.quarantined.append(subscription)
        elif result is not Result.FAILED:
            self._gone.alive(origin)
            if result is Result.KEY_MISMATCH:
                log.warning("a push service does not take our key", origin=origin)
        return outcome

    async def _leave(self) -> None:
        """Record what has ended, so that a restart repeats as little as possible."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        ended, self._ended = self._ended, Ended()
        ownership = self._ownership

        def record(session: Session) -> None:
            self._record_and_claim(ended, 0, (), False, session)
            if ownership is not None:
                outbox.release(session, ownership.name)

        try:
            await self._in_thread(partial(self._database.write, record))
        finally:
            if ownership is not None:
                await self._in_thread(ownership.release)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)


def why_failed(outcome: Outcome) -> str:
    """Why a channel other than push does not reach somebody, in a word of `reachability.WHYS`."""
    if outcome.detail in ("number_malformed", "mailbox_malformed"):
        return "bad_address"
    said_no = outcome.result is Result.GONE or (outcome.result is Result.FAILED and outcome.retry_after is None)
    return "refused" if said_no else "failed"


def settled(row: Claimed, outcome: Outcome) -> Settled:
    """What to record for a delivery that has just ended so."""
    word = outcome.detail or outcome.result.value
    if outcome.detail == DRY_RUN:
        return Settled(row.id, row.attempt, NOTED, word)  # recorded, but nobody was told
    if outcome.result is Result.ACCEPTED:
        return Settled(row.id, row.attempt, SENT, word if outcome.confirmed else "unconfirmed")
    if outcome.retry_after is not None:
        retry_at = now() + timedelta(seconds=outcome.retry_after)
        if retry_at < row.expires_at:
            return Settled(row.id, row.attempt, PENDING, word, retry_at)
    return Settled(row.id, row.attempt, FAILED, word)
