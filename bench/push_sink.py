"""A push service that only counts: answers every POST with 201, at once or after a while, over HTTP or TLS.

Run as `python -m bench.push_sink SECONDS [CERT KEY]`: prints its port, then one line per second that brought requests;
SECONDS is how long it holds each answer (`0.05-0.15` for a spread). `GET /` answers with the number of POSTs so far.
"""

import asyncio
import random
import ssl
import sys
from typing import cast

import uvloop

CREATED = b"HTTP/1.1 201 Created\r\nLocation: /m/1\r\nContent-Length: 0\r\n\r\n"


class Sink(asyncio.Protocol):
    """One connection; requests may arrive in any pieces."""

    posts = 0
    least = most = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self.transport = cast(asyncio.Transport, transport)
        self.data = b""

    def data_received(self, data: bytes) -> None:
        """Answer every whole request."""
        self.data = self.data + data if self.data else data
        while self.data:
            head_end = self.data.find(b"\r\n\r\n")
            if head_end < 0:
                return
            if self.data.startswith(b"GET"):
                said = str(Sink.posts).encode()
                self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said))
                self.data = self.data[head_end + 4 :]
                continue
            at = self.data.lower().find(b"content-length:", 0, head_end)
            length = int(self.data[at + 15 : self.data.find(b"\r", at)])
            end = head_end + 4 + length
            if len(self.data) < end:
                return
            self.data = self.data[end:]
            if Sink.most:
                asyncio.get_running_loop().call_later(random.uniform(Sink.least, Sink.most), self.answer)
            else:
                self.answer()

    def answer(self) -> None:
        """Accept one message."""
        Sink.posts += 1
        if not self.transport.is_closing():
            self.transport.write(CREATED)


async def serve(delay: str, certificate: list[str]) -> None:
    """Serve until killed."""
    least, _, most = delay.partition("-")
    Sink.least, Sink.most = float(least), float(most or least)
    tls = None
    if certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(*certificate)
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0, ssl=tls, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], sys.argv[2:]))
