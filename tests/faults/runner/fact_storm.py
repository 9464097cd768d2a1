"""Facts by the thousand while web, worker and database are killed again and again: each must be there once, with its effect."""

import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import psutil
from sqlalchemy import select

from server.config import Config
from server.domain.people import Team
from server.domain.places import Place
from server.opening import open_database
from tests.faults.runner import limit_storm
from tests.faults.runner.checker import Verdict
from tests.faults.runner.ground import Ground
from tests.faults.runner.run import undeclared
from tests.faults.runner.storm_checks import judge
from tests.faults.runner.storm_phones import Acknowledged, StormPhone

CREW = ("visitors-1", "commander", "security-1", "commander", "it-lead", "commander")
VICTIMS = {"web": 12, "worker": 6, "whole web": 1, "whole worker": 1}
"""How often which is killed: the process at work of either, or it with its parent; of each twenty."""
DATABASE = 4
SECONDS_EACH = 0.15
"""About so long from one kill to the next: over as long as all of them take, limits come due."""
FACTS_A_LIMIT = 100


@dataclass
class Weather:
    """What a storm did: processes killed by kind, and how long it took (seconds)."""

    killed: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


@dataclass(frozen=True)
class Aftermath:
    """What came of a storm; `verdict.wrong` and `errors` are empty when everything held."""

    seed: int
    weather: Weather
    counts: Counter[str]
    verdict: Verdict
    errors: list[str]

    def __str__(self) -> str:
        parts = [f"seed {self.seed}: {self.weather.seconds:.1f} s, {self.weather.killed.total()} kills"]
        for title, found in (
            ("killed", self.weather.killed),
            ("phones", self.counts),
            ("checked", self.verdict.figures),
        ):
            parts.append(f"{title}: " + ", ".join(f"{name} {count}" for name, count in sorted(found.items())))
        parts += [f"WRONG {one}" for one in self.verdict.wrong[:40]]
        parts += [f"LOGGED {one}" for one in self.errors[:20]]
        return "\n".join(parts)


def play(folder: Path, seed: int, facts: int, kills: int, *, postgresql: bool = False, told: bool = False) -> Aftermath:
    """Let phones send until `facts` are acknowledged and `kills` processes were killed, then check every one of them.

    A kill follows so many acknowledged facts as make them last to the end, a moment of up to 30 ms later: whatever is
    killed is at work. With `told`, prints how far it is.
    """
    (folder / "house").mkdir(parents=True)
    ground = Ground(folder, postgresql)
    heard = Acknowledged()
    try:
        ground.house.start()
        phones = _crew(ground, seed, facts, heard)
        _prepare_limits(ground.url, seed, facts, kills)
        threads = [threading.Thread(target=phone.play) for phone in phones]
        for thread in threads:
            thread.start()
        try:
            weather = _blow(ground, Random(f"kills {seed}"), facts, kills, heard, told)
        finally:
            heard.enough.set()
            for thread in threads:
                thread.join()
        limit_storm.calm(ground.url)
        ground.house.stop()
        verdict = Verdict()
        judge(ground.url, heard, verdict)
        return Aftermath(seed, weather, heard.counts, verdict, undeclared(ground))
    finally:
        heard.enough.set()
        ground.close()


def _crew(ground: Ground, seed: int, facts: int, heard: Acknowledged) -> list[StormPhone]:
    database = open_database(Config(database_url=ground.url))
    try:
        with database.read() as session:
            places = sorted(session.scalars(select(Place.id)))
            teams = sorted(session.scalars(select(Team.id)))
    finally:
        database.dispose()
    house = ground.house
    phones = [
        StormPhone(house.port, name, house.password, Random(f"{seed} {number}"), heard, places, teams, ground.url)
        for number, name in enumerate(CREW)
    ]
    for phone in phones:
        phone.sign_in()
    return phones


def _prepare_limits(url: str, seed: int, facts: int, kills: int) -> None:
    database = open_database(Config(database_url=url))
    try:
        count = max(facts // FACTS_A_LIMIT, 20)
        limit_storm.prepare(database, Random(f"limits {seed}"), count, max(kills * SECONDS_EACH, 3.0))
    finally:
        database.dispose()


def _blow(ground: Ground, random: Random, facts: int, kills: int, heard: Acknowledged, told: bool) -> Weather:
    """Kill and kill until enough of both has been."""
    weather, start = Weather(), time.monotonic()
    names, shares = list(VICTIMS), list(VICTIMS.values())
    if ground.postgres is not None:
        names, shares = [*names, "database"], [*shares, DATABASE]
    each = facts / (kills + 1)
    said = start
    while weather.killed.total() < kills:
        heard.wait_for(round(each * (weather.killed.total() + 1)))
        time.sleep(random.uniform(0, 0.03))
        victim = random.choices(names, shares)[0]
        if _kill(ground, victim, random):
            weather.killed[victim] += 1
        if told and time.monotonic() - said > 10:
            said = time.monotonic()
            sys.stdout.write(f"{said - start:5.0f} s: {heard.total} facts, {weather.killed.total()} kills\n")
            sys.stdout.flush()
    heard.wait_for(facts)
    ground.house.wait_until_ready()
    weather.seconds = time.monotonic() - start
    return weather


def _kill(ground: Ground, victim: str, random: Random) -> bool:
    """Kill one; False when it is still being loaded, so that none is at work."""
    if victim == "database":
        assert ground.postgres is not None
        ground.postgres.kill()
        ground.postgres.start()
        return True
    name = victim.removeprefix("whole ")
    if name != victim:
        ground.house.kill(name)
        ground.house.start(name, wait=False)
        return True
    with suppress(psutil.NoSuchProcess, IndexError):
        random.choice(psutil.Process(ground.house.processes[name].pid).children()).kill()
        return True
    time.sleep(0.02)
    return False
