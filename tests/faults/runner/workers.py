"""Workers that are killed all the time: `python -m tests.faults.runner.workers URL FOLDER COUNT SECONDS KILLS SEED`.

One process loads the program once and forks the workers from it, so that a killed one is back within a fraction of a second.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path
from random import Random

from server.cli import CHORES
from server.config import Config
from server.delivery.worker import run_worker
from server.opening import opened


def main(url: str, folder: str, count: str, seconds: str, kills: str, seed: str) -> None:
    """Say that COUNT workers run, kill KILLS of them a second for SECONDS, say so, and end them when told to."""
    random, config = Random(seed), Config(data_folder=Path(folder), database_url=url, secret_key="s" * 40)
    workers = [_fork(config) for _ in range(int(count))]
    _say({"ready": True})
    killed, until = 0, time.monotonic() + float(seconds)
    while time.monotonic() < until:
        time.sleep(random.expovariate(float(kills)))
        number = random.randrange(len(workers))
        os.kill(workers[number], signal.SIGKILL)
        os.waitpid(workers[number], 0)
        workers[number] = _fork(config)
        killed += 1
    _say({"killed": killed})
    sys.stdin.readline()
    for worker in workers:
        os.kill(worker, signal.SIGTERM)
    ends = [os.waitpid(worker, 0)[1] for worker in workers]
    _say({"ends": ends})


def _say(what: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def _fork(config: Config) -> int:
    worker = os.fork()
    if worker:
        return worker
    os.dup2(2, 1)  # what is said to the parent stays its own
    try:
        database = opened(config)
        run_worker(config, database, CHORES)
        database.dispose()
        os._exit(0)
    except BaseException as error:
        sys.stderr.write(f"{error!r}\n")
        os._exit(3)


if __name__ == "__main__":
    main(*sys.argv[1:])
