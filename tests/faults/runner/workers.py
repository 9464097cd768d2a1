"""Workers that are killed all the time: `python -m tests.faults.runner.workers COUNT SECONDS KILLS WHOLE SEED`.

Each is a `tocsin worker` as an operator starts it. KILLS times a second one of them dies: the process at work, which its
parent replaces, and in one of WHOLE cases (0: never) the parent with it, which is started anew as systemd would.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from random import Random


def main(count: str, seconds: str, kills: str, whole: str, seed: str) -> None:
    """Say that COUNT workers run, let them die for SECONDS, say how often they did, and end them when told to."""
    random, killed = Random(seed), {"copies": 0, "parents": 0}
    workers = [_start() for _ in range(int(count))]
    until = time.monotonic() + 30
    while not all(map(_at_work, workers)) and time.monotonic() < until:
        time.sleep(0.02)
    _say({"ready": True})
    until = time.monotonic() + float(seconds)
    while time.monotonic() < until:
        time.sleep(random.expovariate(float(kills)))
        number = random.randrange(len(workers))
        if int(whole) and random.randrange(int(whole)) == 0:
            os.killpg(workers[number].pid, signal.SIGKILL)
            workers[number].wait()
            workers[number] = _start()
            killed["parents"] += 1
        else:
            for copy in _at_work(workers[number]):
                with suppress(ProcessLookupError):
                    os.kill(copy, signal.SIGKILL)
                    killed["copies"] += 1
    _say(killed)
    sys.stdin.readline()
    for worker in workers:
        worker.terminate()
    _say({"ends": [worker.wait() for worker in workers]})


def _start() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "server.cli", "worker"]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=2, start_new_session=True)


def _at_work(worker: subprocess.Popen[bytes]) -> list[int]:
    """The process that a worker's parent has at work now; empty while it is loading."""
    return [int(one) for one in Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()]


def _say(what: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
