"""The plan's clock of a drill that runs faster than written, and may change its speed on the way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class PlanClock:
    """What the plan's own clock shows: `paces` are (since when, how many times faster), the earliest first.

    The first pace counts from `since`, the start of the incident; without paces the clock shows the time of day.
    """

    since: datetime
    paces: tuple[tuple[datetime, int], ...] = ()

    def reads(self, at: datetime) -> datetime:
        """What the clock shows at a moment (aware); before the start it runs backwards at the first pace."""
        if not self.paces:
            return at
        shown, before, speed = self.since, self.since, self.paces[0][1]
        for moment, following in self.paces[1:]:
            if moment >= at:
                break
            shown += (moment - before) * speed
            before, speed = moment, following
        return shown + (at - before) * speed

    def speed_at(self, at: datetime) -> int:
        """How many times faster than written things go at a moment."""
        return next(
            (speed for moment, speed in reversed(self.paces) if moment <= at), self.paces[0][1] if self.paces else 1
        )


def plan_clock(since: datetime, speed: int, changes: Iterable[tuple[datetime, int]]) -> PlanClock:
    """The clock of an incident that began at `since`; `speed` is its pace where no changes are known."""
    found = tuple(sorted(changes)) or (((since, speed),) if speed > 1 else ())
    return PlanClock(since, found)
