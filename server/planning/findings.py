"""What is wrong with a plan, where, and what to do about it: the one form in which compiler and linter speak."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One finding. `line` and `column` count from 1 (0: the file as a whole); `path` is dotted, lists by number or key."""

    code: str
    zh: str
    en: str
    file: str = ""
    line: int = 0
    column: int = 0
    path: str = ""
    nearest: str | None = None
    severity: Literal["error", "warning", "hint"] = "error"
    proposal_zh: str = ""
    proposal_en: str = ""

    def to_json(self) -> dict[str, object]:
        """The finding as plain JSON values."""
        return asdict(self)

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.code}: {self.zh} {self.en}"


class PlanErrors(Exception):
    """A text is no plan; `findings` says why, in the order of the file."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("\n".join(str(finding) for finding in findings))
        self.findings = sorted(findings, key=lambda finding: (finding.line, finding.column))
