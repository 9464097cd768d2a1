"""One-purpose tokens: what a push carries so that a phone can report or answer although its session has ended.

A token names its purpose, whom it is for and until when, and is signed; it opens nothing else. Nothing is stored, so
using it twice has the effect of using it once only because the fact it authorises has an id of its own.
"""

import base64
import binascii
import hashlib
import hmac
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple

from server.domain.errors import Forbidden, Unauthenticated

ANSWER, RECEIPT, GROUP = "answer", "receipt", "group"

_MARKS = {ANSWER: b"a", RECEIPT: b"r", GROUP: b"g"}
_PURPOSES = {mark: purpose for purpose, mark in _MARKS.items()}
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_LENGTH = 1 + 5 + 16 + 16
_SEAL = 16


class Grant(NamedTuple):
    """What a valid token allows: for an answer the recipient and its alert, for a receipt the delivery and its alert, for
    a group's chat to find oneself among those asked in an incident (which stands in both places)."""

    purpose: str
    subject: str
    alert: str
    expires_at: datetime


def make_token(secret: str, purpose: str, subject: str, alert: str, expires_at: datetime) -> str:
    """A token of 72 characters; `subject` is a recipient (answer) or a delivery (receipt)."""
    return token_maker(secret, purpose, alert, expires_at)(subject).decode()


def token_maker(secret: str, purpose: str, alert: str, expires_at: datetime) -> Callable[[str], bytes]:
    """A function that makes the tokens of one alert, each for its subject: what they share is worked out once."""
    before = _MARKS[purpose] + int(expires_at.timestamp()).to_bytes(5, "big")
    after = bytes.fromhex(alert.replace("-", ""))
    inner, outer = _keyed(secret)

    def make(subject: str) -> bytes:
        body = before + bytes.fromhex(subject.replace("-", "")) + after
        # HMAC from its two halves (RFC 2104): taken up again after the key, which is the dearer part of so short a text
        first, second = inner.copy(), outer.copy()
        first.update(body)
        second.update(first.digest())
        return binascii.b2a_base64(body + second.digest()[:_SEAL], newline=False).translate(_URL_SAFE, b"=")

    return make


def read_token(secret: str, token: str, purpose: str, at: datetime) -> Grant:
    """What the token allows now.

    Raises Unauthenticated `token_invalid` or `token_expired`, Forbidden `token_wrong_purpose`.
    """
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raw = b""
    body, seal = raw[:_LENGTH], raw[_LENGTH:]
    if len(raw) != _LENGTH + _SEAL or not hmac.compare_digest(seal, _seal(secret, body)):
        raise Unauthenticated(
            "token_invalid", "链接无效，请打开应用登录。", "This link is not valid. Open the app and sign in."
        )
    grant = Grant(
        purpose=_PURPOSES[body[:1]],
        subject=str(uuid.UUID(bytes=body[6:22])),
        alert=str(uuid.UUID(bytes=body[22:38])),
        expires_at=datetime.fromtimestamp(int.from_bytes(body[1:6], "big"), UTC),
    )
    if grant.purpose != purpose:
        raise Forbidden("token_wrong_purpose", "此链接不能用于该操作。", "This link is not for that.")
    if grant.expires_at <= at:
        raise Unauthenticated(
            "token_expired", "链接已过期，请打开应用登录。", "This link has expired. Open the app and sign in."
        )
    return grant


def _seal(secret: str, body: bytes) -> bytes:
    return hmac.digest(_key(secret), body, "sha256")[:_SEAL]


def _key(secret: str) -> bytes:
    return b"one-purpose:" + secret.encode()


@cache
def _keyed(secret: str) -> tuple[Any, Any]:
    key = _key(secret)
    block = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\x00")
    return hashlib.sha256(bytes(one ^ 0x36 for one in block)), hashlib.sha256(bytes(one ^ 0x5C for one in block))
