"""What goes wrong and when: a schedule made from the seed alone, and the hands that carry it out."""

import resource
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from random import Random

import psutil

from tests.faults.runner.ground import Ground

WEB, WORKER = "web", "worker"
DEEDS = (
    "kill web",
    "kill one",
    "kill one",
    "kill worker",
    "kill one at work",
    "pause web",
    "pause worker",
    "fill disk",
    "clock on",
    "clock on",
    "clock back",
)
FULL_AT = 4_096
"""Bytes beyond which no file may grow while the disk is full."""
ON_POSTGRESQL = ("kill database", "cut database")
RESTORE = "restore backup"


@dataclass(frozen=True)
class Deed:
    """One misfortune: seconds after the start, what, and how much of it (seconds)."""

    at: float
    what: str
    much: float


def schedule(seed: int, seconds: float, every: tuple[float, float], postgresql: bool, restores: int = 0) -> list[Deed]:
    """The misfortunes of a run, the same for the same arguments; `restores` times all is lost but a backup."""
    random = Random(f"nemesis {seed}")
    deeds, at = [], random.uniform(*every)
    while at < seconds:
        what = random.choice(DEEDS + (ON_POSTGRESQL if postgresql else ()))
        much = {"clock on": random.uniform(30, 400), "clock back": -random.uniform(0.2, 20)}.get(
            what, random.uniform(0, 1.2)
        )
        deeds.append(Deed(at, what, much))
        at += random.uniform(*every)
    for number in range(restores):
        deeds.append(Deed(seconds * (number + 1) / (restores + 1), RESTORE, random.uniform(1.0, 3.0)))
    return sorted(deeds, key=lambda deed: deed.at)


class Nemesis:
    """Carries a schedule out on the running processes; what it stopped or killed comes back at once or by `heal`."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.done: Counter[str] = Counter()

    def play(self, deeds: list[Deed]) -> None:
        """Do each deed at its time; what was killed is started again at once, as a supervisor would."""
        start = time.monotonic()
        for deed in deeds:
            time.sleep(max(0.0, start + deed.at - time.monotonic()))
            self._do(deed)
            self.done[deed.what] += 1
        self.heal()

    def heal(self) -> None:
        """Let everything run again."""
        self.ground.house.wait_until_ready()

    def _do(self, deed: Deed) -> None:
        house = self.ground.house
        if deed.what in ("kill web", "kill worker"):
            name = deed.what.removeprefix("kill ")
            house.kill(name)
            time.sleep(deed.much / 4)
            house.start(name, wait=False)
        elif deed.what in ("kill one", "kill one at work"):
            # one that its parent replaces: of the web's, or the worker's only one
            children = psutil.Process(house.processes[WEB if deed.what == "kill one" else WORKER].pid).children()
            if children:
                with suppress(psutil.NoSuchProcess):
                    children[int(deed.much * 1000) % len(children)].kill()
        elif deed.what.startswith("pause"):
            with house.paused(deed.what.removeprefix("pause ")):
                time.sleep(deed.much)
        elif deed.what == RESTORE:
            self._restore(deed.much)
        elif deed.what == "fill disk":
            self._fill(deed.much)
        elif deed.what.startswith("clock"):
            house.move(deed.much)
        elif deed.what == "kill database":
            assert self.ground.postgres is not None
            self.ground.postgres.kill()
            time.sleep(deed.much / 4)
            self.ground.postgres.start()
        elif deed.what == "cut database":
            assert self.ground.postgres is not None
            self.ground.postgres.cut()

    def _restore(self, seconds: float) -> None:
        """Back up, let people work on, lose the machine, and start again on what the backup holds."""
        self.ground.house.wait_until_ready()
        self.ground.back_up()
        time.sleep(seconds)
        for name in (WEB, WORKER):
            self.ground.house.kill(name)
        self.ground.restore()
        self.ground.house.start(wait=False)

    def _fill(self, seconds: float) -> None:
        """Let no process of the web write a file any further for a while, as on a full disk."""
        children = psutil.Process(self.ground.house.processes[WEB].pid).children()
        for size, pause in ((FULL_AT, seconds), (resource.RLIM_INFINITY, 0.0)):
            for child in children:
                with suppress(psutil.NoSuchProcess):
                    child.rlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
            time.sleep(pause)
