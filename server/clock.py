"""The one place that tells the time; tests move it."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

TEST_CLOCK = "TOCSIN_TEST_CLOCK"
"""Names a file with the seconds by which the clocks of a test's processes run ahead; refused in production."""


class Clock:
    """A wall clock in UTC that tests may hold still and move by hand, or run ahead by what a file says."""

    def __init__(self, ahead: Path | None = None) -> None:
        self._held: datetime | None = None
        self._ahead = ahead

    def now(self) -> datetime:
        """The current instant, aware, in UTC."""
        if self._held is not None:
            return self._held
        if self._ahead is not None:
            return datetime.now(UTC) + timedelta(seconds=self._seconds_ahead())
        return datetime.now(UTC)

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

    def _seconds_ahead(self) -> float:
        assert self._ahead is not None
        try:
            return float(self._ahead.read_text() or 0)
        except (OSError, ValueError):
            return 0.0


clock = Clock(Path(os.environ[TEST_CLOCK]) if os.environ.get(TEST_CLOCK) else None)


def now() -> datetime:
    """The current instant, aware, in UTC."""
    return clock.now()


def iso(at: datetime | None) -> str | None:
    """An instant as ISO 8601 in UTC with milliseconds and Z, or None."""
    if at is None:
        return None
    there = at if at.tzinfo is UTC else at.astimezone(UTC)
    return there.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
