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

CODES_OF_ERRORS = {"placeholder": "LINT-1", "unknown_level": "LINT-4", "unknown_team": "LINT-11", "loop": "LINT-LOOP"}


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
        return [replace(finding, code=CODES_OF_ERRORS.get(finding.code, finding.code)) for finding in errors.findings]
    return lint(compiled, roster)


def lint_together(plans: list[Compiled]) -> list[Finding]:
    """What several plans of one organisation contradict each other in: safety facts, and clocks of one category."""
    return [*safety.look_together(plans), *clocks.look_together(plans)]
