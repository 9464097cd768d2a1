"""When a process may no longer trust its database file: it writes nothing more and begins anew."""

import logging
import os
import resource
import signal
from pathlib import Path

log = logging.getLogger("tocsin.database")
ROOM = 1024 * 1024
"""Bytes that a commit may need."""


class Trust:
    """Whether the file this process has open is still the one at its path, and took what was written to it."""

    def __init__(self, path: Path | None) -> None:
        self._path, self._name = path, str(path)
        self._known: tuple[int, int] | None = None
        self._lost = False

    def holds(self) -> bool:
        """False once the file was removed or replaced, or failed to write; the process is told to end with that."""
        if self._path is None or self._lost:
            return not self._lost
        try:
            found = os.stat(self._name)  # noqa: PTH116 - at every request, and a Path costs as much again
        except FileNotFoundError:
            if self._known is not None:
                self.lose("is gone")
            return not self._lost
        now = (found.st_dev, found.st_ino)
        if self._known is None:
            self._known = now
        elif now != self._known:
            self.lose("was replaced")
        return not self._lost

    def forget(self) -> None:
        """Begin with whatever file is there next, as after closing all connections."""
        self._known = None

    def doubt(self, error: BaseException) -> None:
        """Look at why a commit failed: after a failed write or sync nobody knows what is on the disk.

        A sync must not be tried again: the kernel may have dropped what it could not write, and report success.
        """
        if self._path is not None and "disk I/O error" in str(error) and not _at_a_limit(self._path):
            self.lose("could not be written")

    def lose(self, why: str) -> None:
        """Trust it no more: whoever runs this process starts it anew."""
        if not self._lost:
            self._lost = True
            log.critical("the database file %s; this process begins anew", why)
            os.kill(os.getpid(), signal.SIGTERM)


def _at_a_limit(path: Path) -> bool:
    """Whether a file may grow no further for this process: the same word of SQLite's, but nothing was lost on the way."""
    most, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if most == resource.RLIM_INFINITY:
        return False
    files = (path, path.with_name(f"{path.name}-wal"))
    return any(one.stat().st_size + ROOM > most for one in files if one.exists())
