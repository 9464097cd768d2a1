"""Level tables: holes and missing ranks (LINT-4), bounds in two levels (LINT-5), levels nothing can reach."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from server.domain.rules.conditions import Condition, holds
from server.domain.rules.situations import Scale
from server.planning.lint.report import Report

MAX_LOOKS = 60_000  # comparisons made for all the scales of a plan: a hostile table may cost no more than an honest one
Axis = list[object]


def look(report: Report) -> None:
    """Every scale of the plan; a table with more corners than can be looked at is looked at in part."""
    looks = MAX_LOOKS // max(1, len(report.plan.scales))
    for scale in report.plan.scales:
        _ranks(report, scale)
        axes = _axes(report, scale)
        points = looks // max(1, sum(len(list(level.when.leaves())) for level in scale.levels if level.when))
        if math.prod(map(len, axes.values())) <= points:
            _reach(report, scale, axes)
        for name, axis in axes.items():
            if len(axis) > 2 and not isinstance(axis[0], bool | str):
                _walk(report, scale, name, axes, points // len(axes) // len(axis))


def _ranks(report: Report, scale: Scale) -> None:
    ranks = sorted(level.rank for level in scale.levels)
    if ranks != list(range(1, len(ranks) + 1)):
        missing = sorted(set(range(1, max(ranks, default=0))) - set(ranks)) or [1]
        listed = ", ".join(str(rank) for rank in missing)
        report.add(
            "LINT-4",
            f"scales.{scale.key}",
            (f"级别表缺第 {listed} 级。", f"The level table lacks rank {listed}."),
            ("补全缺少的级别，或重新编号。", "Add the missing level, or number anew."),
        )


def _axes(report: Report, scale: Scale) -> dict[str, Axis]:
    leaves = [leaf for level in scale.levels if level.when for leaf in level.when.leaves()]
    axes: dict[str, Axis] = {}
    for name in dict.fromkeys(leaf.name for leaf in leaves):
        own = [leaf for leaf in leaves if leaf.name == name]
        axes[name] = _points(own)
        measure = next((one for one in report.plan.measures if one.key == name), None)
        if measure and measure.options:
            axes[name] = [option.key for option in measure.options]
    return axes


def _points(leaves: list[Condition]) -> Axis:
    bounds = sorted(
        {leaf.value for leaf in leaves if isinstance(leaf.value, int | float) and not isinstance(leaf.value, bool)}
    )
    if not bounds:
        return [False, True]
    between = [(low + high) / 2 for low, high in itertools.pairwise(bounds)]
    return sorted({bounds[0] - 1, *bounds, *between, bounds[-1] + 1})  # type: ignore[return-value]


def _reach(report: Report, scale: Scale, axes: dict[str, Axis]) -> None:
    reached: set[str] = set()
    for point in _grid(axes):
        for level in sorted(scale.levels, key=lambda one: one.rank):
            if level.when and holds(level.when, point):
                reached.add(level.key)
                break
    measured = any(level.when for level in scale.levels)
    for level in scale.levels:
        if measured and level.key not in reached and not level.alternatives:
            report.add(
                "LINT-UNREACHABLE",
                f"scales.{scale.key}.levels.{level.key}",
                (f"任何情况都到不了“{level.title.zh}”。", f"Nothing ever leads to “{level.title.en}”."),
                (
                    "检查条件是否自相矛盾，或被更高级别完全覆盖。",
                    "Check for a contradiction, or a higher level that covers it all.",
                ),
            )


def _walk(report: Report, scale: Scale, name: str, axes: dict[str, Axis], most: int) -> None:
    others = {other: axis for other, axis in axes.items() if other != name}
    for fixed in itertools.islice(_grid(others), most):
        row = [(value, _matching(scale, {**fixed, name: value})) for value in axes[name]]
        full = [number for number, (_, found) in enumerate(row) if found]
        gaps = [row[number][0] for number in range(full[0], full[-1]) if not row[number][1]] if full else []
        if gaps:
            report.add(
                "LINT-4",
                f"scales.{scale.key}",
                (
                    f"级别表有空档：{name} 在 {gaps[0]} 附近不属于任何一级。",
                    f"The level table has a hole: {name} near {gaps[0]} belongs to no level.",
                ),
                ("让相邻两级的界限首尾相接。", "Let the bounds of neighbouring levels meet."),
            )
            return
        if _overlaps(report, scale, name, row):
            return


def _overlaps(report: Report, scale: Scale, name: str, row: list[tuple[object, frozenset[str]]]) -> bool:
    for one, other in itertools.combinations([level.key for level in scale.levels], 2):
        alone = {key: [n for n, (_, found) in enumerate(row) if key in found and rest not in found]
                 for key, rest in ((one, other), (other, one))}  # fmt: skip
        both = [number for number, (_, found) in enumerate(row) if {one, other} <= found]
        if both and alone[one] and alone[other]:
            report.add(
                "LINT-5",
                f"scales.{scale.key}",
                (
                    f"{name} 为 {row[both[0]][0]} 时同时属于“{one}”和“{other}”。",
                    f"{name} = {row[both[0]][0]} belongs to both {one} and {other}.",
                ),
                (
                    "界限只归一级，通常归较高一级（一边用 <，另一边用 >=）。",
                    "Give the bound to one level, usually the higher (< and >=).",
                ),
            )
            return True
    return False


def _matching(scale: Scale, point: dict[str, object]) -> frozenset[str]:
    return frozenset(level.key for level in scale.levels if level.when and holds(level.when, point))


def _grid(axes: dict[str, Axis]) -> Iterator[dict[str, object]]:
    for point in itertools.product(*axes.values()):
        yield dict(zip(axes, point, strict=True))
