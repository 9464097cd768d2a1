"""Something between phone and server: it passes, swallows, cuts off, drips, or answers in the server's place as a portal does."""

import asyncio

from tests.faults.runner.proxy import Proxy

PASS, SWALLOW, CUT, DRIP, PORTAL = "pass", "swallow", "cut", "drip", "portal"
PAGE = b"<!doctype html><title>Wi-Fi</title><h1>Welcome. Please sign in to use this network.</h1>"
DRIP_SECONDS = 2.0


class Between(Proxy):
    """A proxy on loopback. `swallow`: requests arrive and nothing comes back. `cut`: the server hears the request and does
    it, its answer is lost. `drip`: the head of the answer comes, the rest a byte every two seconds. `portal`: a page of the network's own
    answers everything, with 200.
    """

    def __init__(self, port: int) -> None:
        self._way, self.swallowed = PASS, 0
        """How it treats what comes, and the requests met since the last `become`, however they were treated."""
        super().__init__(port)

    @property
    def url(self) -> str:
        """Where a browser finds the app through this."""
        return f"http://localhost:{self.port}"

    def become(self, way: str) -> None:
        """Treat what comes from now on so, and end what is open: the network has changed."""

        def change() -> None:
            self._way, self.swallowed = way, 0

        self._turn(change)

    async def _settle(self) -> None:
        await asyncio.sleep(0.05)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            if self._way == PORTAL:
                await self._welcome(reader, writer)
            elif self._way == SWALLOW:
                while await reader.read(65_536):
                    self.swallowed += 1
            else:
                await self._pass(reader, writer)
        except (OSError, EOFError, asyncio.CancelledError):
            pass  # the other side has left, or the test is over
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._to)
        self._open.add(to_writer)
        up = asyncio.ensure_future(self._up(reader, to_writer))
        try:
            while part := await to_reader.read(65_536):
                if self._way == CUT:
                    return
                if self._way == DRIP:
                    head, end, rest = part.partition(b"\r\n\r\n")
                    writer.write(head + end)
                    for byte in rest:
                        await asyncio.sleep(DRIP_SECONDS)
                        writer.write(bytes([byte]))
                else:
                    writer.write(part)
                await writer.drain()
        finally:
            up.cancel()
            self._open.discard(to_writer)
            to_writer.transport.abort()

    async def _up(self, reader: asyncio.StreamReader, to_writer: asyncio.StreamWriter) -> None:
        while part := await reader.read(65_536):
            self.swallowed += 1
            to_writer.write(part)
            await to_writer.drain()

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One page for whatever is asked, then the end: the rest of the request is not waited for."""
        await reader.readuntil(b"\r\n\r\n")
        self.swallowed += 1
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(PAGE)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + PAGE)
        await writer.drain()
        writer.write_eof()
        while await reader.read(65_536):
            pass
