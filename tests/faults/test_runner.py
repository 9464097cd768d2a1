"""Short runs of the fault runner: phones keep working while everything is killed, and nothing is lost or done twice."""

from pathlib import Path

import pytest

from tests.faults.runner.nemesis import schedule
from tests.faults.runner.run import play

pytestmark = [pytest.mark.faults, pytest.mark.long, pytest.mark.timeout(400)]


@pytest.mark.parametrize(
    ("postgresql", "seconds", "phones"), [(False, 9.0, 6), (True, 6.0, 4)], ids=["sqlite", "postgresql"]
)
def test_nothing_is_lost_or_done_twice(tmp_path: Path, postgresql: bool, seconds: float, phones: int) -> None:
    outcome = play(tmp_path, 20261123, seconds, postgresql=postgresql, phones=phones)
    assert not outcome.verdict.wrong, str(outcome)
    assert not outcome.errors, str(outcome)
    assert outcome.verdict.figures["applied"] > 50
    assert sum(outcome.deeds.values()) >= 4


def test_a_seed_replays_its_misfortunes() -> None:
    assert schedule(7, 60, (0.4, 1.6), True) == schedule(7, 60, (0.4, 1.6), True)
    assert schedule(7, 60, (0.4, 1.6), True) != schedule(8, 60, (0.4, 1.6), True)
