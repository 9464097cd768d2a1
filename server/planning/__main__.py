"""The plan language at the command line: `python -m server.planning lint FILE…`, `simulate FILE STEP…`, `schema`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from server.planning import phrases
from server.planning.compiler import compile_plan
from server.planning.findings import Finding, PlanErrors
from server.planning.lint import lint_text
from server.planning.schema import json_schema
from server.planning.simulate import Happening, Step, simulate
from server.planning.steps import StepUnfit


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when the plans are sound, 1 when something was found, 2 when the words were wrong."""
    parser = argparse.ArgumentParser(prog="python -m server.planning")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("lint", help="what the plans get wrong").add_argument("files", nargs="+", type=Path)
    rehearse = commands.add_parser("simulate", help="what would happen to whom")
    rehearse.add_argument("file", type=Path)
    rehearse.add_argument(
        "steps", nargs="+", help="FACT, or NAME=VALUE, or either with @TIME, such as service.restored@25min"
    )
    rehearse.add_argument("--start", type=datetime.fromisoformat, default=datetime(2026, 1, 5, 2, 0, tzinfo=UTC))
    commands.add_parser("schema", help="the JSON Schema for editors")
    given = parser.parse_args(arguments)
    if given.command == "lint":
        return _lint(given.files)
    if given.command == "schema":
        sys.stdout.write(schema_text())
        return 0
    try:
        plan = compile_plan(given.file.read_bytes(), str(given.file))
        steps = [step(word) for word in given.steps]
    except PlanErrors as errors:
        return _write(map(str, errors.findings)) or 1
    except phrases.PhraseError as error:
        parser.error(str(error))
    start = given.start if given.start.tzinfo else given.start.replace(tzinfo=UTC)
    try:
        return _write(line(one, start) for one in simulate(plan, steps, start))
    except StepUnfit as error:
        parser.error(f"{error.en} {error.zh}")


def _lint(files: Iterable[Path]) -> int:
    found = [finding for file in files for finding in lint_text(file.read_bytes(), str(file))]
    _write(map(said, found))
    return 1 if found else 0


def schema_text() -> str:
    """The JSON Schema as the file `docs/plan.schema.json` holds it."""
    return json.dumps(json_schema(), ensure_ascii=False, indent=1) + "\n"


def said(finding: Finding) -> str:
    """A finding as one line, with what to do about it."""
    return f"{finding} {finding.proposal_zh} {finding.proposal_en}".rstrip()


def step(word: str) -> Step:
    """A step as typed: FACT or NAME=VALUE, either with @TIME. Raises PhraseError."""
    what, _, at = word.partition("@")
    name, _, value = what.partition("=")
    seconds = phrases.length(at).seconds if at else 0
    return Step(timedelta(seconds=seconds), name, _value(value) if value else True)


def _value(word: str) -> bool | int | float | str:
    if word in ("true", "false"):
        return word == "true"
    try:
        return phrases.number(word)
    except phrases.PhraseError:
        return word


def line(one: Happening, start: datetime) -> str:
    """A happening as one line: time since the start, kind, rule, teams, words, clause."""
    teams = ", ".join(one.to)
    words = f"{one.words.zh} | {one.words.en}" if one.words else ""
    clause = f"[{one.clause.ref}]" if one.clause else ""
    return "  ".join(part for part in (str(one.at - start), one.kind, one.rule, teams, words, clause) if part)


def _write(lines: Iterable[str]) -> int:
    for one in lines:
        sys.stdout.write(f"{one}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
