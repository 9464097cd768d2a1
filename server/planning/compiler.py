"""Plan text to typed rules: load, read, then check what concerns several rules at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

from server.domain.rules.actions import CONSEQUENCE_KINDS, Consequence
from server.domain.rules.closing import ReviewRule, Section
from server.domain.rules.implied import all_limits
from server.domain.rules.lengths import TIME_UNITS, Length
from server.domain.rules.plans import Plan
from server.domain.rules.publications import FieldRule, ReportRule
from server.planning.field_sets import FIELD_SETS
from server.planning.findings import Finding, PlanErrors
from server.planning.loader import load
from server.planning.names import Names, nearest
from server.planning.reading import BAD, Reader

MAX_TEAMS, MAX_STEPS = 100, 500


@dataclass(frozen=True)
class Compiled:
    """A plan with the line and column of every path of its text."""

    plan: Plan
    positions: dict[str, tuple[int, int]]
    file: str


def compile_plan(text: str | bytes, file: str = "plan.yaml") -> Plan:
    """The plan a text states. Raises PlanErrors with every finding, each with its position."""
    return compile_source(text, file).plan


def compile_source(text: str | bytes, file: str = "plan.yaml") -> Compiled:
    """The plan with its positions. Raises PlanErrors."""
    root = load(text, file)
    reader = Reader(file, Names(root))
    plan = reader.rule(Plan, root, "", first=("measures",))
    if plan is BAD or reader.findings:
        raise PlanErrors(reader.findings)
    plan = _with_field_sets(plan)
    checker = _Checker(plan, reader.positions, file)
    checker.check()
    if checker.findings:
        raise PlanErrors(checker.findings)
    return Compiled(plan, reader.positions, file)


def _with_field_sets(plan: Plan) -> Plan:
    reports = tuple(
        replace(report, fields=_joined(FIELD_SETS.get(report.set or "", ()), report.fields)) for report in plan.reports
    )
    review = plan.review
    if review and review.set in FIELD_SETS:
        review = _with_sections(review)
    return replace(plan, reports=reports, review=review)


def _with_sections(review: ReviewRule) -> ReviewRule:
    own = {section.key for section in review.sections}
    found = [
        Section(key=field.key, title=field.title) for field in FIELD_SETS[review.set or ""] if field.key not in own
    ]
    return replace(review, sections=(*found, *review.sections))


def _joined(common: tuple[FieldRule, ...], own: tuple[FieldRule, ...]) -> tuple[FieldRule, ...]:
    keys = {field.key for field in own}
    return (*(field for field in common if field.key not in keys), *own)


class _Checker:
    """What no single rule can know."""

    def __init__(self, plan: Plan, positions: dict[str, tuple[int, int]], file: str) -> None:
        self.plan, self.positions, self.file = plan, positions, file
        self.findings: list[Finding] = []

    def check(self) -> None:
        self.sizes()
        self.sets()
        self.scales()
        self.measures()
        self.limits()
        self.ladders()
        self.checklists()
        self.loops("routes", {route.key: route.then for route in self.plan.routes})
        self.loops("teams", {team.key: team.part_of for team in self.plan.teams})

    def sizes(self) -> None:
        if len(self.plan.teams) > MAX_TEAMS:
            self.bad("teams", "too_many", f"超过 {MAX_TEAMS} 个组。", f"More than {MAX_TEAMS} teams.")
        if sum(len(checklist.items) for checklist in self.plan.checklists) + len(self.plan.orders) > MAX_STEPS:
            self.bad("checklists", "too_many", f"步骤超过 {MAX_STEPS} 个。", f"More than {MAX_STEPS} steps.")

    def sets(self) -> None:
        stated: list[tuple[str, ReportRule | ReviewRule | None]] = [
            *((f"reports.{report.key}.set", report) for report in self.plan.reports),
            ("review.set", self.plan.review),
        ]
        for path, rule in stated:
            if rule and rule.set and rule.set not in FIELD_SETS:
                near = nearest(rule.set, FIELD_SETS)
                self.bad(path, "unknown_set", f"没有字段集“{rule.set}”。", f"There is no field set {rule.set!r}.", near)

    def scales(self) -> None:
        for scale in self.plan.scales:
            ranks: set[int] = set()
            for level in scale.levels:
                path = f"scales.{scale.key}.levels.{level.key}"
                if level.rank in ranks:
                    zh, en = f"级别序号 {level.rank} 重复。", f"Two levels have rank {level.rank}."
                    self.bad(f"{path}.rank", "duplicate", zh, en)
                ranks.add(level.rank)

    def measures(self) -> None:
        for measure in self.plan.measures:
            path = f"measures.{measure.key}"
            if measure.kind == "elapsed" and (measure.since is None or measure.unit not in TIME_UNITS):
                zh, en = "自动计时的指标须有 since 和时间单位。", "An elapsed measure needs `since` and a unit of time."
                self.bad(path, "elapsed", zh, en)
            if (measure.kind == "choice") != bool(measure.options):
                self.bad(path, "options", "选择型指标须有选项 options。", "A choice, and only a choice, has `options`.")

    def limits(self) -> None:
        implied = {limit.key for limit in all_limits(self.plan)[len(self.plan.limits) :]}
        for limit in self.plan.limits:
            path = f"limits.{limit.key}"
            if limit.key in implied:
                zh, en = f"“{limit.key}”是系统自动时限的名称。", f"{limit.key!r} is kept for limits the plan implies."
                self.bad(path, "reserved", zh, en)
            if not limit.starts or not limit.then:
                zh, en = "时限须有起点 starts 和到时后果 then。", "A limit needs `starts` and `then`."
                self.bad(path, "empty_limit", zh, en)
            for number, consequence in enumerate(limit.then):
                self.consequence(consequence, f"{path}.then[{number}]")

    def consequence(self, consequence: Consequence, path: str) -> None:
        kinds = [kind for kind in CONSEQUENCE_KINDS if getattr(consequence, kind)]
        if len(kinds) != 1:
            listed = ", ".join(CONSEQUENCE_KINDS)
            self.bad(
                path, "one_kind", f"每条后果须且只能有一种（{listed}）。", f"Exactly one of {listed} belongs here."
            )
        elif kinds[0] == "alert" and consequence.words is None:
            self.bad(path, "missing", "告警须写明内容 words。", "An alert needs `words`.")
        elif kinds[0] == "ask" and consequence.of is None:
            self.bad(path, "missing", "须写明由谁决定 of。", "`ask` needs `of`: the team that decides.")

    def ladders(self) -> None:
        if sum(ladder.every for ladder in self.plan.ladders) > 1:
            zh, en = "只能有一个阶梯适用于所有告警（every）。", "Only one ladder may be for every alert."
            self.bad("ladders", "every_twice", zh, en)
        for ladder in self.plan.ladders:
            path, before = f"ladders.{ladder.key}", -1
            if not ladder.steps:
                self.bad(path, "empty_ladder", "阶梯没有任何步骤。", "The ladder has no steps.")
            for name in ("after_received", "after_on_my_way"):
                self.span(getattr(ladder, name), f"{path}.{name}", least=1)
            for number, step in enumerate(ladder.steps):
                own = f"{path}.steps[{number}]"
                self.span(step.after, f"{own}.after")
                if step.after.seconds < before:
                    self.bad(
                        own, "steps_unordered", "各步须按时间先后排列。", "Steps stand in the order of their times."
                    )
                if not (step.by or step.deputy or step.call_list):
                    self.bad(own, "empty_step", "这一步没有任何动作。", "This step does nothing.")
                before = step.after.seconds
        for order in self.plan.orders:
            if order.quorum is not None:
                self.span(order.quorum.within, f"orders.{order.key}.quorum.within", least=1)

    def span(self, length: Length | None, path: str, least: int = 0) -> None:
        """A finding for a length without seconds of its own: people are waited for by the clock and nothing else."""
        if length is not None and (length.kind not in ("span", "at_once") or length.seconds < least):
            self.bad(path, "not_a_span", "这里只能写固定时长，如 2 min。", "Write a fixed length such as 2 min.")

    def checklists(self) -> None:
        for checklist in self.plan.checklists:
            path = f"checklists.{checklist.key}"
            if not checklist.items:
                self.bad(path, "empty_checklist", "检查单没有检查项。", "The checklist has no items.")
            for item in checklist.items:
                own = f"{path}.items.{item.key}"
                if (item.kind == "choice") != bool(item.options):
                    self.bad(own, "options", "选择项须有选项 options。", "A choice, and only a choice, has `options`.")
                if item.min is not None and item.max is not None and item.min > item.max:
                    self.bad(own, "bounds", "下限大于上限。", "The lower bound is above the upper one.")
            self.loops(f"{path}.items", {item.key: item.requires for item in checklist.items})

    def loops(self, path: str, leads: dict[str, str | None] | dict[str, tuple[str, ...]]) -> None:
        """A finding for a ring of rules that lead to each other, found by taking away whatever leads nowhere."""
        left = {key: {one for one in _several(value) if one in leads} for key, value in leads.items()}
        ends = [key for key, following in left.items() if not following]
        before: dict[str, list[str]] = {}
        for key, following in left.items():
            for one in following:
                before.setdefault(one, []).append(key)
        while ends:
            gone = ends.pop()
            del left[gone]
            for key in before.get(gone, ()):
                left[key].discard(gone)
                if not left[key]:
                    ends.append(key)
        if not left:
            return
        trail = [min(left)]
        while trail[-1] not in trail[:-1]:
            trail.append(min(left[trail[-1]]))
        ring = " → ".join(trail[trail.index(trail[-1]) :][:10])
        self.bad(f"{path}.{trail[-1]}", "loop", f"循环引用：{ring}。", f"A loop: {ring}.")

    def bad(self, path: str, code: str, zh: str, en: str, near: str | None = None) -> None:
        line, column = position_of(self.positions, path)
        found = Finding(code=code, zh=zh, en=en, file=self.file, line=line, column=column, path=path, nearest=near)
        self.findings.append(found)


def position_of(positions: dict[str, tuple[int, int]], path: str) -> tuple[int, int]:
    """The position of a path, or of the nearest rule around it that the text states."""
    while path and path not in positions:
        path = path.rpartition(".")[0] if "." in path else ""
    return positions.get(path, (0, 0))


def _several(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value or ()
