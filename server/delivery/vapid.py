"""Who this server is to push services: its key pair on disk and the tokens signed with it (RFC 8292)."""

import os
import re
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from py_vapid import Vapid02

from server.domain.push_endpoints import encode_key

VAPID_FILE = "vapid.pem"
"""The key pair's file in the data folder."""
KEPT_FOR = timedelta(hours=12)
"""How long one token is used again; push services accept at most 24 hours."""

_SUBJECT = re.compile(r"mailto:[^\s@<>]+@[^\s@<>]+\.[^\s@<>]+|https://[A-Za-z0-9.-]+\.[A-Za-z]{2,}(?:/\S*)?")


def load_or_make_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Read the key file, or make it (mode 0600) when the server starts for the first time.

    Two processes may start together: whoever links the file first wins and both use that one.
    Raises ValueError when the file holds something else than a P-256 key, PermissionError when others may read it.
    """
    if not path.exists():
        _make_key_file(path)
    if path.stat().st_mode & 0o077:
        raise PermissionError(f"{path} may be read by others; run: chmod 600 {path}")
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError(f"{path} does not hold a P-256 key")
    return key


def public_key_text(key: ec.EllipticCurvePrivateKey) -> str:
    """The public half as browsers want it for `applicationServerKey`: base64url of the 65-byte point."""
    return encode_key(key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


class Signer:
    """Makes the Authorization header for an origin and keeps it for at most 12 hours."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, subject: str, now: Callable[[], datetime]) -> None:
        """`subject`: a real mailto: or https: address where a push service reaches the operator. Raises ValueError."""
        if not _SUBJECT.fullmatch(subject):
            raise ValueError("the push contact must be a mailto: or https: address with a full domain")
        self.public_key = public_key_text(key)
        self._vapid = Vapid02(key)
        self._subject = subject
        self._now = now
        self._kept: dict[str, tuple[datetime, str]] = {}

    def authorization(self, origin: str) -> str:
        """The header's value for `https://host`, signed anew when the kept one is older than 12 hours."""
        now = self._now()
        kept = self._kept.get(origin)
        # a clock set back would otherwise keep a token beyond what the service accepts
        if kept and kept[0] <= now < kept[0] + KEPT_FOR:
            return kept[1]
        expires = int((now + KEPT_FOR + timedelta(hours=1)).timestamp())
        header: str = self._vapid.sign({"aud": origin, "sub": self._subject, "exp": expires})["Authorization"]
        self._kept[origin] = (now, header)
        return header


def _make_key_file(path: Path) -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # made with mode 0600
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()
