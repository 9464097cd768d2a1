"""The commands of the plan language: lint, simulate, schema."""

import json
from pathlib import Path

import pytest

from server.planning.__main__ import main

FIXTURES = Path(__file__).parent / "fixtures"


def test_lint_says_what_is_wrong_and_what_to_do(capsys):
    assert main(["lint", str(FIXTURES / "clean.yaml")]) == 0
    assert capsys.readouterr().out == ""
    assert main(["lint", str(FIXTURES / "lint-08-two-tiers.yaml")]) == 1
    assert "LINT-8" in capsys.readouterr().out


def test_simulate_prints_what_would_happen_to_whom(capsys):
    assert main(["simulate", str(FIXTURES / "clean.yaml"), "plan.activated", "queue.people=60@5min"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("0:30:00  alert  eased  leadership") and "[003-05 §1]" in line for line in lines)
    assert any(line.startswith("0:05:00  level_proposed  queue.heavy") for line in lines)


def test_simulate_refuses_what_it_cannot_read(capsys):
    with pytest.raises(SystemExit):
        main(["simulate", str(FIXTURES / "clean.yaml"), "plan.activated@soon"])
    assert "soon" in capsys.readouterr().err
    assert main(["simulate", str(FIXTURES / "lint-11-unknown-team.yaml"), "plan.activated"]) == 1


def test_the_schema_for_editors_is_what_the_code_gives(capsys):
    assert main(["schema"]) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed)["title"] == "Tocsin plan"
    kept = Path(__file__).parents[2] / "docs" / "plan.schema.json"
    assert kept.read_text(encoding="utf-8") == printed, "run `make api`"
