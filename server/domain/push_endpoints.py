"""Which push subscriptions the organisation accepts: the address a browser gave us and the two keys with it.

Pure: nothing here opens a connection or asks the system for the time. A subscription is user input that makes the
server send requests, so the address is judged by its parsed host name, never by a pattern over the whole text.
"""

import base64
import binascii
import ipaddress
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec

from server.domain.errors import Refused

KNOWN_HOSTS = ("fcm.googleapis.com", "*.push.services.mozilla.com", "*.push.apple.com", "*.notify.windows.com")
LONGEST_ENDPOINT = 2048
"""Characters; the browsers' own addresses stay under 600."""

_PRINTABLE = re.compile(r"[!-\[\]-~]+")  # visible ASCII without the backslash
_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+={0,2}")
_LATEST_EXPIRATION = 253_402_300_799_000  # 9999-12-31T23:59:59Z in milliseconds


@dataclass(frozen=True, slots=True)
class PushHosts:
    """The push services this installation may speak to.

    `names`: exact host names, or `*.domain` (also written `.domain`) for everything below it. `test_origins`: complete
    origins such as `http://127.0.0.1:8081` taken as they stand, without TLS and without the public-address rule.
    """

    names: tuple[str, ...] = KNOWN_HOSTS
    test_origins: frozenset[str] = field(default_factory=frozenset)

    def allows(self, host: str) -> bool:
        """Whether a lower-case host name without trailing dot stands on the list."""
        for name in self.names:
            suffix = name.removeprefix("*")
            if host.endswith(suffix) if suffix.startswith(".") else host == name:
                return True
        return False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A push address taken apart: `url` normalised, `path` with its query exactly as the browser gave it."""

    url: str
    origin: str
    host: str
    port: int
    tls: bool
    path: str


@dataclass(frozen=True, slots=True)
class AcceptedSubscription:
    """A subscription that may be stored: the 65-byte point, the 16-byte secret, `expires_at` in UTC or None."""

    endpoint: Endpoint
    p256dh: bytes
    auth: bytes
    expires_at: datetime | None


def check_subscription(
    endpoint: object,
    p256dh: object,
    auth: object,
    *,
    hosts: PushHosts,
    now: datetime,
    own_public_key: str,
    expiration_time: object = None,
) -> AcceptedSubscription:
    """Judge what a phone sent; `expiration_time` is the browser's milliseconds since 1970, or None.

    Raises Refused: endpoint_malformed, endpoint_not_allowed, key_malformed, key_not_yours, secret_malformed,
    expiration_malformed, expiration_past.
    """
    return AcceptedSubscription(
        endpoint=parse_endpoint(endpoint, hosts),
        p256dh=_public_key(p256dh, own_public_key),
        auth=_secret(auth),
        expires_at=_expiration(expiration_time, now),
    )


def parse_endpoint(text: object, hosts: PushHosts) -> Endpoint:
    """Take a push address apart. Raises Refused: endpoint_malformed, endpoint_not_allowed."""
    if not isinstance(text, str) or not 0 < len(text) <= LONGEST_ENDPOINT or not _PRINTABLE.fullmatch(text):
        raise _malformed_endpoint()
    if "#" in text:
        raise _malformed_endpoint()
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise _malformed_endpoint() from None
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    origin = f"{parts.scheme}://{parts.netloc}"
    if origin in hosts.test_origins:
        return _test_endpoint(origin, parts.hostname or "", port, path)
    host = (parts.hostname or "").removesuffix(".")
    if parts.scheme != "https" or "@" in parts.netloc or port not in (None, 443):
        raise _endpoint_not_allowed()
    if not _HOST.fullmatch(host) or _is_address(host) or not hosts.allows(host):
        raise _endpoint_not_allowed()
    return Endpoint(f"https://{host}{path}", f"https://{host}", host, 443, True, path)


def is_public_address(address: str) -> bool:
    """Whether an IP address belongs to the open internet, also when it hides in IPv6 (mapped, 6to4, Teredo, NAT64)."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        hidden = parsed.ipv4_mapped or parsed.sixtofour or (parsed.teredo and parsed.teredo[1])
        if hidden or parsed in ipaddress.ip_network("64:ff9b::/96") or parsed in ipaddress.ip_network("64:ff9b:1::/48"):
            return False
    return parsed.is_global and not parsed.is_multicast


def decode_key(text: str) -> bytes:
    """Base64url with or without padding to bytes. Raises ValueError."""
    if not _BASE64URL.fullmatch(text):
        raise ValueError("not base64url")
    bare = text.rstrip("=")
    try:
        return base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    except binascii.Error as error:
        raise ValueError("not base64url") from error


def encode_key(raw: bytes) -> str:
    """Bytes to base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _test_endpoint(origin: str, host: str, port: int | None, path: str) -> Endpoint:
    tls = origin.startswith("https:")
    return Endpoint(f"{origin}{path}", origin, host, port or (443 if tls else 80), tls, path)


def _is_address(host: str) -> bool:
    # 127.1 and 0x7f.1 are addresses to the system's resolver, so a last label that starts with a digit is one too
    return host.rpartition(".")[2][0].isdigit()


def _public_key(text: object, own_public_key: str) -> bytes:
    if not isinstance(text, str) or len(text) > 128:
        raise _malformed_key()
    try:
        raw = decode_key(text)
        if len(raw) != 65 or raw[0] != 4:
            raise _malformed_key()
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
    except ValueError:
        raise _malformed_key() from None
    if own_public_key and raw == decode_key(own_public_key):
        raise Refused(
            "key_not_yours",
            "订阅使用了服务器自己的密钥，请在手机上重新开启推送。",
            "The subscription carries the server's own key. Switch push on again on this phone.",
            path="keys.p256dh",
        )
    return raw


def _secret(text: object) -> bytes:
    try:
        raw = decode_key(text) if isinstance(text, str) and len(text) <= 64 else b""
    except ValueError:
        raw = b""
    if len(raw) != 16:
        raise Refused(
            "secret_malformed",
            "订阅的校验密钥不完整，请在手机上重新开启推送。",
            "The subscription's secret is not complete. Switch push on again on this phone.",
            path="keys.auth",
        )
    return raw


def _expiration(value: object, now: datetime) -> datetime | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LATEST_EXPIRATION:
        raise Refused(
            "expiration_malformed",
            "订阅的到期时间不是有效的时间。",
            "The subscription's expiry is not a time.",
            path="expiration_time",
        )
    expires_at = datetime.fromtimestamp(value / 1000, UTC)
    if expires_at <= now:
        raise Refused(
            "expiration_past",
            "订阅已经过期，请在手机上重新开启推送。",
            "The subscription has already expired. Switch push on again on this phone.",
            path="expiration_time",
        )
    return expires_at


def _malformed_endpoint() -> Refused:
    return Refused(
        "endpoint_malformed",
        "推送地址格式不正确，请在手机上重新开启推送。",
        "The push address is not well formed. Switch push on again on this phone.",
        path="endpoint",
    )


def _endpoint_not_allowed() -> Refused:
    return Refused(
        "endpoint_not_allowed",
        "该推送地址不在允许的推送服务之列，请联系管理员。",
        "This push address does not belong to an allowed push service. Ask the administrator.",
        path="endpoint",
    )


def _malformed_key() -> Refused:
    return Refused(
        "key_malformed",
        "订阅的公钥不正确，请在手机上重新开启推送。",
        "The subscription's public key is not valid. Switch push on again on this phone.",
        path="keys.p256dh",
    )
