"""A plan rehearsed with a moved clock: facts go in at their times, the ordered list of what would happen to whom comes out."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta

from server.domain.rules import Plan
from server.planning.happenings import Happening, Step
from server.planning.rehearsal import Simulation

__all__ = ["Happening", "Simulation", "Step", "simulate"]


def simulate(
    plan: Plan,
    steps: Iterable[Step],
    start: datetime,
    timezone: str = "Asia/Shanghai",
    until: timedelta = timedelta(days=5),
    holidays: Collection[date] = (),
) -> list[Happening]:
    """Everything that happens from `start` (aware) until `until` after it, in order. Steps may come in any order."""
    simulation = Simulation(plan, start, timezone, holidays)
    for step in sorted(steps, key=lambda one: one.at):
        simulation.advance(start + step.at)
        simulation.tell(step.name, step.value)
    simulation.advance(start + until)
    return simulation.happenings
