"""POST requests to push services over kept-alive connections: no redirects, a hard deadline, a few kB read at most.

Each origin has its own connections and queue, so a dead or slow service delays only its own messages. A request is
built at the moment a connection is free: nothing is encrypted early, and a fan-out needs no task per message.
"""

import asyncio
import ssl
from collections.abc import Callable
from functools import cache

from server.delivery.answers import Answer
from server.delivery.connections import Fallen, Request
from server.delivery.origins import Bounds, Origin, Resolver, Way
from server.domain.push_endpoints import Endpoint


@cache
def trusted() -> ssl.SSLContext:
    """The system's certificates, which take longer to read than anything else at a start."""
    return ssl.create_default_context()


async def resolve(host: str, port: int) -> list[str]:
    """The host's addresses as the system's resolver gives them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=1)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Transport:
    """All origins this process speaks to. Use inside one event loop; `close()` at the end."""

    def __init__(
        self,
        test_origins: frozenset[str] = frozenset(),
        bounds: Bounds | None = None,
        tls: ssl.SSLContext | None = None,
        resolver: Resolver = resolve,
    ) -> None:
        """`test_origins` are exempt from the public-address rule and may be plain http."""
        self.bounds = bounds or Bounds()
        self._way = Way(self.bounds, tls or trusted(), resolver, test_origins)
        self._origins: dict[str, Origin] = {}

    def submit(self, endpoint: Endpoint, request: Request) -> None:
        """Queue a request; urgent ones go before all others of their origin."""
        origin = self._origins.get(endpoint.origin)
        if origin is None:
            if not endpoint.tls and endpoint.origin not in self._way.test_origins:
                request.done(Fallen("blocked"))
                return
            origin = self._origins[endpoint.origin] = Origin(self._way, endpoint)
        origin.submit(request)

    def pause(self, endpoint: Endpoint, seconds: float) -> None:
        """Leave the service of this endpoint alone for so many seconds."""
        if (origin := self._origins.get(endpoint.origin)) is not None:
            origin.pause(seconds)

    async def post(self, endpoint: Endpoint, build: Callable[[], bytes], urgent: bool = False) -> Answer | Fallen:
        """Send one request and wait for its end."""
        ended: asyncio.Future[Answer | Fallen] = asyncio.get_running_loop().create_future()
        self.submit(endpoint, Request(build, lambda end: None if ended.done() else ended.set_result(end), urgent))
        return await ended

    def connections(self) -> dict[str, int]:
        """Open connections per origin, for the metrics."""
        return {name: origin.open for name, origin in self._origins.items()}

    async def close(self) -> None:
        """Close every connection; requests under way end as broken."""
        origins, self._origins = list(self._origins.values()), {}
        for origin in origins:
            await origin.close()
