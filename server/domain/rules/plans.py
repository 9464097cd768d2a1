"""The plan as one immutable tree of typed rules, and its exact form as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from server.domain.rules.actions import LimitRule, OrderRule, Phase
from server.domain.rules.checklists import ChecklistRule
from server.domain.rules.closing import DrillRule, DutyRule, EndRule, ReviewRule
from server.domain.rules.continuity import Manual, SupplyRule
from server.domain.rules.jsonable import from_jsonable, to_jsonable
from server.domain.rules.ladders import LadderRule
from server.domain.rules.publications import NoticeRule, ReportRule
from server.domain.rules.safeguards import Interlock, Prohibition, Zone
from server.domain.rules.situations import FactRule, MeasureRule, SafetyFact, Scale, Trigger
from server.domain.rules.teams import Post, Route, TeamRule
from server.domain.rules.words import Clause, HttpsUrl, RuleKey, TeamRef, TimeZone, Words

Rule = TypeVar("Rule")
Category = Literal[
    "ticketing", "crowd", "network", "information_system", "medical", "fire", "gas", "kitchen", "food", "security",
    "call_centre", "service_hall", "customer", "heating", "conference", "transport", "management", "other",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Authority:
    """Who alone may activate the plan, and who passes the order on."""

    decides: TeamRef
    announces: TeamRef
    words: Words
    clause: Clause


@dataclass(frozen=True, kw_only=True)
class Content:
    """One part the plan announces it has; `rules` names the rules that make it good, as `kind.key`."""

    title: Words
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Note:
    """A place where the written plan left something open or contradicted itself, and how it was decided, safely."""

    about: str
    words: Words


@dataclass(frozen=True, kw_only=True)
class Link:
    """A document elsewhere."""

    title: Words
    url: HttpsUrl


@dataclass(frozen=True, kw_only=True)
class Plan:
    """An emergency plan as rules. `source` is the number of the written plan; `variant_of` the plan it varies."""

    key: RuleKey
    version: int
    source: str
    title: Words
    category: Category
    variant_of: str | None = None
    timezone: TimeZone | None = None
    scope: Words
    notes: tuple[Note, ...] = ()
    contents: tuple[Content, ...] = ()
    links: tuple[Link, ...] = ()
    facts: tuple[FactRule, ...] = ()
    measures: tuple[MeasureRule, ...] = ()
    safety_facts: tuple[SafetyFact, ...] = ()
    teams: tuple[TeamRule, ...]
    posts: tuple[Post, ...] = ()
    authority: Authority
    triggers: tuple[Trigger, ...] = ()
    routes: tuple[Route, ...] = ()
    ladders: tuple[LadderRule, ...] = ()
    scales: tuple[Scale, ...] = ()
    phases: tuple[Phase, ...] = ()
    orders: tuple[OrderRule, ...] = ()
    limits: tuple[LimitRule, ...] = ()
    checklists: tuple[ChecklistRule, ...] = ()
    interlocks: tuple[Interlock, ...] = ()
    zones: tuple[Zone, ...] = ()
    prohibitions: tuple[Prohibition, ...] = ()
    manual: Manual | None = None
    supplies: tuple[SupplyRule, ...] = ()
    notices: tuple[NoticeRule, ...] = ()
    reports: tuple[ReportRule, ...] = ()
    end: EndRule | None = None
    review: ReviewRule | None = None
    drills: tuple[DrillRule, ...] = ()
    duties: tuple[DutyRule, ...] = ()
    clause: Clause

    def to_json(self) -> dict[str, object]:
        """The plan as plain JSON values, fit to store and to send to phones; unset values are left out."""
        found = to_jsonable(self)
        assert isinstance(found, dict)
        return found

    @classmethod
    def from_json(cls, found: Mapping[str, object]) -> Plan:
        """The plan that `to_json` gave, exactly. Raises ValueError naming the place when it was no plan."""
        plan = from_jsonable(cls, found, cls.__name__)
        assert isinstance(plan, cls)
        return plan

    def team(self, key: str) -> TeamRule:
        """The team of that key. Raises KeyError."""
        return _by_key(self.teams, key)

    def order(self, key: str) -> OrderRule:
        """The order of that key. Raises KeyError."""
        return _by_key(self.orders, key)

    def checklist(self, key: str) -> ChecklistRule:
        """The checklist of that key. Raises KeyError."""
        return _by_key(self.checklists, key)

    def ladder(self, key: str | None) -> LadderRule | None:
        """The ladder of that key, else the one for every alert, else None: the organisation's own counts. Raises KeyError."""
        if key is not None:
            return _by_key(self.ladders, key)
        return next((one for one in self.ladders if one.every), None)

    def scale(self, key: str) -> Scale:
        """The scale of that key. Raises KeyError."""
        return _by_key(self.scales, key)

    def notice(self, key: str) -> NoticeRule:
        """The notice of that key. Raises KeyError."""
        return _by_key(self.notices, key)

    def report(self, key: str) -> ReportRule:
        """The report of that key. Raises KeyError."""
        return _by_key(self.reports, key)


def _by_key(rules: tuple[Rule, ...], key: str) -> Rule:
    for rule in rules:
        if getattr(rule, "key", None) == key:
            return rule
    raise KeyError(key)
