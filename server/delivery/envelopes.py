"""Encryption of a push message for one phone (RFC 8291, aes128gcm), with the costly half done ahead of time.

A sealed envelope is a fresh ephemeral key and a fresh salt with all that follows from them and from the phone's key. It
serves one message and is then gone; envelopes live in the sender's memory only and are refilled while nothing else is to
do.
"""

import hmac
import os
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from server.domain.push_endpoints import encode_key

LONGEST_PLAINTEXT = 3993
"""Bytes that still fit a body of 4,096 (86 header, 1 padding mark, 16 tag)."""

_CURVE = ec.SECP256R1()
_ECDH = ec.ECDH()
_RECORD_AND_KEY_LENGTH = (4096).to_bytes(4, "big") + b"\x41"
_KEY_INFO = b"Content-Encoding: aes128gcm\x00\x01"
_NONCE_INFO = b"Content-Encoding: nonce\x00\x01"


class PhoneKeys(NamedTuple):
    """A phone's public point (65 bytes, uncompressed) and its secret (16 bytes)."""

    p256dh: bytes
    auth: bytes


class Envelope(NamedTuple):
    """What stands before the text (salt, sizes and ephemeral public key, 86 bytes) and the key and nonce for that text."""

    head: bytes
    key: bytes
    nonce: bytes

    @property
    def public(self) -> bytes:
        """The ephemeral public key, 65 bytes."""
        return self.head[21:]


def seal(keys: PhoneKeys) -> Envelope:
    """Make a fresh ephemeral key and agree with the phone's. Raises ValueError for a key that is no point."""
    phone_key = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, keys.p256dh)
    ephemeral = ec.generate_private_key(_CURVE)
    public = ephemeral.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    shared = hmac.digest(keys.auth, ephemeral.exchange(_ECDH, phone_key), "sha256")
    material = hmac.digest(shared, b"WebPush: info\x00" + keys.p256dh + public + b"\x01", "sha256")
    salt = os.urandom(16)
    secret = hmac.digest(salt, material, "sha256")
    key = hmac.digest(secret, _KEY_INFO, "sha256")[:16]
    nonce = hmac.digest(secret, _NONCE_INFO, "sha256")[:12]
    return Envelope(b"".join((salt, _RECORD_AND_KEY_LENGTH, public)), key, nonce)


def encrypt(envelope: Envelope, plaintext: bytes) -> bytes:
    """The body for one message, at most 3,993 bytes of plaintext. Never call it twice with one envelope."""
    if len(plaintext) > LONGEST_PLAINTEXT:
        raise ValueError("the message does not fit one push record")
    return envelope.head + AESGCM(envelope.key).encrypt(envelope.nonce, plaintext + b"\x02", None)


def encrypt_by_reference(keys: PhoneKeys, plaintext: bytes) -> bytes:
    """The same body made by pywebpush's encoder: the form ours is checked against."""
    # It brings two HTTP libraries along, and this way is taken only when ours has failed its proof.
    from pywebpush import WebPusher  # noqa: PLC0415

    texts = {"p256dh": encode_key(keys.p256dh), "auth": encode_key(keys.auth)}
    pusher = WebPusher({"endpoint": "https://unused.invalid/", "keys": texts})
    return bytes(pusher.encode(plaintext)["body"])


@cache
def lean_form_proves_itself() -> bool:
    """Encrypt to a throw-away phone and let the reference implementation read it; asked once at start."""
    phone = ec.generate_private_key(_CURVE)
    secret = os.urandom(16)
    point = phone.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    sent = os.urandom(200)
    body = encrypt(seal(PhoneKeys(point, secret)), sent)
    return bool(http_ece.decrypt(body, private_key=phone, auth_secret=secret, version="aes128gcm") == sent)


class EnvelopeBox:
    """Envelopes lying ready, a few per phone. A phone's keys are its name here, so a re-subscription starts afresh."""

    def __init__(self, each: int = 1) -> None:
        """`each`: how many envelopes lie ready per phone; about 400 bytes apiece."""
        self._each = each
        self._ready: dict[PhoneKeys, list[Envelope]] = {}
        self._wanting: dict[PhoneKeys, None] = {}

    def __len__(self) -> int:
        return sum(map(len, self._ready.values()))

    def keep_for(self, phones: Iterable[PhoneKeys]) -> None:
        """Name all live phones: new ones get envelopes at the next refill, those of all others are dropped."""
        live = dict.fromkeys(phones)
        self._ready = {keys: self._ready.get(keys, []) for keys in live}
        self._wanting = {keys: None for keys, ready in self._ready.items() if len(ready) < self._each}

    def take(self, keys: PhoneKeys) -> Envelope:
        """An envelope never used before: a ready one, else one made now."""
        ready = self._ready.get(keys)
        if ready is None:
            return seal(keys)
        self._wanting[keys] = None
        return ready.pop() if ready else seal(keys)

    def refill(self, at_most: int) -> int:
        """Make up to `at_most` missing envelopes (about 0.1 ms each) and say how many; 0 means all are full."""
        made = 0
        while self._wanting and made < at_most:
            keys = next(iter(self._wanting))
            ready = self._ready[keys]
            if len(ready) < self._each:
                ready.append(seal(keys))
                made += 1
            if len(ready) >= self._each:
                del self._wanting[keys]
        return made
