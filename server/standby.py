"""A program that is loaded once and whose work is done by a copy of it: when the copy is killed, the next is there at once.

The one that has loaded does nothing else, so that nothing can go wrong in it: it holds no database open and starts no thread, and
a fork of it shares its memory. Whatever kills it as well is survived by who started it, in the time that loading takes.
"""

import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

import click
from sqlalchemy.orm import configure_mappers

from server.engines import open_engine

log = logging.getLogger("tocsin.standby")

TOLD = {signal.SIGTERM, signal.SIGINT}
BRIEF_SECONDS = 0.5
"""One that returned of itself sooner than this begins anew only after a pause as long."""


def settle(url: str) -> None:
    """What every copy would do for itself: load the driver, join the tables, tell the collector that what is there stays."""
    open_engine(url).dispose()  # nothing is connected
    configure_mappers()
    gc.collect()
    gc.freeze()


def keep(work: Callable[[], object], url: str) -> int:
    """Have `work` done in a forked process, again whenever that is killed or returns unasked, until told to stop.

    Returns the exit status for this process: 0 when told to stop, otherwise that of a copy which failed by itself; what it
    says in its log is for the operator, and trying the same again from the same memory would not help.
    """
    settle(url)
    child = 0
    stopping = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True
        if child:
            with suppress(ProcessLookupError):  # it has just ended of itself
                os.kill(child, signal.SIGTERM)

    for number in TOLD:
        signal.signal(number, stop)
    while True:
        begun = time.monotonic()
        reading, writing = os.pipe()
        signal.pthread_sigmask(signal.SIG_BLOCK, TOLD)  # a word that comes in between would reach no child
        child = 0 if stopping else os.fork()
        if not child and not stopping:
            os.close(writing)
            _be_the_child(work, reading)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, TOLD)
        os.close(reading)
        status = os.waitpid(child, 0)[1] if child else 0
        child = 0
        os.close(writing)
        ended = os.waitstatus_to_exitcode(status)
        if stopping:
            return 0
        if ended not in (0, -signal.SIGKILL, -signal.SIGTERM):
            log.error("the process at work failed with %s", ended)
            return ended if ended > 0 else 1
        log.info("the process at work ended with %s and another begins", ended)
        if ended == 0 and time.monotonic() - begun < BRIEF_SECONDS:
            time.sleep(BRIEF_SECONDS)


def _be_the_child(work: Callable[[], object], parent: int) -> None:
    """Do the work and leave; told to stop also when the parent is gone, for then another one is on its way."""
    for number in TOLD:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, TOLD)
    threading.Thread(target=_follow, args=(parent,), name="parent", daemon=True).start()
    status = 1
    try:
        work()
        status = 0
    except click.ClickException as error:
        error.show()
    except BaseException:
        log.exception("the process at work failed")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _follow(parent: int) -> None:
    os.read(parent, 1)  # nothing is ever written: it returns when the other end closes
    os.kill(os.getpid(), signal.SIGTERM)
