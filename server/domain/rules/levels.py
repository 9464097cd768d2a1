"""Which level the known measures call for, and why, in words a person can check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from server.domain.rules.conditions import SIGNS, Condition, holds, reasons
from server.domain.rules.facts import FACTS
from server.domain.rules.lengths import TIME_UNITS
from server.domain.rules.plans import Plan
from server.domain.rules.situations import Alternative, Level, MeasureRule
from server.domain.rules.units import unit
from server.domain.rules.words import Clause, Words


@dataclass(frozen=True)
class Proposal:
    """A level the measures call for: the level, the reason, what matched, and the clause it comes from."""

    scale: str
    level: Level
    reason: Words
    matched: Condition | Alternative
    clause: Clause


def propose_level(plan: Plan, scale: str, measures: Mapping[str, object]) -> Proposal | None:
    """The most severe level of the scale that the measures are known to reach; None where they reach none.

    Raises KeyError for a scale the plan does not have.
    """
    for level in sorted(plan.scale(scale).levels, key=lambda one: one.rank):
        for alternative in level.alternatives:
            if measures.get(alternative.key) is True:
                return Proposal(scale, level, alternative.words, alternative, level.clause)
        if level.when is not None and holds(level.when, measures) is True:
            return Proposal(scale, level, _reason(plan, level.when, measures), level.when, level.clause)
    return None


def is_lowering(plan: Plan, scale: str, old: str | None, new: str | None) -> bool:
    """Whether going from level `old` to `new` (None: no level) is a lowering, which needs a recorded reason."""
    ranks = {level.key: level.rank for level in plan.scale(scale).levels}
    lowest = max(ranks.values()) + 1
    return (ranks[new] if new else lowest) > (ranks[old] if old else lowest)


def elapsed_measures(plan: Plan, happened: Mapping[str, datetime], now: datetime) -> dict[str, int | float]:
    """The value at `now` of every measure that counts by itself and has begun, given when each fact last happened."""
    found: dict[str, int | float] = {}
    for measure in plan.measures:
        if measure.kind != "elapsed" or measure.since is None or measure.since not in happened:
            continue
        start = happened[measure.since]
        stops = [happened[fact] for fact in measure.until if fact in happened and happened[fact] >= start]
        end = min([now, *stops])
        if end >= start and not any(stop <= now for stop in stops):
            found[measure.key] = (end - start).total_seconds() / TIME_UNITS[measure.unit]
    return found


def title_of(plan: Plan, name: str) -> Words:
    """What people call a measure or a fact."""
    titles = {rule.key: rule.title for rule in plan.measures} | {rule.key: rule.title for rule in plan.facts}
    return titles.get(name) or FACTS.get(name, Words(name, name))


def _reason(plan: Plan, condition: Condition, measures: Mapping[str, object]) -> Words:
    parts = [_leaf_reason(plan, leaf, measures) for leaf in reasons(condition, measures)]
    return Words("，".join(part.zh for part in parts), "; ".join(part.en for part in parts))


def _leaf_reason(plan: Plan, leaf: Condition, measures: Mapping[str, object]) -> Words:
    title = title_of(plan, leaf.name)
    if leaf.op == "fact":
        return title
    if leaf.op == "flag":
        return Words(f"{title.zh}：是", f"{title.en}: yes")
    if leaf.op == "not":
        inner = _leaf_reason(plan, leaf.parts[0], measures) if leaf.parts[0].op in ("fact", "flag") else None
        return (
            Words(f"尚未“{title_of(plan, leaf.parts[0].name).zh}”", f"not yet: {inner.en}") if inner else Words("", "")
        )
    measure = next((one for one in plan.measures if one.key == leaf.name), None)
    named = measure.unit if measure else ""
    zh, en = (f" {unit(named, language)}" if named else "" for language in ("zh", "en"))
    value, bound = _shown(measure, measures.get(leaf.name)), _shown(measure, leaf.value)
    if isinstance(leaf.value, str):
        return Words(f"{title.zh}：{value.zh}", f"{title.en}: {value.en}")
    return Words(
        f"{title.zh} {value.zh}{zh}（界限 {SIGNS[leaf.op]} {bound.zh}{zh}）",
        f"{title.en} {value.en}{en} (bound {SIGNS[leaf.op]} {bound.en}{en})",
    )


def _shown(measure: MeasureRule | None, value: object) -> Words:
    if isinstance(value, str) and measure is not None:
        return next((option.title for option in measure.options if option.key == value), Words(value, value))
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return Words(text, text)
