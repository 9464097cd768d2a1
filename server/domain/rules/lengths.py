"""How long a limit lasts and how often a duty comes round, and the moment each falls due."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from server.domain.rules.words import MeasureRef

AT_ONCE_ALARM_SECONDS: Final = 300
"""A rule that only says "at once" has no number: it is due at once and alarms after this long, unless the site says otherwise."""

TIME_UNITS: Final[Mapping[str, int]] = {"s": 1, "min": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Length:
    """A length of time as a plan states it.

    kind `span`: `seconds` from the start. `end_of_day`: the end of the day the clock started in, `days` later
    (0 = same day, 1 = next day), in the organisation's zone. `at_once`: no number given. `measured`: the value of
    `measure` at the start (in the measure's own time unit, `unit_seconds` each), less `seconds` kept in hand.
    """

    kind: Literal["span", "end_of_day", "at_once", "measured"]
    seconds: int = 0
    days: int = 0
    measure: MeasureRef | None = None
    unit_seconds: int = 60


@dataclass(frozen=True)
class Cadence:
    """How often something comes round: every `every` units, optionally at a clock time (HH:MM) or on a weekday (0 = Monday)."""

    every: int
    unit: Literal["day", "week", "month", "year", "shift", "occasion"]
    at: str | None = None
    weekday: int | None = None


class LengthUnknown(Exception):
    """The length depends on a measure nobody has given yet; `measure` names it."""

    def __init__(self, measure: str) -> None:
        super().__init__(f"the measure {measure} is not known yet")
        self.measure = measure


def due(length: Length, started_at: datetime, zone: ZoneInfo, measures: Mapping[str, object] | None = None) -> datetime:
    """The moment (UTC) a length that started at `started_at` (aware) runs out. Raises LengthUnknown."""
    start = started_at.astimezone(UTC)
    if length.kind == "end_of_day":
        day = started_at.astimezone(zone).date() + timedelta(days=length.days + 1)
        return datetime.combine(day, time(0), zone).astimezone(UTC)
    if length.kind == "measured":
        value = (measures or {}).get(length.measure or "")
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise LengthUnknown(length.measure or "")
        return start + timedelta(seconds=max(0.0, value * length.unit_seconds - length.seconds))
    if length.kind == "at_once":
        return start + timedelta(seconds=AT_ONCE_ALARM_SECONDS)
    return start + timedelta(seconds=length.seconds)


def comes_round(cadence: Cadence, last: datetime, zone: ZoneInfo) -> datetime | None:
    """When something that comes round is due again after `last` (aware), in UTC; None where no calendar can say.

    It is due at its clock time, else at the end of its day. A weekday is the first one in the week that is due; a month
    without the day ends on its last. What is done each shift or on occasion has no date.
    """
    if cadence.unit in ("shift", "occasion"):
        return None
    local = last.astimezone(zone)
    day = local.date()
    if cadence.unit in ("day", "week"):
        day += timedelta(days=cadence.every * (7 if cadence.unit == "week" else 1))
        if cadence.weekday is not None:
            day -= timedelta(days=(day.weekday() - cadence.weekday) % 7)
    else:
        months = day.month - 1 + cadence.every * (12 if cadence.unit == "year" else 1)
        year, month = day.year + months // 12, months % 12 + 1
        day = date(year, month, min(day.day, monthrange(year, month)[1]))
    if cadence.at is not None:
        return datetime.combine(day, time.fromisoformat(cadence.at), zone).astimezone(UTC)
    return datetime.combine(day + timedelta(days=1), time(0), zone).astimezone(UTC)


def shortest_seconds(length: Length) -> int | None:
    """The least time the length can leave, in seconds; None where it depends on the hour or on a measure."""
    if length.kind == "span":
        return length.seconds
    if length.kind == "at_once":
        return AT_ONCE_ALARM_SECONDS
    return length.days * TIME_UNITS["d"] if length.kind == "end_of_day" and length.days else None
