"""What a plan watches for: its own facts, the measures, the triggers, and the level scales."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from server.domain.rules.conditions import Condition
from server.domain.rules.words import Clause, DottedKey, FactRef, RuleKey, TeamRef, Words

Activation = Literal["decided", "automatic", "warning", "none"]


@dataclass(frozen=True, kw_only=True)
class FactRule:
    """A fact only this plan knows, for instance that the gas source is cut."""

    key: DottedKey
    title: Words
    recorded_by: tuple[TeamRef, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Option:
    """One answer to choose from."""

    key: RuleKey
    title: Words


@dataclass(frozen=True, kw_only=True)
class MeasureRule:
    """A quantity, choice or yes/no a level or an interlock asks for.

    kind `elapsed` counts by itself, in `unit` (s, min, h or d), from the fact `since` until any fact of `until`. A measure nobody gave stays unknown.
    """

    key: DottedKey
    title: Words
    kind: Literal["number", "choice", "flag", "elapsed"] = "number"
    unit: str = ""
    options: tuple[Option, ...] = ()
    since: FactRef | None = None
    until: tuple[FactRef, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """What sets the plan off, and how: a human decision, by itself, or as a warning only."""

    key: RuleKey
    title: Words
    words: Words
    on: FactRef = "incident.reported"
    when: Condition | None = None
    reporters: tuple[TeamRef, ...] = ()
    mode: Activation = "decided"
    by: TeamRef | None = None
    clause: Clause


@dataclass(frozen=True, kw_only=True)
class Alternative:
    """A sign in words that alone makes a level, judged by a person: known under `key` as a yes/no measure."""

    key: DottedKey
    words: Words


@dataclass(frozen=True, kw_only=True)
class Level:
    """One step of a scale; rank 1 is the most severe.

    It is proposed when `when` holds or one of `alternatives` is judged true. `route` is who is told at this level,
    in that order; `activation` says what the level does to the plan.
    """

    key: RuleKey
    title: Words
    rank: int
    colour: Literal["red", "orange", "yellow", "blue", "grey"] | None = None
    when: Condition | None = None
    alternatives: tuple[Alternative, ...] = ()
    action: Words
    activation: Activation = "none"
    route: tuple[TeamRef, ...] = ()
    major: bool = False
    clause: Clause


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A level scale. `by` decides; lowering always needs a reason, and so does differing from the proposal."""

    key: RuleKey
    title: Words
    kind: Literal["lead_time", "outage", "cause", "grade", "support", "impact"]
    by: TeamRef
    levels: tuple[Level, ...]
    clause: Clause


@dataclass(frozen=True, kw_only=True)
class SafetyFact:
    """A physical fact that decisions rest on, for instance the lower explosive limit of a gas."""

    key: RuleKey
    subject: str
    title: Words
    value: int | float
    unit: str
    clause: Clause
