"""The Web Push channel: an alert to one phone, encrypted for it alone and signed by this installation."""

import asyncio
import functools
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

import orjson

from server.delivery.answers import Answer
from server.delivery.circuits import DEFAULT_WAIT, back_off
from server.delivery.connections import Fallen, Request
from server.delivery.envelopes import EnvelopeBox, PhoneKeys, encrypt, encrypt_by_reference, lean_form_proves_itself
from server.delivery.outcomes import Document, Message, Outcome, Result
from server.delivery.transport import Transport
from server.delivery.vapid import Signer
from server.domain.errors import Refused
from server.domain.push_endpoints import Endpoint, PushHosts, parse_endpoint

LONGEST_LIFE = 4 * 60 * 60
"""Seconds a push service may keep an alert for a phone that is off."""
MOST_HEADS = 256
MOST_PLAINTEXT = 3000
"""UTF-8 bytes; larger payloads go out in the small form."""

_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")
_PATH = re.compile(r"/[!-~]*")
_NOT_OUR_KEY = (b"VapidPkHashMismatch", b"BadJwtToken", b"VapidKeyMismatch", b"Unauthorized")

_CREATED = Outcome(Result.ACCEPTED, status=201)

Done = Callable[[Outcome], None]


class WebPush:
    """Sends messages whose address is a subscription: `endpoint` (text), `p256dh` and `auth` (bytes)."""

    name = "push"

    def __init__(
        self,
        transport: Transport,
        signer: Signer,
        hosts: PushHosts,
        now: Callable[[], datetime],
        envelopes: EnvelopeBox | None = None,
    ) -> None:
        self.envelopes = envelopes if envelopes is not None else EnvelopeBox()
        self._transport = transport
        self._signer = signer
        self._now = now
        self._heads: dict[tuple[str, int, str, str], bytes] = {}
        self._lean = lean_form_proves_itself()
        self._target = functools.lru_cache(maxsize=65_536)(functools.partial(_target, hosts=hosts))

    def expect(self, addresses: Iterable[tuple[str, bytes, bytes]]) -> None:
        """Name all live subscriptions, so that what can be done before an alert is done before it."""
        keys = []
        for endpoint, p256dh, auth in addresses:
            keys.append(PhoneKeys(p256dh, auth))
            with suppress(Refused):
                self._target(endpoint)
        self.envelopes.keep_for(keys)

    def pause(self, endpoint: str, seconds: float) -> None:
        """Leave the service of this subscription alone for so many seconds."""
        self._transport.pause(self._target(endpoint)[0], seconds)

    async def send(self, message: Message) -> Outcome:
        """Send one message and wait for how it ended."""
        ended: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self.submit(message, lambda outcome: None if ended.done() else ended.set_result(outcome))
        return await ended

    def submit(self, message: Message, done: Done) -> None:
        """Queue one message without waiting for it: the way of a fan-out. `done` is called once, from the loop.

        What the service finds too large goes out again in its smallest form.
        """
        self._submit(message, fitting(message.payload), done)

    def _submit(self, message: Message, plaintext: bytes, done: Done, *, small: bool = False) -> None:
        life = int(min((message.expires_at - self._now()).total_seconds(), LONGEST_LIFE))
        if life <= 0:
            done(Outcome(Result.FAILED, detail="expired"))
            return
        try:
            endpoint, path = self._target(message.address["endpoint"])
            keys = PhoneKeys(message.address["p256dh"], message.address["auth"])
        except (Refused, KeyError) as error:
            done(Outcome(Result.BLOCKED, detail=error.code if isinstance(error, Refused) else "address_incomplete"))
            return
        head = self._head(endpoint.origin, life, "high" if message.critical else "normal", message.topic)
        if path is None or head is None:
            done(Outcome(Result.BLOCKED, detail="address_malformed"))
            return

        def build() -> bytes:
            body = self._encrypted(keys, plaintext)
            return b"%b%b%d\r\n\r\n%b" % (path, head, len(body), body)

        def ended(end: Answer | Fallen) -> None:
            outcome = _outcome(end, message.attempt)
            if outcome.result is Result.TOO_LARGE and not small:
                self._submit(message, small_form(message.payload, room=0), done, small=True)
            else:
                done(outcome)

        self._transport.submit(endpoint, Request(build, ended, message.critical))

    def _encrypted(self, keys: PhoneKeys, plaintext: bytes) -> bytes:
        return encrypt(self.envelopes.take(keys), plaintext) if self._lean else encrypt_by_reference(keys, plaintext)

    def _head(self, origin: str, life: int, urgency: str, topic: str) -> bytes | None:
        """What stands between the path and the length: the same for all phones of a service within one second.

        None when the topic is none a service takes.
        """
        key = (origin, life, urgency, topic)
        head = self._heads.get(key)
        if head is None:
            if not _TOPIC.fullmatch(topic):
                return None
            if len(self._heads) >= MOST_HEADS:
                self._heads.clear()
            head = self._heads[key] = (
                f" HTTP/1.1\r\nHost: {origin.partition('://')[2]}\r\n"
                f"Authorization: {self._signer.authorization(origin)}\r\n"
                f"TTL: {life}\r\nUrgency: {urgency}\r\nTopic: {topic}\r\nContent-Encoding: aes128gcm\r\n"
                "Content-Type: application/octet-stream\r\nContent-Length: "
            ).encode("ascii")
        return head


def _target(endpoint: str, hosts: PushHosts) -> tuple[Endpoint, bytes | None]:
    """Where a subscription leads and how its request begins; None there when the path cannot stand in a request."""
    found = parse_endpoint(endpoint, hosts)
    return found, b"POST " + found.path.encode("ascii") if _PATH.fullmatch(found.path) else None


def fitting(payload: Mapping[str, Any]) -> bytes:
    """The payload as JSON, in the small form when it would be too large for every push service."""
    full = payload.text if isinstance(payload, Document) else orjson.dumps(payload)
    return full if len(full) < MOST_PLAINTEXT else small_form(payload)


def small_form(payload: Mapping[str, Any], room: int = 600) -> bytes:
    """What is needed to show the alert and to answer it: title, where it leads, ids and tokens.

    `room`: bytes of the body text to keep; the phone fetches the rest when it opens.
    """
    notification = payload["notification"]
    kept = {key: notification[key] for key in ("tag", "lang", "dir", "navigate", "app_badge") if key in notification}
    small = {
        **{key: value for key, value in payload.items() if key != "notification"},
        "notification": {
            "title": clipped(str(notification["title"]), 200),
            "body": clipped(str(notification.get("body", "")), room),
            **kept,
            "require_interaction": True,
        },
    }
    return orjson.dumps(small)


def clipped(text: str, room: int) -> str:
    """As much of a text as fits `room` UTF-8 bytes, with an ellipsis where it was cut."""
    raw = text.encode("utf-8")
    if len(raw) <= room:
        return text
    return raw[: room - 3].decode("utf-8", "ignore") + "…" if room >= 3 else ""


def _outcome(end: Answer | Fallen, attempt: int) -> Outcome:
    if isinstance(end, Fallen):
        if end.fault == "blocked":
            return Outcome(Result.BLOCKED, detail="address_not_public")
        if end.fault == "not_built":
            return Outcome(Result.FAILED, detail=end.fault)
        wait = back_off(attempt) if end.retry_after is None else end.retry_after
        return Outcome(Result.FAILED, wait, detail=end.fault)
    status = end.status
    if status == 201:
        return _CREATED
    if 200 <= status < 300:
        return Outcome(Result.ACCEPTED, status=status)
    if status in (404, 410):
        return Outcome(Result.GONE, status=status)
    if status in (401, 403) or (status == 400 and any(word in end.body for word in _NOT_OUR_KEY)):
        return Outcome(Result.KEY_MISMATCH, status=status)
    if status == 413:
        return Outcome(Result.TOO_LARGE, status=status)
    if status == 429 or (status == 503 and end.retry_after is not None):
        asked = max(DEFAULT_WAIT, back_off(attempt)) if end.retry_after is None else end.retry_after
        return Outcome(Result.THROTTLED, asked, status)
    if status >= 500 or status in (0, 408) or 300 <= status < 400:
        return Outcome(Result.FAILED, back_off(attempt), status)
    return Outcome(Result.FAILED, status=status)
