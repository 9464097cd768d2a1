"""A push service on the loopback: reads what it is sent like a real one, answers as scripted, and serves Firefox.

Messages are decrypted by the reference implementation with the phone's own keys and their signature is checked, so a
test that sees a `Note` knows that a real phone could have read it.
"""

import asyncio
import base64
import json
import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

import http_ece
from aiohttp import WSMsgType, web
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02

Answer = int | str | tuple[int, dict[str, str]] | tuple[int, dict[str, str], bytes]
"""A status, a status with headers (and body), or one of: hang, drip, drip_body, huge, cut, redirect."""


@dataclass(frozen=True)
class Note:
    """A message that arrived: decrypted for phones made here, as it came for a browser's."""

    phone: str
    data: dict[str, Any]
    size: int
    ttl: int
    urgency: str
    topic: str
    claims: dict[str, Any]
    answered: Answer
    at: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Phone:
    """A subscription made here, with the private half only a phone has."""

    name: str
    endpoint: str
    key: ec.EllipticCurvePrivateKey
    secret: bytes

    @property
    def point(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    @property
    def address(self) -> dict[str, Any]:
        return {"endpoint": self.endpoint, "p256dh": self.point, "auth": self.secret}

    @property
    def subscription(self) -> dict[str, Any]:
        """What its browser would hand to the application."""
        keys = {"p256dh": base64url(self.point), "auth": base64url(self.secret)}
        return {"endpoint": self.endpoint, "keys": keys}


@dataclass
class Channel:
    """A browser's subscription: where its messages go."""

    uaid: str
    key: str | None


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unbase64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class PushService:
    """Runs in a thread of its own inside `with PushService() as service:`."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.notes: list[Note] = []
        self.complaints: list[str] = []
        self.requests = 0
        self.connections = 0
        self.most_at_once = 0
        self.delay = 0.0
        self.phones: dict[str, Phone] = {}
        self.channels: dict[str, Channel] = {}
        self.acknowledged: list[dict[str, Any]] = []
        self._scripts: dict[str, deque[Answer]] = {}
        self._default: Answer = 201
        self._at_once = 0
        self._browsers: dict[str, web.WebSocketResponse] = {}
        self._changed = threading.Condition()

    def __enter__(self) -> Self:
        started = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        assert started.wait(10), "the push service did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def browser_url(self) -> str:
        """What Firefox wants in dom.push.serverURL."""
        return f"ws://127.0.0.1:{self.port}/"

    def phone(self) -> Phone:
        """Subscribe a new phone."""
        name = secrets.token_urlsafe(12)
        key = ec.generate_private_key(ec.SECP256R1())
        made = self.phones[name] = Phone(name, f"{self.origin}/wpush/{name}", key, os.urandom(16))
        return made

    def answer(self, *answers: Answer, phone: Phone | None = None, after: Answer = 201) -> None:
        """Script the next answers, of one phone or of all; then `after`."""
        if phone is None:
            self._scripts["*"] = deque(answers)
            self._default = after
        else:
            self._scripts[phone.name] = deque([*answers, after])

    def wait_for(self, count: int, seconds: float = 10.0) -> list[Note]:
        """The accepted notes once there are `count`; fails the test when they do not come."""
        with self._changed:
            enough = self._changed.wait_for(lambda: len(self.accepted) >= count, seconds)
        assert enough, f"{len(self.accepted)} of {count} messages came"
        return self.accepted

    @property
    def accepted(self) -> list[Note]:
        return [note for note in self.notes if note.answered == 201]

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve(started))
        self._loop.close()

    async def _serve(self, started: threading.Event) -> None:
        self._stop = asyncio.Event()
        app = web.Application(client_max_size=1 << 16)
        app.router.add_get("/", self._browser)
        app.router.add_post("/wpush/{name}", self._push)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port)
        await site.start()
        self.port = runner.addresses[0][1]
        started.set()
        await self._stop.wait()
        for socket in list(self._browsers.values()):
            await socket.close()
        await runner.cleanup()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    async def _push(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            name = request.match_info["name"]
            body = await request.read()
            script = self._scripts.get(name) or self._scripts.get("*")
            answer: Answer = script.popleft() if script else self._default
            if name in self._scripts and not self._scripts[name]:
                self._scripts[name].append(answer)
            if name in self.channels or name in self.phones:
                self._note(request, name, body, answer)
            else:
                answer = 410 if answer == 201 else answer
            if self.delay:
                await asyncio.sleep(self.delay)
            return await self._respond(request, name, body, answer)
        finally:
            self._at_once -= 1

    def _note(self, request: web.Request, name: str, body: bytes, answer: Answer) -> None:
        claims = self._claims(request)
        phone = self.phones.get(name)
        data: dict[str, Any] = {}
        if phone is not None:
            plain = http_ece.decrypt(body, private_key=phone.key, auth_secret=phone.secret, version="aes128gcm")
            data = json.loads(plain)
        headers = request.headers
        for fault in (
            headers.get("Content-Encoding") != "aes128gcm" and "content encoding",
            len(body) > 4096 and "body over 4,096 bytes",
            not headers.get("TTL", "").isdigit() and "TTL",
            headers.get("Urgency") not in ("very-low", "low", "normal", "high") and "urgency",
            not 1 <= len(headers.get("Topic", "")) <= 32 and "topic",
        ):
            if fault:
                self.complaints.append(fault)
        with self._changed:
            self.notes.append(
                Note(
                    phone=name,
                    data=data,
                    size=len(body),
                    ttl=int(headers.get("TTL", "-1")),
                    urgency=headers.get("Urgency", ""),
                    topic=headers.get("Topic", ""),
                    claims=claims,
                    answered=answer,
                )
            )
            self._changed.notify_all()

    def _claims(self, request: web.Request) -> dict[str, Any]:
        header = request.headers.get("Authorization", "")
        try:
            signed = Vapid02.verify(header)
            token = header.partition("t=")[2].partition(",")[0]
            claims: dict[str, Any] = json.loads(unbase64url(token.split(".")[1]))
        except Exception as error:  # any defect of the header is a complaint, whatever the library calls it
            self.complaints.append(f"authorization: {error!r}")
            return {}
        if not signed:
            self.complaints.append("signature")
        if claims.get("aud") != self.origin:
            self.complaints.append(f"aud {claims.get('aud')}")
        if not 0 < claims.get("exp", 0) - time.time() <= 24 * 3600:
            self.complaints.append("exp")
        if not str(claims.get("sub", "")).startswith(("mailto:", "https:")):
            self.complaints.append("sub")
        return claims

    async def _respond(self, request: web.Request, name: str, body: bytes, answer: Answer) -> web.StreamResponse:
        if answer == 201:
            channel = self.channels.get(name)
            if channel is not None:
                await self._forward(name, channel, request, body)
            return web.Response(status=201, headers={"Location": f"{self.origin}/m/{secrets.token_hex(8)}"})
        if isinstance(answer, int):
            return web.Response(status=answer)
        if isinstance(answer, tuple):
            return web.Response(status=answer[0], headers=answer[1], body=answer[2] if len(answer) == 3 else b"")
        return await self._misbehave(request, answer)

    async def _misbehave(self, request: web.Request, manner: str) -> web.StreamResponse:
        transport = request.transport
        assert isinstance(transport, asyncio.Transport)
        if manner == "redirect":
            return web.Response(status=307, headers={"Location": f"{self.origin}{request.path}"})
        if manner == "hang":
            await asyncio.sleep(60)
        elif manner == "drip":
            await self._drip(transport, b"HTTP/1.1 201 Created\r\nX-Slow: " + b"x" * 600)
        elif manner == "drip_body":
            transport.write(b"HTTP/1.1 201 Created\r\nContent-Length: 600\r\n\r\n")
            await self._drip(transport, b"x" * 600)
        elif manner == "huge":
            response = web.StreamResponse(status=201)
            await response.prepare(request)
            with suppress(ConnectionError):  # who reads this to its end has lost
                for _ in range(3200):
                    await response.write(b"x" * 65_536)
            return response
        transport.abort()
        return web.Response()

    async def _drip(self, transport: asyncio.Transport, data: bytes) -> None:
        for at in range(len(data)):
            if transport.is_closing():
                return
            transport.write(data[at : at + 1])
            await asyncio.sleep(0.05)

    async def _browser(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=("push-notification",))
        await socket.prepare(request)
        uaid = ""
        async for frame in socket:
            if frame.type is not WSMsgType.TEXT:
                continue
            said = json.loads(frame.data)
            kind = said.get("messageType")
            if kind == "hello":
                uaid = said.get("uaid") or secrets.token_hex(16)
                self._browsers[uaid] = socket
                await socket.send_json({"messageType": "hello", "status": 200, "uaid": uaid, "use_webpush": True})
            elif kind == "register":
                await socket.send_json(self._register(uaid, said))
            elif kind == "unregister":
                gone = [name for name, channel in self.channels.items() if name == self._name(said["channelID"])]
                for name in gone:
                    del self.channels[name]
                await socket.send_json({"messageType": "unregister", "status": 200, "channelID": said["channelID"]})
            elif kind in ("ack", "nack"):
                with self._changed:
                    self.acknowledged.append(said)
                    self._changed.notify_all()
            elif not said:
                await socket.send_str("{}")
        if self._browsers.get(uaid) is socket:
            del self._browsers[uaid]
        return socket

    def _register(self, uaid: str, said: dict[str, Any]) -> dict[str, Any]:
        name = self._name(said["channelID"])
        self.channels[name] = Channel(uaid, said.get("key"))
        return {
            "messageType": "register",
            "status": 200,
            "channelID": said["channelID"],
            "pushEndpoint": f"{self.origin}/wpush/{name}",
        }

    def _name(self, channel_id: str) -> str:
        return "browser-" + channel_id

    async def _forward(self, name: str, channel: Channel, request: web.Request, body: bytes) -> None:
        socket = self._browsers.get(channel.uaid)
        if socket is None:
            return
        await socket.send_json(
            {
                "messageType": "notification",
                "channelID": name.removeprefix("browser-"),
                "version": secrets.token_hex(12),
                "ttl": int(request.headers["TTL"]),
                "data": base64url(body),
                "headers": {"encoding": "aes128gcm"},
            }
        )

    def wait_for_acknowledgements(self, count: int, seconds: float = 20.0) -> list[dict[str, Any]]:
        """What the browser said about its messages: code 100 delivered, 102 its handler failed."""
        with self._changed:
            enough = self._changed.wait_for(lambda: len(self.acknowledged) >= count, seconds)
        assert enough, f"{len(self.acknowledged)} of {count} acknowledgements came"
        return self.acknowledged

    def topics(self, notes: Iterable[Note] | None = None) -> set[tuple[str, str]]:
        """(phone, topic) of the accepted notes: what a person can tell apart."""
        return {(note.phone, note.topic) for note in (self.accepted if notes is None else notes)}
