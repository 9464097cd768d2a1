"""One HTTP request to an address the operator has set up: a deadline, no redirects, a few kB read, nothing logged."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import aiohttp

DEADLINE = 8.0
MOST_READ = 64 * 1024


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked. Its text is not for logs: addresses, headers and body may hold secrets."""

    method: str
    url: str = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Said:
    """What came back: a status and the first 64 kB, or a fault in one word."""

    status: int
    body: bytes = field(default=b"", repr=False)
    fault: str = ""


WebCall = Callable[[Call], Awaitable[Said]]


class Caller:
    """Makes calls over kept connections. Use inside one event loop; `close()` at the end.

    These addresses come from the operator's own settings, so they may lead anywhere, also to a modem in the house.
    """

    def __init__(self, deadline: float = DEADLINE) -> None:
        self._deadline = aiohttp.ClientTimeout(total=deadline)
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, call: Call) -> Said:
        """Make one call. Never raises for anything the far side does."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._deadline, cookie_jar=aiohttp.DummyCookieJar())
        try:
            async with self._session.request(
                call.method, call.url, data=call.body or None, headers=call.headers, allow_redirects=False
            ) as answer:
                return Said(answer.status, await answer.content.read(MOST_READ))
        except TimeoutError:
            return Said(0, fault="timed_out")
        except aiohttp.InvalidURL:
            return Said(0, fault="address_malformed")
        except (aiohttp.ClientError, OSError):
            return Said(0, fault="unreachable")

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)
