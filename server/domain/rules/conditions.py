"""Conditions over measures and facts, evaluated in three values: true, false, and not known yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

Value = bool | int | float | str
Operator = Literal["all", "any", "not", "<", "<=", ">", ">=", "=", "!=", "flag", "fact"]

COMPARISONS: Final = ("<", "<=", ">", ">=", "=", "!=")
SIGNS: Final = MappingProxyType({"<": "＜", "<=": "≤", ">": "＞", ">=": "≥", "=": "为", "!=": "不为"})


@dataclass(frozen=True)
class Condition:
    """One node of a condition.

    `all`, `any`, `not` join `parts`; a comparison sets the measure `name` against `value` (in the measure's own unit);
    `flag` holds when the yes/no measure `name` is true; `fact` holds once the fact `name` has happened.
    """

    op: Operator
    name: str = ""
    value: Value | None = None
    parts: tuple[Condition, ...] = ()

    def leaves(self) -> Iterator[Condition]:
        """Every comparison, flag and fact inside, in the order written."""
        if self.op in ("all", "any", "not"):
            for part in self.parts:
                yield from part.leaves()
        else:
            yield self


def holds(condition: Condition | None, known: Mapping[str, object]) -> bool | None:
    """Whether the condition holds; None while a measure it needs is unknown.

    `known` maps measures to numbers, words or booleans and facts that happened to True. A fact that is absent has not
    happened (false); a measure that is absent is unknown. No condition at all holds.
    """
    if condition is None:
        return True
    if condition.op == "all":
        return _all([holds(part, known) for part in condition.parts])
    if condition.op == "any":
        found = _all([_not(holds(part, known)) for part in condition.parts])
        return _not(found)
    if condition.op == "not":
        return _not(holds(condition.parts[0], known))
    if condition.op == "fact":
        return bool(known.get(condition.name))
    value = known.get(condition.name)
    if value is None:
        return None
    if condition.op == "flag":
        return value is True
    return _compare(value, condition.op, condition.value)


def _all(values: list[bool | None]) -> bool | None:
    if False in values:
        return False
    return None if None in values else True


def _not(value: bool | None) -> bool | None:
    return None if value is None else not value


def _compare(value: object, op: str, bound: Value | None) -> bool:
    if op in ("=", "!="):
        return (value == bound) == (op == "=")
    if isinstance(value, str | bool) or isinstance(bound, str | bool):
        return False
    if not isinstance(value, int | float) or bound is None:
        return False
    return {"<": value < bound, "<=": value <= bound, ">": value > bound, ">=": value >= bound}[op]


def reasons(condition: Condition | None, known: Mapping[str, object]) -> list[Condition]:
    """The leaves that make a condition hold: what a person should be shown as the reason."""
    if condition is None or holds(condition, known) is not True:
        return []
    if condition.op == "any":
        return next((reasons(part, known) for part in condition.parts if holds(part, known)), [])
    if condition.op == "all":
        return [leaf for part in condition.parts for leaf in reasons(part, known)]
    return [condition]
