"""Short runs of the fault runner: phones keep working while everything is killed, and nothing is lost or done twice."""

from pathlib import Path

import pytest

from tests.faults.runner.nemesis import schedule
from tests.faults.runner.run import Outcome, play

pytestmark = [pytest.mark.faults, pytest.mark.timeout(400)]
SEED = 20261123


def test_nothing_is_lost_or_done_twice(tmp_path: Path) -> None:
    hold(play(tmp_path, SEED, 5.0, phones=4))


@pytest.mark.long
@pytest.mark.parametrize("postgresql", [False, True], ids=["sqlite", "postgresql"])
def test_nothing_is_lost_or_done_twice_for_longer(tmp_path: Path, postgresql: bool) -> None:
    hold(play(tmp_path, SEED, 30.0, postgresql=postgresql, phones=6))


def hold(outcome: Outcome) -> None:
    """Nothing was broken, and enough happened to say so."""
    assert not outcome.verdict.wrong, str(outcome)
    assert not outcome.errors, str(outcome)
    assert outcome.verdict.figures["applied"] > 20
    assert sum(outcome.deeds.values()) >= 3


def test_a_seed_replays_its_misfortunes() -> None:
    assert schedule(7, 60, (0.4, 1.6), True) == schedule(7, 60, (0.4, 1.6), True)
    assert schedule(7, 60, (0.4, 1.6), True) != schedule(8, 60, (0.4, 1.6), True)
