"""The server's key is made once, is readable by nobody else, and its tokens name the service they are for."""

import base64
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from py_vapid import Vapid02

from server.clock import Clock
from server.delivery.vapid import Signer, load_or_make_key, public_key_text

START = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


def signer(clock: Clock) -> Signer:
    return Signer(ec.generate_private_key(ec.SECP256R1()), "mailto:duty@example.org", clock.now)


def claims(header: str) -> dict[str, Any]:
    payload = header.partition("t=")[2].split(".")[1]
    read: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return read


@pytest.fixture
def clock() -> Clock:
    made = Clock()
    made.hold(START)
    return made


def test_the_key_is_made_once_and_only_for_the_owner(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "vapid.pem"
    first = public_key_text(load_or_make_key(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert public_key_text(load_or_make_key(path)) == first
    assert len(base64.urlsafe_b64decode(first + "=")) == 65
    assert [file.name for file in path.parent.iterdir()] == ["vapid.pem"]


def test_processes_that_start_together_use_one_key(tmp_path: Path) -> None:
    path = tmp_path / "vapid.pem"
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: public_key_text(load_or_make_key(path)), range(8)))
    assert len(keys) == 1


def test_a_key_file_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vapid.pem"
    load_or_make_key(path)
    path.chmod(0o644)
    with pytest.raises(PermissionError, match="chmod 600"):
        load_or_make_key(path)


def test_a_file_with_another_kind_of_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vapid.pem"
    other = rsa.generate_private_key(65537, 2048)
    path.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.chmod(0o600)
    with pytest.raises(ValueError, match="P-256"):
        load_or_make_key(path)


def test_each_service_gets_a_token_of_its_own(clock: Clock) -> None:
    ours = signer(clock)
    first, second = ours.authorization("https://one.example"), ours.authorization("https://two.example")
    assert Vapid02.verify(first)
    assert Vapid02.verify(second)
    assert claims(first)["aud"] == "https://one.example"
    assert claims(second)["aud"] == "https://two.example"
    assert claims(first)["sub"] == "mailto:duty@example.org"
    assert f"k={ours.public_key}" in first


def test_a_token_is_kept_for_twelve_hours_and_never_past_its_end(clock: Clock) -> None:
    ours = signer(clock)
    first = ours.authorization("https://one.example")
    clock.move(11.9 * 3600)
    assert ours.authorization("https://one.example") == first
    clock.move(0.2 * 3600)
    second = ours.authorization("https://one.example")
    assert second != first
    for header, at in ((first, START), (second, clock.now())):
        assert timedelta(0) < datetime.fromtimestamp(claims(header)["exp"], UTC) - at <= timedelta(hours=24)


def test_a_clock_set_back_makes_a_new_token(clock: Clock) -> None:
    ours = signer(clock)
    first = ours.authorization("https://one.example")
    clock.move(-3600)
    assert ours.authorization("https://one.example") != first


@pytest.mark.parametrize(
    "subject", ["", "operator", "mailto:me", "mailto:a@localhost", "http://example.org", "https://x"]
)
def test_a_contact_push_services_refuse_is_refused_at_start(subject: str, clock: Clock) -> None:
    with pytest.raises(ValueError, match="mailto"):
        Signer(ec.generate_private_key(ec.SECP256R1()), subject, clock.now)
