"""One incident under a plan with a moved clock: what is told goes in, everything that follows is noted in order."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import Final

from server.domain import rules
from server.domain.rules import Clause, Consequence, LimitRule, OrderRule, Plan, Words
from server.domain.rules.levels import title_of
from server.planning.happenings import Happening, Kind
from server.planning.rungs import Rung, rungs_of
from server.planning.steps import Steps

DECIDING_FACTS: Final = MappingProxyType(
    {
        "plan.activated": "decision.activate",
        "fallback.decided": "decision.fallback",
        "evacuation.decided": "decision.evacuate",
        "service.restored": "decision.restore",
        "response.ended": "decision.end",
    }
)
MAX_FACTS: Final = 10_000


class Simulation:
    """One incident under a plan. `now` moves only forward, by `advance`; `tell` says what becomes known at `now`."""

    def __init__(
        self, plan: Plan, start: datetime, timezone: str = "Asia/Shanghai", holidays: Collection[date] = ()
    ) -> None:
        self.plan, self.now = plan, start.astimezone(UTC)
        self.timezone, self.holidays = plan.timezone or timezone, holidays
        self.happenings: list[Happening] = []
        self.known: dict[str, object] = {}
        self.happened: dict[str, datetime] = {}
        self.levels: dict[str, str | None] = {}
        self.proposed: dict[str, str | None] = {}
        self.running: dict[str, tuple[LimitRule, datetime]] = {}
        self.waiting: dict[str, tuple[LimitRule, datetime]] = {}
        self.began: dict[str, datetime] = {}
        self.steps = Steps(plan)
        self.open_phases: list[str] = []
        self.begun: set[str] = set()
        self.issued: set[str] = set()
        self.climbing: dict[str, tuple[datetime, Rung]] = {}
        self._due: list[tuple[datetime, int, str]] = []
        self._facts: deque[str] = deque()

    def advance(self, to: datetime) -> None:
        """Move the clock to `to`, letting every limit due by then pass at its own time."""
        while self._due and self._due[0][0] <= to:
            due, _, key = heapq.heappop(self._due)
            if key in self.running and self.running[key][1] == due:
                self.now = max(self.now, due)
                self._pass(self.running.pop(key)[0])
            elif key in self.climbing and self.climbing[key][0] == due:
                self.now = max(self.now, due)
                self._step(self.climbing.pop(key)[1])
        self.now = max(self.now, to.astimezone(UTC))

    def tell(self, name: str, value: bool | int | float | str = True) -> None:
        """A fact happens, a level is set, an item is marked, or a measure gets its value, now. Raises StepUnfit."""
        self.steps.check(name, value)
        if name.startswith("item."):
            self._mark(name, value)
        elif name in self.steps.measures or name in self.steps.flags:
            self._measure(name, value)
        elif self._locked(DECIDING_FACTS.get(name, "")):
            return
        else:
            self._happen(name)
        self._drain()
        self._reconsider()

    def _measure(self, name: str, value: object) -> None:
        self.known[name] = value
        self._log("measure", name, words=title_of(self.plan, name))
        for key, (limit, began) in list(self.waiting.items()):
            del self.waiting[key]
            self._run(limit, began)
        self._more_orders()

    def _mark(self, name: str, value: bool | int | float | str) -> None:
        _, checklist, item = name.split(".", 2)
        rule = next(one for one in self.plan.checklist(checklist).items if one.key == item)
        if self._locked(name):
            return
        if rule.measure:
            self._measure(rule.measure, value)
        if rule.records:
            self._happen(rule.records)

    def _locked(self, target: str) -> bool:
        locks = [lock for lock in rules.locked_items(self.plan, self._all_known()) if lock.target == target]
        for lock in locks:
            self._log("locked", lock.target, words=lock.words, clause=lock.clause)
        return bool(locks)

    def _happen(self, fact: str) -> None:
        self._facts.append(fact)

    def _drain(self) -> None:
        count = 0
        while self._facts:
            count += 1
            if count > MAX_FACTS:
                raise RecursionError("the rules of this plan set each other off without end")
            self._take(self._facts.popleft())

    def _take(self, fact: str) -> None:
        before = self.happened.get(fact)
        self.known[fact], self.happened[fact] = True, self.now
        self._log("fact", fact, words=title_of(self.plan, fact))
        if fact.startswith("level.") and fact.count(".") == 2:
            self._set_level(*fact.split(".")[1:])
        if fact == "incident.dismissed":
            self.running.clear()
            self.waiting.clear()
        self._end_limits(fact)
        if fact == "response.ended":
            self._stop_clocks()
        if fact.startswith("order.") and fact.endswith(".answered"):
            self.climbing = {key: one for key, one in self.climbing.items() if one[1].order.key != fact[6:-9]}
        for limit in rules.limits_started_by(self.plan, fact, self._all_known()):
            if self._may_begin(limit, fact, before):
                self.began[limit.key] = self.now
                self._run(limit, self.now)
        for route in rules.routes_for(self.plan, fact, rules.hours_at(self.now, self.timezone, self.holidays)):
            self._log("alert", route.key, route.to[:1], route.words or route.title, route.clause)
        self._triggers(fact)
        self._phases(fact)
        self._more_orders()

    def _end_limits(self, fact: str) -> None:
        for key in rules.moot(self.plan, fact):
            self.running.pop(key, None)
            self.waiting.pop(key, None)
        for limit in rules.limits_ended_by(self.plan, fact):
            ended = self.running.pop(limit.key, None) or self.waiting.pop(limit.key, None)
            if ended:
                self._log("limit_met", limit.key, (limit.owner,), limit.title, limit.clause)
                self._happen(f"limit.{limit.key}.met")

    def _stop_clocks(self) -> None:
        lasting = rules.lasting(self.plan)
        for clocks in (self.running, self.waiting):
            for key in [key for key in clocks if key not in lasting]:
                del clocks[key]

    def _may_begin(self, limit: LimitRule, fact: str, before: datetime | None) -> bool:
        if limit.key in self.running or limit.key in self.waiting:
            return False
        began = self.began.get(limit.key)
        return began is None or began != self.now and rules.may_run_again(limit, fact, before, self.happened)

    def _run(self, limit: LimitRule, began: datetime) -> None:
        try:
            due = rules.due_at(limit, began, self.timezone, self.known)
        except rules.LengthUnknown:
            self.waiting[limit.key] = (limit, began)
            self._log("limit_waiting", limit.key, (limit.owner,), limit.title, limit.clause)
            return
        self.running[limit.key] = (limit, due)
        heapq.heappush(self._due, (due, int(limit.key.startswith("order-")), limit.key))
        self._log("limit_started", limit.key, (limit.owner,), limit.title, limit.clause, due)

    def _pass(self, limit: LimitRule) -> None:
        self._log("limit_passed", limit.key, (limit.owner,), limit.title, limit.clause)
        active = "plan.activated" in self.happened
        for consequence in rules.left_to_do(self.plan, limit) if active else rules.consequences(limit):
            self._follow(consequence, limit)
        self._happen(f"limit.{limit.key}.passed")
        self._drain()
        self._reconsider()

    def _follow(self, consequence: Consequence, limit: LimitRule) -> None:
        words = consequence.words or limit.title
        if consequence.kind == "alert":
            told = self._just_told() if limit.key.startswith("order-") else set()
            if left := tuple(team for team in consequence.alert if team not in told):
                self._log("alert", limit.key, left, words, limit.clause)
        elif consequence.kind == "ask" and consequence.of:
            self._log("ask", consequence.ask or "", (consequence.of,), words, limit.clause)
        elif consequence.kind == "activate" and "plan.activated" not in self.happened:
            self._happen("plan.activated")
        elif consequence.kind == "warn" and "plan.warned" not in self.happened:
            self._happen("plan.warned")
        elif consequence.order:
            self._issue(self.plan.order(consequence.order))
        elif consequence.tier:
            self._tier(consequence.tier)
        elif consequence.level:
            self._propose(*consequence.level.split("."), words=words, clause=limit.clause)
        elif consequence.notice:
            notice = self.plan.notice(consequence.notice)
            self._log("notice", notice.key, (notice.prepared_by,), notice.title, notice.clause)
        elif consequence.report:
            report = self.plan.report(consequence.report)
            self._log("report", report.key, (report.owner,), report.title, report.clause)

    def _just_told(self) -> set[str]:
        """Who has been given an order or an alert in the last minute: one about an order is not sent on top of it."""
        since = self.now - timedelta(minutes=1)
        recent = itertools.takewhile(lambda one: one.at > since, reversed(self.happenings))
        return {team for one in recent if one.kind in ("alert", "order") for team in one.to}

    def _tier(self, key: str) -> None:
        tier = next(one for one in self.plan.manual.tiers if one.key == key) if self.plan.manual else None
        if tier is None:
            return
        teams = tuple(dict.fromkeys(post.team for post in self.plan.posts if post.key in tier.posts))
        self._log("tier", key, teams, tier.words, tier.clause)
        self._happen(f"tier.{key}.started")
        for order in tier.orders:
            self._issue(self.plan.order(order))

    def _triggers(self, fact: str) -> None:
        for trigger in self.plan.triggers:
            if trigger.on != fact or rules.holds(trigger.when, self._all_known()) is not True:
                continue
            if trigger.mode == "automatic" and "plan.activated" not in self.happened:
                self._happen("plan.activated")
            if trigger.mode == "warning" and not {"plan.warned", "plan.activated"} & set(self.happened):
                self._happen("plan.warned")

    def _phases(self, fact: str) -> None:
        if fact == "response.ended":
            self.open_phases.clear()
        for phase in rules.phases_started_by(self.plan, fact):
            if phase.key in self.begun:
                continue
            self.begun.add(phase.key)
            self.open_phases.append(phase.key)
            self._log("phase", phase.key, words=phase.title, clause=phase.clause)
            self._happen(f"phase.{phase.key}.started")
            for notice in rules.notices_for(self.plan, phase.key):
                self._log("notice", notice.key, (notice.prepared_by,), notice.title, notice.clause)

    def _more_orders(self) -> None:
        levels = {f"{scale}.{level}" for scale, level in self.levels.items()}
        for phase in self.open_phases:
            for order in rules.orders_for(self.plan, phase, levels, self._all_known()):
                self._issue(order)

    def _issue(self, order: OrderRule) -> None:
        if order.key in self.issued or self._locked(f"order.{order.key}"):
            return
        self.issued.add(order.key)
        self._log("order", order.key, (order.team,), order.title, order.clause)
        self._happen(f"order.{order.key}.issued")
        for rung in rungs_of(self.plan, order):
            self._climb(rung)

    def _climb(self, rung: Rung) -> None:
        due, key = self.now + rung.after, f"{rung.kind} {rung.order.key} {rung.number}"
        self.climbing[key] = (due, rung)
        heapq.heappush(self._due, (due, 2, key))

    def _step(self, rung: Rung) -> None:
        """Nobody has answered the order: what the plan's ladder or quorum does then."""
        self._log(rung.kind, rung.order.key, rung.to, rung.words, rung.clause)
        if rung.following is not None:
            self._climb(rung.following)

    def _set_level(self, scale: str, key: str) -> None:
        old = self.levels.get(scale)
        if old == key:
            return
        level = next(one for one in self.plan.scale(scale).levels if one.key == key)
        self.levels[scale] = self.proposed[scale] = key
        self._log("level_set", f"{scale}.{key}", level.route, level.action, level.clause)
        self._happen("level.set")
        if old is not None:
            self._happen("level.lowered" if rules.is_lowering(self.plan, scale, old, key) else "level.raised")
        active = "plan.activated" in self.happened
        if level.activation == "automatic" and not active:
            self._happen("plan.activated")
        elif level.activation == "warning" and not active and "plan.warned" not in self.happened:
            self._happen("plan.warned")
        elif level.activation == "decided" and not active:
            self._log("ask", "activate", (self.plan.authority.decides,), level.action, level.clause)

    def _reconsider(self) -> None:
        """Propose a level wherever the measures now call for another one; an automatic level sets itself."""
        for scale in self.plan.scales:
            found = rules.propose_level(self.plan, scale.key, self._all_known())
            if found is None:
                self.proposed[scale.key] = None
            elif found.level.key != self.proposed.get(scale.key):
                self._propose(scale.key, found.level.key, words=found.reason, clause=found.clause)
        self._drain()

    def _propose(self, scale: str, level: str, *, words: Words, clause: Clause) -> None:
        self.proposed[scale] = level
        self._log("level_proposed", f"{scale}.{level}", (self.plan.scale(scale).by,), words, clause)
        rule = next(one for one in self.plan.scale(scale).levels if one.key == level)
        lowering = rules.is_lowering(self.plan, scale, self.levels.get(scale), level)
        if rule.activation == "automatic" and not lowering:  # down again only by a person
            self._happen(f"level.{scale}.{level}")

    def _all_known(self) -> dict[str, object]:
        return {**self.known, **rules.elapsed_measures(self.plan, self.happened, self.now)}

    def _log(
        self, kind: Kind, rule: str, to: tuple[str, ...] = (), words: Words | None = None, clause: Clause | None = None,
        due: datetime | None = None,
    ) -> None:  # fmt: skip
        self.happenings.append(Happening(self.now, kind, rule, to, words, clause, due))
