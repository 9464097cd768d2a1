"""Whose turn it is at the one writer of a process: who brings little goes first, and who brings much still gets on."""

import contextvars
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

TURN_SECONDS = 0.03
"""How long one commit goes on taking units: so long, and for one more, everybody else waits for the lock."""
MOST = 256
"""Units in one commit."""


class Ticket:
    """One unit of work waiting for the writer; `long` is one that brings many facts."""

    def __init__(self, unit: Callable[[Any], Any], *, long: bool = False) -> None:
        self.unit, self.long = unit, long
        self.told = threading.Event()
        """Set when it is done, or when whoever waits for it is to lead."""
        self.done = False
        self.since = time.monotonic()
        # The unit may be run by another request's thread or greenlet, but must see its own request.
        self.context = contextvars.copy_context()
        self.result: Any = None
        self.error: BaseException | None = None

    def settle(self) -> None:
        """Say that it is done, with what it has as its result or error."""
        self.done = True
        self.told.set()


class Turns:
    """The line of those who wait, short and long apart, and whether one of them leads a commit."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._short: deque[Ticket] = deque()
        self._long: deque[Ticket] = deque()
        self._led = False

    def __len__(self) -> int:
        """How many wait."""
        with self._mutex:
            return len(self._short) + len(self._long)

    def join(self, ticket: Ticket) -> None:
        """Wait in line; who finds nobody leading is told to lead."""
        with self._mutex:
            (self._long if ticket.long else self._short).append(ticket)
            if not self._led:
                self._led = True
                ticket.told.set()

    def since(self) -> float:
        """When the next in line came, by the monotonic clock."""
        with self._mutex:
            return next((line[0].since for line in (self._short, self._long) if line), time.monotonic())

    def taken(self) -> Iterator[Ticket]:
        """Those whose turn it is in one commit: the short ones while there is time, and of the long at least one.

        Who comes meanwhile is taken too. A long one never waits for more than the short ones of one turn, and a short
        one for no more than one turn.
        """
        until, long = time.monotonic() + TURN_SECONDS, 0
        for number in range(MOST):
            late = number > 0 and time.monotonic() >= until
            with self._mutex:
                if self._short and not late:
                    ticket = self._short.popleft()
                elif self._long and not (late and long):
                    ticket = self._long.popleft()
                    long += 1
                else:
                    return
            yield ticket

    def turned_away(self, before: float) -> list[Ticket]:
        """Everybody who came before this moment and could not be served: out of the line."""
        found = []
        with self._mutex:
            for line in (self._short, self._long):
                while line and line[0].since <= before:
                    found.append(line.popleft())
        return found

    def hand_over(self) -> None:
        """Let the next in line lead, if there is one."""
        with self._mutex:
            following = next((line[0] for line in (self._short, self._long) if line), None)
            self._led = following is not None
            if following is not None:
                following.told.set()
