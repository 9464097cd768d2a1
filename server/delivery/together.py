"""Several orders to one person that come together are one text or one call, whose link leads to all of them."""

from collections.abc import Sequence
from typing import Any

from server.delivery.outcomes import Message
from server.domain.messages import JOINED
from server.domain.outbox import Claimed

_MANY = {"zh": "{} 条指令", "en": "{} orders"}
_BETWEEN = {"zh": "；", "en": "; "}


def together(written: Sequence[tuple[Claimed, Message]]) -> list[tuple[list[Claimed], Message]]:
    """The messages as they go out, each with every delivery it stands for: the most urgent first, then as they were made.

    The link of the first leads to the rest.
    """
    found: dict[Any, list[tuple[Claimed, Message]]] = {}
    for row, message in written:
        key: Any = row.id
        if row.channel in JOINED and row.recipient is not None:
            told = message.payload["notification"]["data"]
            key = (row.channel, row.person, told["incident"], told["drill"])
        found.setdefault(key, []).append((row, message))
    for parts in found.values():
        if len(parts) > 1:  # ids rise with time; a database gives what is due at the same moment in any order
            parts.sort(key=lambda part: (part[0].priority, part[0].id))
    return [([row for row, _ in parts], _joined(parts)) for parts in found.values()]


def _joined(parts: Sequence[tuple[Claimed, Message]]) -> Message:
    first_row, first = parts[0]
    if len(parts) == 1:
        return first
    titles = list(dict.fromkeys(str(message.payload["notification"]["title"]) for _, message in parts))
    if len(titles) == 1:
        return first
    language = "en" if first_row.locale == "en" else "zh"
    told = {
        **first.payload["notification"],
        "title": _MANY[language].format(len(titles)),
        "body": _BETWEEN[language].join(titles),
    }
    return first._replace(payload={**first.payload, "notification": told})
