"""The one place that tells the time; tests move it."""

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """A wall clock in UTC that tests may hold still and move by hand."""

    def __init__(self) -> None:
        self._held: datetime | None = None

    def now(self) -> datetime:
        """The current instant, aware, in UTC."""
        return self._held if self._held is not None else datetime.now(UTC)

    def hold(self, at: datetime) -> None:
        """Stop the clock at `at` (aware)."""
        self._held = at.astimezone(UTC)

    def move(self, seconds: float) -> datetime:
        """Move a held clock by `seconds` and return the new instant."""
        if self._held is None:
            raise RuntimeError("only a held clock can be moved")
        self._held += timedelta(seconds=seconds)
        return self._held

    def release(self) -> None:
        """Let the clock run with the system again."""
        self._held = None


clock = Clock()


def now() -> datetime:
    """The current instant, aware, in UTC."""
    return clock.now()


def iso(at: datetime | None) -> str | None:
    """An instant as ISO 8601 in UTC with milliseconds and Z, or None."""
    if at is None:
        return None
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def wait(seconds: float) -> None:
    """Sleep for `seconds` of real time."""
    time.sleep(seconds)
