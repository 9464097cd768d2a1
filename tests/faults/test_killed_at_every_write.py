"""D1: the server killed at its N-th write or sync, for one N after another: what was answered is there, and a repeat ends the rest."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from server.config import Config
from server.domain import timeline
from server.domain.facts import Fact
from server.domain.field_reports import Report
from server.domain.timeline import Entry
from server.opening import open_database
from tests.cast import Stage
from tests.faults.facts_process import FACTS
from tests.faults.runner.checker import Verdict, feed_says_what_rows_say

STEP = int(os.environ.get("TOCSIN_TEST_KILL_STEP", "6"))
"""Every so-maniest write is tried; 1: all of them."""
STRACE = shutil.which("strace")
pytestmark = [
    pytest.mark.faults, pytest.mark.long, pytest.mark.timeout(3600),
    pytest.mark.skipif(STRACE is None, reason="strace is not installed"),
]  # fmt: skip


def run(command: list[str], url: str, folder: Path, token: str, incident: str) -> tuple[int, dict[str, int]]:
    done = subprocess.run(
        [*command, sys.executable, "-m", "tests.faults.facts_process", url, str(folder), token, incident],
        capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    lines = [line.split() for line in done.stdout.splitlines()]
    return done.returncode, {line[0]: int(line[1]) for line in lines if len(line) == 2}


@pytest.mark.parametrize("call", ["pwrite64", "fdatasync"])
@pytest.mark.parametrize("stage", ["sqlite"], indirect=True)
def test_d1_what_was_answered_is_there_and_a_repeat_ends_the_rest(
    stage: Stage, call: str, tmp_path: Path, make_empty_database: Callable[[str], str]
) -> None:
    incident = stage["visitors_one"].fact("/incidents", {"title": "漏水"})
    token = stage.cast.tokens["visitors_one"]
    stage.database.dispose()
    assert STRACE is not None
    number, killed = 1, 0
    while True:
        url = make_empty_database("sqlite")
        shutil.copyfile(stage.database.url.removeprefix("sqlite:///"), url.removeprefix("sqlite:///"))
        inject = ["-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}"]
        code, said = run([STRACE, "-f", "-qq", "-o", "/dev/null", *inject], url, tmp_path, token, incident)
        assert set(said.values()) <= {201}
        check(url, incident, set(said))
        if code == 0:
            break
        killed += 1
        again, answers = run([], url, tmp_path, token, incident)
        assert again == 0
        assert list(answers) == list(FACTS)
        assert {answers[id] for id in said} <= {200}, "what was answered is a repeat"
        check(url, incident, set(FACTS))
        number += STEP
    assert killed, "it was killed at all"


def check(url: str, incident: str, acknowledged: set[str]) -> None:
    """Everything acknowledged is there once with its effect, nothing else half done, the file and the chain are sound."""
    database = open_database(Config(database_url=url))
    try:
        with database.read() as session:
            kept = set(session.scalars(select(Fact.id).where(Fact.id.in_(FACTS), Fact.outcome == "applied")))
            assert acknowledged <= kept
            for id in FACTS:
                lines = session.scalar(select(func.count()).where(Entry.refs.contains(id))) or 0
                assert lines == (1 if id in kept else 0), id
            reports = session.scalar(select(func.count()).select_from(Report)) or 0
            assert reports == int(FACTS[3] in kept)
            assert timeline.broken_at(session, incident) is None
            verdict = Verdict()
            feed_says_what_rows_say(session, verdict)
            assert verdict.wrong == []
            assert session.scalars(text("PRAGMA integrity_check")).all() == ["ok"]
    finally:
        database.dispose()
