"""Facts through kill -9 of web, worker and database: every acknowledged one is there once, with its effect and its line."""

from pathlib import Path

import pytest

from tests.faults.runner.fact_storm import play

pytestmark = [pytest.mark.faults, pytest.mark.timeout(400)]
SEED = 20261128


def storm(folder: Path, facts: int, kills: int, postgresql: bool = False) -> None:
    came = play(folder, SEED, facts, kills, postgresql=postgresql)
    assert not came.verdict.wrong, str(came)
    assert not came.errors, str(came)
    assert came.verdict.figures["acknowledged"] >= facts
    assert came.weather.killed.total() == kills


def test_acknowledged_facts_are_there_once_through_a_hundred_kills(tmp_path: Path) -> None:
    storm(tmp_path, 20_000, 100)


@pytest.mark.long
def test_acknowledged_facts_are_there_once_when_the_database_is_killed_too(tmp_path: Path) -> None:
    storm(tmp_path, 4_000, 20, postgresql=True)
