"""Even shares of the connections: a web process that has more than another lets that one take the next.

The kernel wakes every process for a new connection, and in a burst the one that is already running takes nearly all of them; what
they then send keeps one processor busy and leaves the others idle. Each process writes how many it has where all can read it.
"""

import mmap
from typing import Any

from gevent.server import StreamServer

SLOTS = 256
"""More than there are processes at any time, those that are leaving among them."""
NOBODY = -1
WAIT_SECONDS = 0.005
"""How long the next connection is left to the others, at most; then it is taken all the same."""


class Shares:
    """How many connections each process has; made in the parent, in memory that its children share."""

    def __init__(self) -> None:
        self._counts = memoryview(mmap.mmap(-1, SLOTS * 8)).cast("q")
        for number in range(SLOTS):
            self._counts[number] = NOBODY

    def join(self, process: int) -> None:
        """Say that this process takes connections from now on; processes are numbered one after another."""
        if self._counts[process % SLOTS] == NOBODY:
            self._counts[process % SLOTS] = 0

    def more(self, process: int, count: int) -> None:
        """Say that this process has so many more, or fewer."""
        if self._counts[process % SLOTS] != NOBODY:
            self._counts[process % SLOTS] += count

    def leave(self, process: int) -> None:
        """Say that this process takes none any more."""
        self._counts[process % SLOTS] = NOBODY

    def ahead(self, process: int) -> bool:
        """Whether another process that takes connections has clearly fewer."""
        mine = self._counts[process % SLOTS]
        least = min((count for count in self._counts if count != NOBODY), default=mine)
        return mine - least > 1 + mine // 16


class Server(StreamServer):  # type: ignore[misc]
    """Takes connections after the others when it is ahead of them, and a few each time it looks up from the open ones.

    With one each time, the last of five hundred that come at once is first heard after two seconds.
    """

    max_accept = 8

    def __init__(self, shares: Shares, process: int, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._shares, self._process, self._waited = shares, process, False

    def do_read(self) -> Any:
        """The next connection, or None when it is left to the others for a moment or somebody else was first."""
        if not self._waited and self._shares.ahead(self._process):
            self._waited = True
            self.stop_accepting()
            self._timer = self.loop.timer(WAIT_SECONDS)
            self._timer.start(self._start_accepting_if_started)
            return None
        self._waited = False
        taken = super().do_read()
        if taken:
            self._shares.more(self._process, 1)
        return taken

    def init_socket(self) -> None:
        """Begin to take connections."""
        self._shares.join(self._process)
        super().init_socket()

    def close(self) -> None:
        """Take no more."""
        self._shares.leave(self._process)
        super().close()
