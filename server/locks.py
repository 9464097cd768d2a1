"""Locks of the kernel on files: whoever dies lets go of them."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path


@contextmanager
def locked_file(path: Path, deadline: float, turnstile: Path | None = None) -> Iterator[None]:
    """Hold the kernel's lock on a file. Raises TimeoutError at the deadline, by the monotonic clock.

    Who has just had the lock queues at the turnstile behind the one that waits for it: without it a busy process would take
    the lock again and again.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with locked_file(turnstile, deadline) if turnstile else nullcontext():
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise TimeoutError from None
                    time.sleep(0.001)
        yield
    finally:
        os.close(handle)
