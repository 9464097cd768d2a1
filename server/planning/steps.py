"""What may be told to a rehearsal of a plan: its facts, measures, levels and checklist items, each with a value that fits."""

from __future__ import annotations

from collections.abc import Collection

from server.domain.rules import Plan, all_limits
from server.domain.rules.facts import FACTS, MADE_FACTS
from server.domain.rules.situations import MeasureRule
from server.planning.names import nearest

Value = bool | int | float | str


class StepUnfit(ValueError):
    """A step the plan knows nothing of, or with a value that does not fit; a sentence in both languages, the nearest name."""

    def __init__(self, zh: str, en: str, near: str | None = None) -> None:
        super().__init__(en + (f" Did you mean {near!r}?" if near else ""))
        self.zh, self.en, self.nearest = zh + (f"是不是“{near}”？" if near else ""), str(self), near


class Steps:
    """The names that one plan knows, and which values they take."""

    def __init__(self, plan: Plan) -> None:
        self.measures: dict[str, MeasureRule] = {measure.key: measure for measure in plan.measures}
        self.flags = {one.key for scale in plan.scales for level in scale.levels for one in level.alternatives}
        self.flags |= {one.key for one in plan.end.conditions} if plan.end else set()
        self.items = {f"item.{one.key}.{item.key}": item for one in plan.checklists for item in one.items}
        self.facts = {*FACTS, *(fact.key for fact in plan.facts), *_made(plan)}

    def check(self, name: str, value: Value) -> None:
        """Raise StepUnfit when the plan knows no such name or the value does not fit it."""
        if name in self.measures:
            _check_value(self.measures[name], value)
        elif name not in self.flags and name not in self.items and name not in self.facts:
            near = nearest(name, {*self.measures, *self.flags, *self.items, *self.facts})
            raise StepUnfit(f"预案中没有“{name}”。", f"The plan knows nothing called {name!r}.", near)


def _made(plan: Plan) -> set[str]:
    kinds: dict[str, Collection[str]] = {
        "limit": {limit.key for limit in all_limits(plan)},
        "tier": {tier.key for tier in plan.manual.tiers} if plan.manual else (),
    }
    found = {f"level.{scale.key}.{level.key}" for scale in plan.scales for level in scale.levels}
    for first, (kind, endings) in MADE_FACTS.items():
        keys = kinds.get(kind) or {one.key for one in getattr(plan, f"{kind}s", ())}
        found |= {f"{first}.{key}.{ending}" for key in keys for ending in endings}
    return found


def _check_value(measure: MeasureRule, value: Value) -> None:
    if measure.kind == "elapsed":
        raise StepUnfit(
            f"“{measure.key}”由系统自动计时，不能填写。", f"{measure.key!r} counts by itself and cannot be told."
        )
    options = [option.key for option in measure.options]
    fits = {
        "number": isinstance(value, int | float) and not isinstance(value, bool),
        "flag": isinstance(value, bool),
        "choice": value in options,
    }[measure.kind]
    if not fits:
        wanted = {"number": ("数字", "a number"), "flag": ("true 或 false", "true or false")}.get(
            measure.kind, ("、".join(options), " or ".join(options))
        )
        raise StepUnfit(f"“{measure.key}”的值应为{wanted[0]}。", f"{measure.key!r} takes {wanted[1]}.")
