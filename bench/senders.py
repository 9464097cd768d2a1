"""One sender against a push service, in a process of its own: `python -m bench.senders NAME ORIGIN COUNT [CA]`.

Prints one JSON line: seconds from the first message to the last acceptance, the processor time this process spent on
them, and its peak memory in MB.
Every sender gets the same subscriptions (a fresh P-256 key for each phone) and the same 200-byte payload.
"""

import asyncio
import base64
import itertools
import json
import os
import resource
import ssl
import sys
import time
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import aiohttp
import uvloop
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02
from pywebpush import webpush_async

from server.clock import now
from server.delivery.answers import Answer
from server.delivery.connections import Fallen, Request
from server.delivery.envelopes import EnvelopeBox, PhoneKeys, encrypt, seal
from server.delivery.outcomes import Message, Outcome, Result
from server.delivery.sending import MOST_IN_HAND
from server.delivery.transport import Transport
from server.delivery.vapid import Signer
from server.delivery.web_push import WebPush
from server.delivery.worker import calm_collector
from server.domain.push_endpoints import PushHosts, parse_endpoint

TEXT = "售票系统故障，启动预案，请立即到游客中心集合。"
PAYLOAD = {"notification": {"title": TEXT, "body": "x" * 60}, "tocsin": {"alert": "0" * 32}}
KEY = ec.generate_private_key(ec.SECP256R1())
SUBJECT = "mailto:duty@example.org"
IN_FLIGHT = 100


class Stopwatch:
    """Seconds by the wall and by the processor."""

    def __init__(self) -> None:
        self._started = (time.perf_counter(), time.process_time())

    def stop(self) -> None:
        """Keep what has passed."""
        wall, processor = self._started
        self.seconds, self.cpu = time.perf_counter() - wall, time.process_time() - processor


def phones(count: int) -> list[PhoneKeys]:
    """So many phones with keys of their own."""
    made = []
    for _ in range(count):
        point = ec.generate_private_key(ec.SECP256R1()).public_key()
        made.append(PhoneKeys(point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint), os.urandom(16)))
    return made


def tls_context(authority: str | None) -> ssl.SSLContext:
    """Trusts only the bench's own certificate when one is named."""
    return ssl.create_default_context(cafile=authority)


async def ours(origin: str, keys: list[PhoneKeys], authority: str | None, each: int) -> Stopwatch:
    """This product's channel; `each` sealed envelopes lie ready per phone."""
    origins = frozenset({origin})
    box = EnvelopeBox(max(each, 1))
    transport = Transport(origins, tls=tls_context(authority))
    channel = WebPush(transport, Signer(KEY, SUBJECT, now), PushHosts(test_origins=origins), now, box)
    if each:  # what the worker does while nothing happens
        channel.expect((f"{origin}/wpush/{number}", *phone) for number, phone in enumerate(keys))
        while box.refill(1000):
            pass
    done, failed, expires = asyncio.Event(), 0, now() + timedelta(hours=1)
    left = len(keys)

    waiting = iter(enumerate(keys))

    def submit_next() -> None:
        for number, phone in itertools.islice(waiting, 1):
            address = {"endpoint": f"{origin}/wpush/{number}", "p256dh": phone.p256dh, "auth": phone.auth}
            channel.submit(Message("", address, PAYLOAD, "0" * 32, expires, True), ended)

    def ended(outcome: Outcome) -> None:
        nonlocal left, failed
        left -= 1
        failed += outcome.result is not Result.ACCEPTED
        submit_next()
        if left == 0:
            done.set()

    calm_collector()
    took = Stopwatch()
    for _ in range(MOST_IN_HAND):
        submit_next()
    await done.wait()
    took.stop()
    assert failed == 0, f"{failed} messages failed"
    await transport.close()
    return took


async def raw(origin: str, keys: list[PhoneKeys], authority: str | None) -> Stopwatch:
    """The floor: the same bytes, made beforehand, over the same connections."""
    transport = Transport(frozenset({origin}), tls=tls_context(authority))
    endpoint = parse_endpoint(f"{origin}/wpush/1", PushHosts(test_origins=frozenset({origin})))
    signer = Signer(KEY, SUBJECT, now)
    body = encrypt(seal(keys[0]), json.dumps(PAYLOAD).encode())
    ready = (
        f"POST /wpush/1 HTTP/1.1\r\nHost: {origin.partition('//')[2]}\r\nAuthorization: {signer.authorization(origin)}\r\n"
        f"TTL: 3600\r\nUrgency: high\r\nContent-Encoding: aes128gcm\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    done, left, failed = asyncio.Event(), len(keys), 0

    def ended(end: Answer | Fallen) -> None:
        nonlocal left, failed
        left -= 1
        failed += isinstance(end, Fallen) or end.status != 201
        if left == 0:
            done.set()

    calm_collector()
    took = Stopwatch()
    for _ in keys:
        transport.submit(endpoint, Request(lambda: ready, ended))
    await done.wait()
    took.stop()
    assert failed == 0, f"{failed} messages failed"
    await transport.close()
    return took


async def by_webpush_async(origin: str, keys: list[PhoneKeys], authority: str | None) -> Stopwatch:
    """pywebpush's own asynchronous sender, one session, 100 in flight."""
    infos: list[dict[str, Any]] = [
        {"endpoint": f"{origin}/wpush/{number}", "keys": {"p256dh": text(phone.p256dh), "auth": text(phone.auth)}}
        for number, phone in enumerate(keys)
    ]
    data, waiting = json.dumps(PAYLOAD), asyncio.Semaphore(IN_FLIGHT)
    connector = aiohttp.TCPConnector(limit=IN_FLIGHT, ssl=tls_context(authority))
    async with aiohttp.ClientSession(connector=connector) as session:

        async def one(info: dict[str, Any]) -> None:
            async with waiting:
                await webpush_async(
                    info, data, vapid_private_key=Vapid02(KEY), vapid_claims={"sub": SUBJECT}, ttl=3600,
                    aiohttp_session=session, timeout=30,
                )  # fmt: skip

        took = Stopwatch()
        await asyncio.gather(*map(one, infos))
        took.stop()
        return took


def text(raw_bytes: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw_bytes).rstrip(b"=").decode()


SENDERS: dict[str, Callable[[str, list[PhoneKeys], str | None], Coroutine[None, None, Stopwatch]]] = {
    "sealed": lambda origin, keys, authority: ours(origin, keys, authority, 1),
    "fresh": lambda origin, keys, authority: ours(origin, keys, authority, 0),
    "raw": raw,
    "webpush_async": by_webpush_async,
}


def main(name: str, origin: str, count: str, authority: str | None = None) -> None:
    """Send and print what it took."""
    keys = phones(int(count))
    took = uvloop.run(SENDERS[name](origin, keys, authority))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": took.seconds, "cpu": took.cpu, "mb": peak}))


if __name__ == "__main__":
    main(*sys.argv[1:])
