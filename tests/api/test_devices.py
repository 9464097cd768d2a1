"""Subscriptions as browsers behave and as they should not: moved, shared, too many, or not what they say they are."""

import base64
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import select

from server.db import new_id
from server.domain import devices
from server.domain.devices import Device, Subscription
from server.domain.outbox import Delivery
from server.domain.people import Person
from tests.cast import Phone, Stage


def text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def point() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


POINT, SECRET = point(), b"0123456789abcdef"
OFF_CURVE = b"\4" + b"\1" * 64


def body(stage: Stage, endpoint: str = "https://fcm.googleapis.com/fcm/send/one", **more: Any) -> dict[str, Any]:
    own = stage.app.extensions["tocsin_vapid_public_key"]
    keys = {"p256dh": text(POINT), "auth": text(SECRET), **more.pop("keys", {})}
    return {"endpoint": endpoint, "keys": keys, "vapid_public_key": own, **more}


def kept(stage: Stage) -> list[tuple[str, str, str]]:
    """Every subscription as (endpoint, person, device)."""
    with stage.database.read() as session:
        return [(one.endpoint, one.person, one.device) for one in session.scalars(select(Subscription))]


def subscribe(phone: Phone, said: dict[str, Any], status: int = 200) -> Any:
    return phone.put(f"/devices/{phone.device}/subscription", said, status)


BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "plain http": ({"endpoint": "http://fcm.googleapis.com/x"}, "endpoint_not_allowed", "endpoint"),
    "unknown host": ({"endpoint": "https://push.example.org/x"}, "endpoint_not_allowed", "endpoint"),
    "host in the path": ({"endpoint": "https://evil.example/fcm.googleapis.com"}, "endpoint_not_allowed", "endpoint"),
    "host as a prefix": ({"endpoint": "https://fcm.googleapis.com.evil.example/x"}, "endpoint_not_allowed", "endpoint"),
    "private address": ({"endpoint": "https://10.0.0.1/x"}, "endpoint_not_allowed", "endpoint"),
    "loopback": ({"endpoint": "https://127.0.0.1/x"}, "endpoint_not_allowed", "endpoint"),
    "loopback six": ({"endpoint": "https://[::1]/x"}, "endpoint_not_allowed", "endpoint"),
    "metadata": ({"endpoint": "https://169.254.169.254/latest"}, "endpoint_not_allowed", "endpoint"),
    "another port": ({"endpoint": "https://fcm.googleapis.com:8443/x"}, "endpoint_not_allowed", "endpoint"),
    "credentials": ({"endpoint": "https://fcm.googleapis.com@127.0.0.1/x"}, "endpoint_not_allowed", "endpoint"),
    "a file": ({"endpoint": "file:///etc/passwd"}, "endpoint_not_allowed", "endpoint"),
    "not a text": ({"endpoint": 7}, "endpoint_malformed", "endpoint"),
    "too long": ({"endpoint": "https://fcm.googleapis.com/" + "x" * 2048}, "endpoint_malformed", "endpoint"),
    "line break": ({"endpoint": "https://fcm.googleapis.com/x\r\nHost: y"}, "endpoint_malformed", "endpoint"),
    "off the curve": ({"keys": {"p256dh": text(OFF_CURVE)}}, "key_malformed", "keys.p256dh"),
    "compressed": ({"keys": {"p256dh": text(b"\2" + b"\1" * 32)}}, "key_malformed", "keys.p256dh"),
    "not base64": ({"keys": {"p256dh": "!" * 87}}, "key_malformed", "keys.p256dh"),
    "short secret": ({"keys": {"auth": text(b"short")}}, "secret_malformed", "keys.auth"),
    "expired": ({"expiration_time": 1}, "expiration_past", "expiration_time"),
    "expiry is no time": ({"expiration_time": "soon"}, "expiration_malformed", "expiration_time"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_a_browser_would_not_say_is_refused_with_a_code_and_the_field(shared_stage: Stage, name: str) -> None:
    change, code, field = BAD[name]
    answer = subscribe(shared_stage["security_one"], body(shared_stage, **change), 422)
    assert (answer["code"], answer["errors"][0]["path"]) == (code, field)
    assert answer["detail"]
    assert kept(shared_stage) == []


def test_an_old_key_of_ours_is_answered_with_the_new_one(shared_stage: Stage) -> None:
    answer = subscribe(shared_stage["security_one"], body(shared_stage, vapid_public_key="old"), 409)
    own = shared_stage.app.extensions["tocsin_vapid_public_key"]
    assert (answer["code"], answer["state"]) == ("vapid_key_changed", {"vapid_public_key": own})


def test_somebody_elses_device_is_unknown_here(shared_stage: Stage) -> None:
    other = shared_stage.cast.devices["security_two"]
    answer = shared_stage["security_one"].put(f"/devices/{other}/subscription", body(shared_stage), 404)
    assert (answer["code"], kept(shared_stage)) == ("device_unknown", [])


def test_the_same_again_changes_nothing_and_a_new_address_takes_the_old_ones_place(stage: Stage) -> None:
    phone = stage["security_one"]
    first = subscribe(phone, body(stage))["id"]
    assert subscribe(phone, body(stage))["id"] == first
    again = subscribe(phone, body(stage, "https://fcm.googleapis.com/fcm/send/two"))["id"]
    assert again != first
    assert kept(stage) == [("https://fcm.googleapis.com/fcm/send/two", phone.person, phone.device)]
    with stage.database.read() as session:
        asked = session.scalars(select(Delivery.kind).where(Delivery.subscription == again)).all()
    assert asked == ["canary"], "each new subscription is asked for its first receipt"


def test_an_endpoint_on_another_phone_moves_with_whoever_holds_the_browser(stage: Stage) -> None:
    one, two = stage["security_one"], stage["security_two"]
    subscribe(one, body(stage))
    subscribe(two, body(stage))
    assert kept(stage) == [("https://fcm.googleapis.com/fcm/send/one", two.person, two.device)]
    with stage.database.read() as session:
        marks = {one.id: one.subscribed for one in session.scalars(select(Device))}
    assert (marks[one.device], marks[two.device]) == (False, True)


def test_another_person_on_a_shared_phone_takes_it_over_and_sign_out_leaves_nothing(stage: Stage) -> None:
    one = stage["security_one"]
    subscribe(one, body(stage))

    def arrive(session: Any) -> str:
        person = session.get(Person, stage.cast.people["security_two"])
        return devices.sign_in(session, person, one.device, "shared")

    token = stage.database.write(arrive)
    assert kept(stage) == [], "nothing of the first person's comes to this phone any more"
    assert one.call("GET", "/me").status_code == 401
    two = Phone(stage.app, "security_two", stage.cast.people["security_two"], one.device, token)
    subscribe(two, body(stage))
    assert kept(stage) == [("https://fcm.googleapis.com/fcm/send/one", two.person, one.device)]
    assert two.call("DELETE", "/sessions/current").status_code == 204
    assert kept(stage) == []


def test_the_eleventh_device_is_refused_until_one_is_shut_out(stage: Stage) -> None:
    person = stage.cast.people["security_one"]
    phones = []
    for number in range(11):

        def arrive(session: Any, device: str = new_id()) -> tuple[str, str]:
            return device, devices.sign_in(session, session.get(Person, person), device, "phone")

        device, token = stage.database.write(arrive)
        phones.append(Phone(stage.app, "security_one", person, device, token))
        if number < 10:
            subscribe(phones[-1], body(stage, f"https://fcm.googleapis.com/fcm/send/{number}"))
    last = body(stage, "https://fcm.googleapis.com/fcm/send/last")
    answer = subscribe(phones[-1], last, 409)
    assert answer["code"] == "too_many_devices"
    assert len(kept(stage)) == 10
    assert phones[-1].call("DELETE", f"/devices/{phones[0].device}").status_code == 204
    subscribe(phones[-1], last)
    assert len(kept(stage)) == 10


def test_two_phones_that_claim_one_endpoint_at_once_end_with_one_owner(stage: Stage) -> None:
    said = body(stage)
    phones = [stage[name] for name in ("security_one", "security_two", "it_one", "finance_lead")]
    with ThreadPoolExecutor(len(phones)) as crowd:
        answers = list(
            crowd.map(lambda phone: phone.call("PUT", f"/devices/{phone.device}/subscription", said), phones)
        )
    assert {answer.status_code for answer in answers} <= {200, 409, 503}
    assert 200 in {answer.status_code for answer in answers}
    assert len(kept(stage)) == 1
