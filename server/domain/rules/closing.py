"""How a response ends and what comes after: end conditions, review, drills and the duties of quiet days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from server.domain.rules.conditions import Condition
from server.domain.rules.lengths import Cadence, Length
from server.domain.rules.words import ChecklistRef, Clause, FactRef, RuleKey, TeamRef, Words


@dataclass(frozen=True, kw_only=True)
class EndCondition:
    """One thing that must be so before the response ends; without `when` a person confirms it under its key."""

    key: RuleKey
    words: Words
    when: Condition | None = None
    clause: Clause


@dataclass(frozen=True, kw_only=True)
class EndRule:
    """Who decides the end, who announces it, and every condition that must hold first."""

    decides: TeamRef
    announces: TeamRef
    words: Words
    conditions: tuple[EndCondition, ...] = ()
    clause: Clause


@dataclass(frozen=True, kw_only=True)
class Section:
    """One section the review must have."""

    key: RuleKey
    title: Words


@dataclass(frozen=True, kw_only=True)
class ReviewRule:
    """The review: due `due` after `starts`, with the sections of its field set and its own, delivered to `to`."""

    owner: TeamRef
    starts: FactRef = "response.ended"
    due: Length
    set: str | None = None
    sections: tuple[Section, ...] = ()
    to: Words
    clause: Clause


@dataclass(frozen=True, kw_only=True)
class DrillRule:
    """An exercise that comes round: what is practised, how often, announced or not."""

    key: RuleKey
    title: Words
    every: Cadence
    kind: Literal["table_top", "functional", "full", "unannounced"] = "functional"
    content: tuple[Words, ...]
    owner: TeamRef
    clause: Clause


@dataclass(frozen=True, kw_only=True)
class DutyRule:
    """A duty of quiet days that comes round: inspections, backups, training, contact lists."""

    key: RuleKey
    title: Words
    team: TeamRef
    every: Cadence
    checklist: ChecklistRef | None = None
    clause: Clause
