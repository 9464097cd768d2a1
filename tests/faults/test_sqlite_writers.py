"""Six processes that write to one SQLite file: every commit is kept and nobody is told of a lock."""

import subprocess
import sys
from collections.abc import Callable

import pytest
from sqlalchemy import func, select

from server.config import Config
from server.domain.feed import Space
from server.domain.places import Place
from server.opening import open_database

pytestmark = pytest.mark.faults


def test_six_processes_write_without_an_error(make_database: Callable[[str], str]) -> None:
    url = make_database("sqlite")
    command = [sys.executable, "-m", "tests.faults.writer_process", url, "3"]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    said = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 6
    counts = [one.split(" ", 1) for one in said]
    assert [errors for _, errors in counts] == [""] * 6
    database = open_database(Config(database_url=url))
    with database.read() as session:
        total = sum(int(count) for count, _ in counts)
        assert session.scalar(select(func.count()).select_from(Place)) == total > 100
        assert session.scalar(select(Space.version).where(Space.id == "org")) == total
    database.dispose()
