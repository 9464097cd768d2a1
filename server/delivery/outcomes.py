"""What a channel is and what it answers: one message in, one outcome out, nothing else for the worker to know."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

import orjson

DRY_RUN = "dry_run"
"""The word of an outcome that says nothing left the building."""


class Result(StrEnum):
    """How sending one message ended."""

    ACCEPTED = "accepted"
    """The service took it. Only a receipt from the phone says that it arrived."""
    GONE = "gone"
    """This subscription or address exists no longer."""
    KEY_MISMATCH = "key_mismatch"
    """The service does not take our signature for this subscription; never a reason to delete it."""
    TOO_LARGE = "too_large"
    """Even the small form was too large."""
    THROTTLED = "throttled"
    """The service asks for patience: again after `retry_after` seconds."""
    FAILED = "failed"
    """Not handed over: again after `retry_after` seconds, or never when that is None."""
    BLOCKED = "blocked"
    """The address is not one we may speak to; nothing was sent."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result with what the worker needs to go on: seconds to wait, the service's status, a word for the operator.

    `detail` is shown to operators and logged: it never holds an address, a key or a message text.
    `confirmed` is False when the channel cannot know whether the far side took the message.
    """

    result: Result
    retry_after: float | None = None
    status: int | None = None
    detail: str = ""
    confirmed: bool = True


class Document(Mapping[str, Any]):
    """A push document that is made as JSON when it is sent, and read only by those who look inside."""

    __slots__ = ("_found", "_make", "_text")

    def __init__(self, make: Callable[[], bytes]) -> None:
        self._make = make
        self._text: bytes | None = None
        self._found: dict[str, Any] | None = None

    @property
    def text(self) -> bytes:
        """The document as JSON."""
        if self._text is None:
            self._text = self._make()
        return self._text

    def __getitem__(self, name: str) -> Any:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def _read(self) -> dict[str, Any]:
        if self._found is None:
            self._found = orjson.loads(self.text)
        return self._found


class Message(NamedTuple):
    """One delivery on its way out.

    `address`: what the channel needs to reach the person (a subscription, a number, a robot).
    `payload`: the push document of the API contract; other channels read title, body and navigate from it.
    `topic`: the alert's id as 32 hex characters, so that a revised alert replaces the undelivered one.
    `attempt` counts from 1.
    """

    delivery: str
    address: Mapping[str, Any]
    payload: Mapping[str, Any]
    topic: str
    expires_at: datetime
    critical: bool = False
    attempt: int = 1


class Channel(Protocol):
    """A way out of the building."""

    name: str

    async def send(self, message: Message) -> Outcome:
        """Send one message within a few seconds. Never raises for anything the far side does."""
        ...
