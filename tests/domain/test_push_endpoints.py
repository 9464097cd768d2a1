"""Which subscriptions are refused when a phone subscribes, and with which code."""

import base64
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from server.domain.errors import Refused
from server.domain.push_endpoints import (
    AcceptedSubscription,
    PushHosts,
    check_subscription,
    is_public_address,
    parse_endpoint,
)

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
MILLISECONDS = int(NOW.timestamp() * 1000)
GOOD = "https://fcm.googleapis.com/fcm/send/abc:APA91b-x_y"


def text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def point() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(
        Encoding.X962, PublicFormat.UncompressedPoint
    )  # fmt: skip


POINT, SECRET, OWN = point(), b"0123456789abcdef", point()
GENERATOR_COMPRESSED = ec.derive_private_key(1, ec.SECP256R1()).public_key().public_bytes(
    Encoding.X962, PublicFormat.CompressedPoint
)  # fmt: skip


def check(**changes: Any) -> AcceptedSubscription:
    given_fields = {"endpoint": GOOD, "p256dh": text(POINT), "auth": text(SECRET), **changes}
    return check_subscription(**given_fields, hosts=PushHosts(), now=NOW, own_public_key=text(OWN))


def refusal(**changes: Any) -> tuple[str, str | None]:
    with pytest.raises(Refused) as caught:
        check(**changes)
    assert caught.value.zh
    assert caught.value.en
    return caught.value.code, caught.value.path


@pytest.mark.parametrize(
    "endpoint",
    [
        GOOD,
        "https://updates.push.services.mozilla.com/wpush/v2/gAAAAA",
        "https://web.push.apple.com/QN4y",
        "https://wns2-par02p.notify.windows.com/w/?token=BQYAAA%3d",
    ],
)
def test_addresses_of_the_four_services_are_taken_as_they_are(endpoint: str) -> None:
    taken = check(endpoint=endpoint)
    assert (taken.endpoint.url, taken.p256dh, taken.auth, taken.expires_at) == (endpoint, POINT, SECRET, None)
    assert taken.endpoint.port == 443


@pytest.mark.parametrize(
    "endpoint",
    [
        pytest.param("http://fcm.googleapis.com/x", id="W1 plain http"),
        *(
            pytest.param(f"https://{host}/x", id=f"W2-3 {host}")
            for host in (
                "127.0.0.1", "[::1]", "0.0.0.0", "2130706433", "0x7f.1", "127.1", "169.254.169.254", "100.64.0.1",
                "10.0.0.1", "[fd00::1]", "[::ffff:10.0.0.1]", "[64:ff9b::a00:1]", "localhost",
            )
        ),
        pytest.param("https://127.0.0.1/a.google.com/", id="W4 allowed name in the path"),
        pytest.param("https://evil.example/?x=.push.apple.com/", id="W5 allowed name in the query"),
        pytest.param("https://fcm.googleapis.com.evil.example/", id="W7 allowed name as prefix"),
        pytest.param("https://evilfcm.googleapis.com./x", id="W7 allowed name as ending"),
        pytest.param("https://evilpush.apple.com/x", id="W7 suffix without dot"),
        pytest.param("https://push.apple.com/x", id="W7 the bare suffix"),
        pytest.param("https://xn--fcm-google.com/x", id="W8 punycode"),
        *(pytest.param(f"https://fcm.googleapis.com:{port}/x", id=f"W9 port {port}") for port in (22, 8443, 0)),
        *(pytest.param(url, id=f"W10 {url}") for url in ("file:///etc/passwd", "ftp://fcm.googleapis.com/", "gopher://x/")),
        pytest.param("https://user:pw@fcm.googleapis.com/x", id="W16 user"),
        pytest.param("https://fcm.googleapis.com@127.0.0.1/x", id="W16 host as user"),
        pytest.param("https://fcm.googleapis.com%2f@evil.example/x", id="W16 escaped slash"),
        pytest.param("https://fcm.googleapis.com%00.evil.example/x", id="W11 escaped NUL"),
        pytest.param("https://fcm..googleapis.com/x", id="empty label"),
        pytest.param("https:///x", id="no host"),
        pytest.param("//fcm.googleapis.com/x", id="no scheme"),
    ],
)  # fmt: skip
def test_addresses_that_lead_elsewhere_are_refused(endpoint: str) -> None:
    assert refusal(endpoint=endpoint) == ("endpoint_not_allowed", "endpoint")


@pytest.mark.parametrize(
    "endpoint",
    [
        "", "x" * 2049, GOOD + "a" * 2048, None, 7, [], b"https://fcm.googleapis.com/x", GOOD + "\t", GOOD + "\r\nX: y",
        GOOD + "\0", GOOD + "\\@evil.example", GOOD + "#part", GOOD + " x", "https://fcm.googleapis.com:99999/x",
        "https://fcm.googleapis.com:abc/x", "https://fcm。googleapis.com/x", "https://fсm.googleapis.com/x", "https://[::1/x",
    ],
)  # fmt: skip
def test_text_that_is_no_address_is_refused(endpoint: object) -> None:
    assert refusal(endpoint=endpoint) == ("endpoint_malformed", "endpoint")


def test_upper_case_trailing_dot_and_the_standard_port_are_normalised() -> None:
    taken = check(endpoint="HTTPS://FCM.GoogleApis.com.:443/fcm/send/A?b=C")
    assert taken.endpoint.url == "https://fcm.googleapis.com/fcm/send/A?b=C"
    assert taken.endpoint.origin == "https://fcm.googleapis.com"


def test_the_path_is_kept_as_given() -> None:
    path = "/../%2f@a/b;c?d=%00&e=//f"
    assert check(endpoint=f"https://fcm.googleapis.com{path}").endpoint.path == path


def test_the_operator_may_add_hosts() -> None:
    hosts = PushHosts(names=("push.example.org", ".wide.example", "*.star.example"))
    for host in ("push.example.org", "a.wide.example", "b.c.star.example"):
        assert parse_endpoint(f"https://{host}/x", hosts).host == host
    for host in ("a.push.example.org", "wide.example", "star.example", "fcm.googleapis.com"):
        with pytest.raises(Refused):
            parse_endpoint(f"https://{host}/x", hosts)


def test_a_test_origin_is_taken_only_when_it_is_named_exactly() -> None:
    hosts = PushHosts(test_origins=frozenset({"http://127.0.0.1:8081"}))
    endpoint = parse_endpoint("http://127.0.0.1:8081/wpush/x", hosts)
    assert (endpoint.host, endpoint.port, endpoint.tls, endpoint.path) == ("127.0.0.1", 8081, False, "/wpush/x")
    for other in (
        "http://127.0.0.1:8082/x",
        "https://127.0.0.1:8081/x",
        "http://a@127.0.0.1:8081/x",
        "http://localhost:8081/",
    ):
        with pytest.raises(Refused):
            parse_endpoint(other, hosts)


@given(st.text(max_size=60))
def test_no_text_breaks_the_check(tail: str) -> None:
    for endpoint in (tail, "https://" + tail, GOOD + tail):
        try:
            taken = parse_endpoint(endpoint, PushHosts())
        except Refused:
            continue
        assert PushHosts().allows(taken.host)
        assert taken.url.startswith(f"https://{taken.host}/")


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(POINT[:4], id="W19 four bytes"),
        pytest.param(b"\x02" + POINT[1:], id="W20 first byte 2"),
        pytest.param(POINT[:64], id="W21 64 bytes"),
        pytest.param(POINT + b"\0", id="W21 66 bytes"),
        pytest.param(b"\x04" + b"\x01" * 64, id="W22 not on the curve"),
        pytest.param(bytes(65), id="W23 zeros"),
        pytest.param(b"\x04" + bytes(64), id="W23 infinity"),
        pytest.param(GENERATOR_COMPRESSED, id="W23 compressed"),
        pytest.param(b"", id="empty"),
    ],
)
def test_points_that_are_none_are_refused(raw: bytes) -> None:
    assert refusal(p256dh=text(raw)) == ("key_malformed", "keys.p256dh")


def test_the_servers_own_key_is_refused() -> None:
    assert refusal(p256dh=text(OWN)) == ("key_not_yours", "keys.p256dh")


@pytest.mark.parametrize(
    "auth", [text(b"x"), text(b"x" * 15), text(b"x" * 17), text(b"x" * 64), "", None, 16, "A" * 10_000]
)
def test_secrets_of_another_length_are_refused(auth: object) -> None:
    assert refusal(auth=auth) == ("secret_malformed", "keys.auth")


def test_padding_is_taken_and_the_other_alphabet_is_not() -> None:
    assert check(p256dh=text(POINT) + "=", auth=text(SECRET) + "==").p256dh == POINT
    assert refusal(auth="+/" + text(SECRET)[2:])[0] == "secret_malformed"
    assert refusal(p256dh=text(POINT)[:-2] + "+/")[0] == "key_malformed"
    assert refusal(p256dh=" " + text(POINT))[0] == "key_malformed"
    assert refusal(p256dh="é" + text(POINT)[1:])[0] == "key_malformed"


@pytest.mark.parametrize("value", [-1, "1", True, 10**20, float("nan"), float("inf"), [], {}])
def test_an_expiry_that_is_no_time_is_refused(value: object) -> None:
    assert refusal(expiration_time=value) == ("expiration_malformed", "expiration_time")


def test_an_expiry_in_the_past_is_refused_and_one_ahead_is_kept() -> None:
    assert refusal(expiration_time=MILLISECONDS) == ("expiration_past", "expiration_time")
    taken = check(expiration_time=MILLISECONDS + 60_000)
    assert taken.expires_at == datetime(2026, 11, 22, 8, 1, tzinfo=UTC)


@pytest.mark.parametrize("address", ["8.8.8.8", "2a00:1450:4001:80f::200a"])
def test_public_addresses(address: str) -> None:
    assert is_public_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fd00::1", "fe80::1", "fe80::1%eth0", "::ffff:10.0.0.1", "::ffff:8.8.8.8",
        "64:ff9b::a00:1", "64:ff9b:1::1", "2002:a00:1::", "ff02::1", "not an address", "",
    ],
)  # fmt: skip
def test_addresses_that_are_not_the_open_internet(address: str) -> None:
    assert not is_public_address(address)
