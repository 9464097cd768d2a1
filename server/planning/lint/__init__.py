"""The linter: what a plan that compiles may still get wrong, each finding with a sentence and a proposal.

texts looks at wording, levels at level tables, clocks at limits, people at teams and authority, safety at physical facts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sized
from dataclasses import replace

from server.planning.compiler import Compiled, compile_source
from server.planning.findings import Finding, PlanErrors
from server.planning.lint import clocks, levels, people, safety, texts
from server.planning.lint.report import Report

# What the compiler finds, under the linter's code with what to do about it.
CODES_OF_ERRORS = {
    "placeholder": ("LINT-1", "填上实际的数字。", "Fill in the number."),
    "unknown_level": (
        "LINT-4",
        "在级别表中补上这一级，或改用已有的级别。",
        "Add the level to its scale, or use one it has.",
    ),
    "unknown_team": (
        "LINT-11",
        "在 teams 中定义它，或改用已有的组。",
        "Define it under teams, or use a team the plan has.",
    ),
    "loop": ("LINT-LOOP", "断开其中一环。", "Break the ring."),
}


def lint(compiled: Compiled, roster: Mapping[str, Sized] | None = None) -> list[Finding]:
    """The findings of one plan, in the order of the file.

    `roster` maps team keys (or kinds) of the organisation to their people; without it nothing is said about staffing.
    """
    report = Report(compiled)
    for look in (texts.look, levels.look, clocks.look, people.look, safety.look):
        look(report)
    if roster is not None:
        people.look_at_roster(report, roster)
    return sorted(report.findings, key=lambda finding: (finding.line, finding.column, finding.code))


def lint_text(text: str | bytes, file: str = "plan.yaml", roster: Mapping[str, Sized] | None = None) -> list[Finding]:
    """The findings of a text; where it does not compile, the compiler's, under the linter's code where they share one."""
    try:
        compiled = compile_source(text, file)
    except PlanErrors as errors:
        return [_as_linted(finding) for finding in errors.findings]
    return lint(compiled, roster)


def _as_linted(finding: Finding) -> Finding:
    if finding.code not in CODES_OF_ERRORS:
        return finding
    code, zh, en = CODES_OF_ERRORS[finding.code]
    return replace(finding, code=code, proposal_zh=zh, proposal_en=en)


def lint_together(plans: list[Compiled]) -> list[Finding]:
    """What several plans of one organisation contradict each other in: safety facts, and clocks of one category."""
    return [*safety.look_together(plans), *clocks.look_together(plans)]
