"""What goes into a rehearsal and what comes out: steps with their times, happenings with their teams and clauses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from server.domain.rules import Clause, Words

Kind = Literal[
    "fact", "measure", "alert", "ask", "order", "notice", "report", "phase", "tier", "locked", "level_proposed",
    "level_set", "limit_started", "limit_waiting", "limit_met", "limit_passed", "step",
    "quorum",
]  # fmt: skip


@dataclass(frozen=True)
class Step:
    """Something told to the simulator `at` a time after the start: a fact, a level (`level.SCALE.LEVEL`), a mark on an
    item (`item.CHECKLIST.ITEM`), or a measure with its value."""

    at: timedelta
    name: str
    value: bool | int | float | str = True


@dataclass(frozen=True)
class Happening:
    """One thing that would happen: when (UTC), what kind, which rule, to which teams, in which words, by which clause."""

    at: datetime
    kind: Kind
    rule: str
    to: tuple[str, ...] = ()
    words: Words | None = None
    clause: Clause | None = None
    due: datetime | None = None
