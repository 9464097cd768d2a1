"""Runs a coroutine in a loop and thread of its own: the browser tests keep a loop running in the main thread."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")


def run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What `work()` returns or raises, on the loop the worker uses."""

    def inside() -> T:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(work())

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(inside).result()
