"""Doors: of those who bring much, a few are let in at a time, so that whoever brings little meets a server that has time."""

import random
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from server.domain.errors import Busy

AGAIN_SECONDS = (2, 6)
"""When those who are turned away come again: spread, so that they do not meet again."""


class Door:
    """Lets so many in at a time within this process, in the order they came, and keeps a bounded line before it."""

    def __init__(self, inside: int, waiting: int, seconds: float) -> None:
        self._mutex = threading.Lock()
        self._free, self._most, self._seconds = inside, waiting, seconds
        self._line: deque[threading.Event] = deque()

    def __len__(self) -> int:
        """How many wait before it."""
        with self._mutex:
            return len(self._line)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Be inside. Raises Busy when the line is full, or when it takes too long."""
        self._enter()
        try:
            yield
        finally:
            self._leave()

    def _enter(self) -> None:
        with self._mutex:
            if self._free:
                self._free -= 1
                return
            if len(self._line) >= self._most:
                raise _busy()
            mine = threading.Event()
            self._line.append(mine)
        try:
            mine.wait(self._seconds)
        except BaseException:
            if not self._gave_up(mine):
                self._leave()
            raise
        if self._gave_up(mine):
            raise _busy()

    def _gave_up(self, mine: threading.Event) -> bool:
        """Take a place out of the line; False when it has been let in meanwhile."""
        with self._mutex:
            if mine.is_set():
                return False
            self._line.remove(mine)
            return True

    def _leave(self) -> None:
        with self._mutex:
            if self._line:
                self._line.popleft().set()
            else:
                self._free += 1


def _busy() -> Busy:
    return Busy(random.randint(*AGAIN_SECONDS))
