"""Any other service through Apprise, when the operator has installed it; its word is never taken for a receipt."""

import asyncio
import logging
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from server.delivery.circuits import back_off
from server.delivery.outcomes import Message, Outcome, Result

INSTALLED = find_spec("apprise") is not None


def opened(urls: Sequence[str], link: str) -> "Others":
    """The channel for these Apprise addresses. Raises ValueError when one is none (without showing it: they hold secrets)."""
    if not INSTALLED:
        raise ValueError("Apprise is not installed")
    import apprise  # noqa: PLC0415 - an extra that most do not need, and a tenth of a second of every start

    # They write down addresses with their secrets, and messages whole.
    logging.getLogger("apprise").disabled = True
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    channel = apprise.Apprise()
    if not all(channel.add(url) for url in urls):
        raise ValueError("an address of other.urls is none that Apprise knows")
    return Others(channel, link)


class Others:
    """Sends through one Apprise address of the operator's; always unconfirmed, because it hides what a service said."""

    name = "other"

    def __init__(self, apprise: Any, link: str) -> None:
        """`apprise`: an `apprise.Apprise` object with its addresses added. `link`: where the app is."""
        self._apprise = apprise
        self._link = link

    async def send(self, message: Message) -> Outcome:
        """Hand the message to every address; False from any of them is a failure."""
        told = message.payload["notification"]
        body = f"{told.get('body', '')}\n{self._link}{told.get('navigate', '')}".strip()
        try:
            async with asyncio.timeout(15.0):
                taken = await self._apprise.async_notify(title=str(told["title"]), body=body)
        except TimeoutError:
            return Outcome(Result.FAILED, back_off(message.attempt), detail="timed_out", confirmed=False)
        if taken:
            return Outcome(Result.ACCEPTED, confirmed=False)
        return Outcome(Result.FAILED, back_off(message.attempt), detail="refused", confirmed=False)
