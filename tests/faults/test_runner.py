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


@pytest.mark.long
@pytest.mark.parametrize("postgresql", [False, True], ids=["sqlite", "postgresql"])
def test_nothing_is_lost_or_done_twice_when_the_machine_begins_again_on_a_backup(
    tmp_path: Path, postgresql: bool
) -> None:
    """Phones bring back what the backup lacks, in whatever order they come, and what another has still to bring waits."""
    outcome = play(tmp_path, SEED, 15.0, postgresql=postgresql, phones=6, every=(2.0, 4.0), restores=2)
    hold(outcome)
    assert outcome.counts["offered again"] >= 2 * 6, str(outcome)
    assert outcome.counts["waits for others"] > 0, str(outcome)
    # What nobody can bring back: the alerts of limits that had passed, and so what was said of them.
    lost = outcome.verdict.figures["refused after a restore"]
    assert lost <= outcome.verdict.figures["applied"] / 20, str(outcome)


def hold(outcome: Outcome) -> None:
    """Nothing was broken, and enough happened to say so."""
    assert not outcome.verdict.wrong, str(outcome)
    assert not outcome.errors, str(outcome)
    assert outcome.verdict.figures["applied"] > 20
    assert sum(outcome.deeds.values()) >= 3


def test_a_seed_replays_its_misfortunes() -> None:
    assert schedule(7, 60, (0.4, 1.6), True) == schedule(7, 60, (0.4, 1.6), True)
    assert [one.what for one in schedule(7, 60, (0.4, 1.6), True, 2)].count("restore backup") == 2
    assert schedule(7, 60, (0.4, 1.6), True) != schedule(8, 60, (0.4, 1.6), True)
