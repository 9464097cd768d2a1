"""What stands on loopback between a client and the server, on a loop and in a thread of its own."""

import asyncio
import threading
from collections.abc import Callable

from tests.house import free_port


class Proxy:
    """Takes connections on a port of its own and treats each as `_accept` says; begins to with `__init__`."""

    def __init__(self, port: int) -> None:
        self.port, self._to = free_port(), port
        self._open: set[asyncio.StreamWriter] = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def close(self) -> None:
        """End it."""
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(10)

    def _turn(self, change: Callable[[], None]) -> None:
        """Change how connections are treated, and end what is open."""

        def now() -> None:
            change()
            self._abort()

        self._loop.call_soon_threadsafe(now)

    def _abort(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    async def _serve(self) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self._ready.set()
        await self._ending.wait()
        server.close()
        self._abort()
        await self._settle()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError

    async def _settle(self) -> None:
        """Wait for what is still under way when everything has been ended."""
        raise NotImplementedError
