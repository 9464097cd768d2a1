"""A bad network on loopback: slow, far away, losing what passes, and gone for moments."""

import asyncio
import random

from tests.faults.runner.proxy import Proxy

SEGMENT = 1_400
HELD = 64 * 1024
"""Bytes that may wait in the link in one direction before the sender is held back."""

LATE = 0.02
"""Seconds by which this process may wake too late on a busy machine: the link was not idle for that."""


class Link(Proxy):
    """A proxy on loopback that lets so many bits a second through in each direction, each after half the round trip.

    `lost` is the share of segments that are sent again once the sender has noticed, as TCP does; everything behind such a one
    waits for it. `cut` ends every connection and takes no new one for a while.
    """

    def __init__(self, port: int, kilobits: float, milliseconds: float, lost: float = 0.0, seed: int = 1) -> None:
        self._lost, self._random, self._down_until = lost, random.Random(seed), 0.0
        self._passing: set[asyncio.Future[tuple[None, None]]] = set()
        self._rate, self._delay = kilobits * 125, milliseconds / 2000
        self._free = {"up": 0.0, "down": 0.0}
        self.passed = {"up": 0, "down": 0}
        super().__init__(port)

    def cut(self, seconds: float) -> None:
        """No network for some seconds."""

        def down() -> None:
            self._down_until = self._loop.time() + seconds

        self._turn(down)

    async def _settle(self) -> None:
        if self._passing:
            await asyncio.wait(self._passing, timeout=10)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(self._delay * 2)  # the handshake
        if self._loop.time() < self._down_until:
            writer.transport.abort()
            return
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._to)
        self._open |= {writer, to_writer}
        both = asyncio.gather(self._pass(reader, to_writer, "up"), self._pass(to_reader, writer, "down"))
        self._passing.add(both)
        try:
            await both
        except OSError:
            pass
        finally:
            self._passing.discard(both)
            self._open -= {writer, to_writer}
            writer.transport.abort()
            to_writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str) -> None:
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(HELD // SEGMENT)

        async def arrive() -> None:
            while True:
                at, part = await under_way.get()
                await asyncio.sleep(max(0.0, at - self._loop.time()))
                if not part:
                    writer.close()
                    return
                writer.write(part)

        arriving = asyncio.ensure_future(arrive())
        try:
            while part := await reader.read(SEGMENT):
                now, free = self._loop.time(), self._free[way]
                start = free if now - free < LATE else now
                self._free[way] = start + len(part) / self._rate
                self.passed[way] += len(part)
                if self._random.random() < self._lost:
                    self._free[way] += max(0.2, self._delay)  # others are under way meanwhile
                await asyncio.sleep(max(0.0, self._free[way] - self._loop.time()))
                await under_way.put((self._free[way] + self._delay, part))
            await under_way.put((self._loop.time() + self._delay, b""))
            await arriving
        finally:
            arriving.cancel()
