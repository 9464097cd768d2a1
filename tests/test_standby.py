"""A copy at work that is killed is replaced at once; whoever keeps it ends with it where trying again would not help."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

PROGRAM = """
import os, sys, time, uuid_utils
from server import standby
from server.db import new_id
new_id()
def work():
    print(os.getpid(), new_id(), time.monotonic(), flush=True)
    if sys.argv[1] == "fail":
        sys.exit("no")
    time.sleep(0 if sys.argv[1] == "return" else 60)
sys.exit(standby.keep(work, "sqlite://"))
"""


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[str]]]:
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def start(started: list[subprocess.Popen[str]], how: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, how]
    started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True))
    return started[-1]


def at_work(process: subprocess.Popen[str]) -> tuple[int, str, float]:
    assert process.stdout is not None
    pid, made, at = process.stdout.readline().split()
    return int(pid), made, float(at)


def gone(pid: int) -> bool:
    until = time.monotonic() + 5
    while time.monotonic() < until:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.01)
    return False


def test_a_killed_copy_is_replaced_and_none_outlives_its_parent(started: list[subprocess.Popen[str]]) -> None:
    process = start(started, "stay")
    seen = [at_work(process)]
    for number in (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM):
        os.kill(seen[-1][0], number)
        seen.append(at_work(process))
    assert len({pid for pid, _, _ in seen}) == 4
    assert len({made[15:] for _, made, _ in seen}) == 4, "copies of one memory make ids of their own"
    process.kill()
    process.wait()
    assert gone(seen[-1][0]), "the next parent brings its own"


def test_told_to_stop_it_ends_well_with_its_copy(started: list[subprocess.Popen[str]]) -> None:
    process = start(started, "stay")
    pid, _, _ = at_work(process)
    process.terminate()
    assert process.wait(10) == 0
    assert gone(pid)


def test_one_that_returns_unasked_begins_anew_after_a_pause_and_one_that_fails_ends_it(
    started: list[subprocess.Popen[str]],
) -> None:
    process = start(started, "return")
    times = [at_work(process)[2] for _ in range(2)]
    assert times[1] - times[0] > 0.4, "it does not go round and round"
    process.terminate()
    assert process.wait(10) == 0
    failing = start(started, "fail")
    at_work(failing)
    assert failing.wait(10) == 1
