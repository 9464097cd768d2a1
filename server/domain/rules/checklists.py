"""Checklists of a plan: ordered or free, branching on earlier answers, with measured items and safety-critical ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from server.domain.rules.conditions import Condition
from server.domain.rules.lengths import Length
from server.domain.rules.situations import Option
from server.domain.rules.words import Clause, FactRef, ItemRef, MeasureRef, PostRef, RuleKey, TeamRef, Words

ItemKind = Literal["tick", "number", "text", "choice", "photo", "signature"]


@dataclass(frozen=True, kw_only=True)
class ItemRule:
    """One item. A number has a `unit` and bounds; a choice has `options`; `measure` is what the answer sets.

    `when` shows the item only on that branch; `requires` names items of the same checklist that come first; `records`
    is the fact that marking the item makes.
    """

    key: RuleKey
    text: Words
    kind: ItemKind = "tick"
    unit: str = ""
    min: int | float | None = None
    max: int | float | None = None
    options: tuple[Option, ...] = ()
    measure: MeasureRef | None = None
    records: FactRef | None = None
    safety_critical: bool = False
    not_applicable: bool = True
    when: Condition | None = None
    requires: tuple[ItemRef, ...] = ()
    within: Length | None = None
    clause: Clause


@dataclass(frozen=True, kw_only=True)
class ChecklistRule:
    """A checklist; `ordered` means that an item opens when the one before it is marked or not applicable."""

    key: RuleKey
    title: Words
    team: TeamRef | None = None
    post: PostRef | None = None
    ordered: bool = False
    items: tuple[ItemRule, ...]
    clause: Clause
