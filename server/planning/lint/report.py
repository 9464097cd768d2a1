"""Where the looks of the linter put their findings, and the walk over every rule and every text of a plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Literal

from server.domain.rules.conditions import Condition
from server.domain.rules.lengths import Cadence, Length
from server.domain.rules.words import Clause, Words
from server.planning.compiler import Compiled, position_of
from server.planning.findings import Finding

MAX_FINDINGS = 200  # nobody reads more, and a hostile text may not make a million


class Report:
    """The findings about one plan, each once."""

    def __init__(self, compiled: Compiled) -> None:
        self.compiled, self.plan = compiled, compiled.plan
        self.findings: list[Finding] = []
        self._seen: set[Finding] = set()

    @property
    def full(self) -> bool:
        """Whether there is enough to see what is wrong."""
        return len(self.findings) >= MAX_FINDINGS

    def add(
        self, code: str, path: str, words: tuple[str, str], proposal: tuple[str, str],
        severity: Literal["error", "warning", "hint"] = "error",
    ) -> None:  # fmt: skip
        """One finding at a path; sentence and proposal each in Chinese and English."""
        line, column = position_of(self.compiled.positions, path)
        found = Finding(
            code=code,
            zh=words[0],
            en=words[1],
            file=self.compiled.file,
            line=line,
            column=column,
            path=path,
            severity=severity,
            proposal_zh=proposal[0],
            proposal_en=proposal[1],
        )
        if found not in self._seen and not self.full:
            self._seen.add(found)
            self.findings.append(found)


def rules_in(rule: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Every rule and every text under a rule, with the path the compiler knows it by."""
    yield path, rule
    if isinstance(rule, Words) or not is_dataclass(rule) or isinstance(rule, type):
        return
    for field in fields(rule):
        value, under = getattr(rule, field.name), f"{path}.{field.name}".strip(".")
        if isinstance(value, tuple):
            for number, one in enumerate(value):
                key = getattr(one, "key", None)
                if is_dataclass(one):
                    yield from rules_in(one, f"{under}.{key}" if key else f"{under}[{number}]")
        elif is_dataclass(value) and not isinstance(value, Condition | Length | Cadence):
            yield from rules_in(value, under)


def texts_in(rule: object, path: str = "", *, clauses: bool = True) -> Iterator[tuple[str, Words]]:
    """Every text under a rule; without `clauses`, only what people are told, not where it comes from."""
    hidden: tuple[str, ...] = ()
    for where, found in rules_in(rule, path):
        if isinstance(found, Clause) and not clauses:
            hidden = (*hidden, where)
        if isinstance(found, Words) and not where.startswith(tuple(f"{one}." for one in hidden)):
            yield where, found
