"""When to leave a push service alone: after failures in a row, when it asks for it, when it calls too many gone."""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

FAILURES_TO_OPEN = 5
WAITS_TO_PAUSE = 3
LONGEST_PAUSE = 60.0
"""Seconds between two probes of a service that is down."""
DEFAULT_WAIT = 2.0


def back_off(attempt: int, longest: float = LONGEST_PAUSE) -> float:
    """Seconds before the next attempt (1 is the first): 1, 2, 4, 8 … ± 25 %, so that a crowd spreads out."""
    return float(min(2.0 ** min(attempt - 1, 16), longest) * random.uniform(0.75, 1.25))


class Circuit:
    """Closed: all pass. Open: none pass until a time. Then one probe passes, and its end closes or opens it again."""

    def __init__(self, time: Callable[[], float]) -> None:
        """`time`: a monotonic clock in seconds."""
        self._time = time
        self._failures = 0
        self._waits = 0
        self._openings = 0
        self._open_until: float | None = None
        self._probe_since: float | None = None

    def is_open(self) -> bool:
        """Whether requests must wait now."""
        return self._open_until is not None

    def lets_pass(self) -> bool:
        """Whether a request may go out now; when the pause is over this is the one probe."""
        if self._open_until is None:
            return True
        now = self._time()
        if now < self._open_until:
            return False
        # a probe that never reported back must not keep the circuit open for good
        if self._probe_since is not None and now - self._probe_since < LONGEST_PAUSE:
            return False
        self._probe_since = now
        return True

    def opens_in(self) -> float:
        """Seconds until it is worth asking again."""
        if self._open_until is None:
            return 0.0
        return max(self._open_until - self._time(), 0.2) * random.uniform(1.0, 1.25)

    def succeeded(self) -> None:
        """An answer that shows the service at work."""
        self._failures = self._waits = self._openings = 0
        self._open_until = self._probe_since = None

    def failed(self) -> None:
        """No answer, or one that shows the service broken."""
        self._failures += 1
        if self._probe_since is not None or (self._open_until is None and self._failures >= FAILURES_TO_OPEN):
            self._openings += 1
            self._open(back_off(self._openings))

    def asked_to_wait(self, seconds: float | None) -> None:
        """429: one may mean one phone, three in a row mean all of them."""
        self._waits += 1
        if self._probe_since is not None or self._waits >= WAITS_TO_PAUSE:
            self._open(DEFAULT_WAIT if seconds is None else seconds)

    def pause(self, seconds: float) -> None:
        """Let nothing pass for so long, then one probe, whatever the answers looked like by themselves."""
        self._open(seconds)

    def _open(self, seconds: float) -> None:
        self._open_until = self._time() + seconds
        self._probe_since = None


@dataclass(slots=True)
class _Window:
    answers: deque[tuple[float, str | None]] = field(default_factory=deque)
    gone: int = 0
    in_a_row: int = 0
    storm: bool = False


@dataclass(frozen=True, slots=True)
class GoneVerdict:
    """What a "gone" answer means: retire the subscription, or keep it because too many are said to be gone.

    `reinstate` names subscriptions retired earlier in the window, given once when the storm begins. `pause`: the service
    has called nobody alive of late, so it is better left alone for a while.
    """

    retire: bool
    reinstate: tuple[str, ...] = ()
    pause: bool = False


class GoneWatch:
    """Tells one phone that is gone from a service (or a key of ours) gone wrong.

    More than 30 % of "gone" among the answers of one origin within 5 minutes, and at least five of them, is a storm:
    nothing is retired until the share has fallen again.
    """

    SECONDS = 300.0
    SHARE = 0.3
    FEWEST = 5

    def __init__(self, time: Callable[[], float]) -> None:
        """`time`: a monotonic clock in seconds."""
        self._time = time
        self._windows: dict[str, _Window] = {}

    def alive(self, origin: str) -> None:
        """An answer other than gone."""
        self._record(origin, None)

    def gone(self, origin: str, subscription: str) -> GoneVerdict:
        """A 404 or 410 for this subscription."""
        window = self._record(origin, subscription)
        if window.gone < self.FEWEST or window.gone <= self.SHARE * len(window.answers):
            window.storm = False
            return GoneVerdict(retire=True)
        first_of_storm, window.storm = not window.storm, True
        pause = window.in_a_row >= self.FEWEST
        if not first_of_storm:
            return GoneVerdict(retire=False, pause=pause)
        earlier = dict.fromkeys(name for _, name in window.answers if name is not None and name != subscription)
        return GoneVerdict(retire=False, reinstate=tuple(earlier), pause=pause)

    def storms(self) -> list[str]:
        """Origins in a storm, for the operator's alarm."""
        return [origin for origin, window in self._windows.items() if window.storm]

    def _record(self, origin: str, subscription: str | None) -> _Window:
        now = self._time()
        window = self._windows.setdefault(origin, _Window())
        window.answers.append((now, subscription))
        window.gone += subscription is not None
        window.in_a_row = window.in_a_row + 1 if subscription is not None else 0
        while window.answers[0][0] < now - self.SECONDS:
            window.gone -= window.answers.popleft()[1] is not None
        return window
