"""The Web Push channel against a push service that reads what it gets and answers as scripted."""

import asyncio
import uuid
from collections.abc import Callable, Coroutine, Iterator
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from server.clock import now
from server.delivery.origins import Bounds
from server.delivery.outcomes import Message, Outcome, Result
from server.delivery.transport import Transport
from server.delivery.vapid import Signer
from server.delivery.web_push import WebPush, clipped, fitting, small_form
from server.domain.push_endpoints import PushHosts
from tests import loops
from tests.push_service import Phone, PushService

KEY = ec.generate_private_key(ec.SECP256R1())


def payload(body: str = "请立即到游客中心集合。", **ids: str) -> dict[str, Any]:
    alert = ids.get("alert", str(uuid.uuid4()))
    about = {"delivery": str(uuid.uuid4()), "alert": alert, "level": "red", "critical": True, "receipt_token": "r" * 80}
    return {
        "web_push": 8030,
        "notification": {
            "title": "售票系统故障",
            "body": body,
            "tag": alert,
            "navigate": f"/#/alerts/{alert}",
            "data": about,
        },
        "tocsin": about,
    }


def message(phone: Phone, **changes: Any) -> Message:
    content = changes.pop("payload", None) or payload()
    fields: dict[str, Any] = {
        "delivery": content["tocsin"]["delivery"],
        "address": phone.address,
        "payload": content,
        "topic": uuid.UUID(content["tocsin"]["alert"]).hex,
        "expires_at": now() + timedelta(hours=1),
        "critical": True,
    }
    return Message(**{**fields, **changes})


@pytest.fixture(scope="module")
def running() -> Iterator[PushService]:
    with PushService() as service:
        yield service


@pytest.fixture
def service(running: PushService) -> Iterator[PushService]:
    running.notes.clear()
    running.complaints.clear()
    running.answer()
    running.requests = running.most_at_once = 0
    running.delay = 0.0
    yield running
    assert running.complaints == []


def run(service: PushService, work: Callable[[WebPush], Coroutine[Any, Any, Any]], bounds: Bounds | None = None) -> Any:
    async def inside() -> Any:
        origins = frozenset({service.origin})
        transport = Transport(origins, bounds)
        channel = WebPush(transport, Signer(KEY, "mailto:duty@example.org", now), PushHosts(test_origins=origins), now)
        try:
            return await work(channel)
        finally:
            await transport.close()

    return loops.run(inside)


def send(service: PushService, *messages: Message, bounds: Bounds | None = None) -> list[Outcome]:
    async def work(channel: WebPush) -> list[Outcome]:
        return list(await asyncio.gather(*map(channel.send, messages)))

    sent: list[Outcome] = run(service, work, bounds)
    return sent


def test_a_phone_reads_the_alert_and_the_service_reads_the_headers(service: PushService) -> None:
    phone = service.phone()
    sent = message(phone)
    assert send(service, sent) == [Outcome(Result.ACCEPTED, status=201)]
    (note,) = service.accepted
    assert note.data == sent.payload
    assert (note.urgency, note.topic) == ("high", sent.payload["tocsin"]["alert"].replace("-", ""))
    assert note.claims["aud"] == service.origin
    assert 3590 <= note.ttl <= 3600


def test_an_alert_lives_at_most_four_hours_and_an_expired_one_is_not_sent(service: PushService) -> None:
    phone = service.phone()
    long = message(phone, expires_at=now() + timedelta(days=2), critical=False)
    late = message(phone, expires_at=now() - timedelta(seconds=1))
    assert [outcome.result for outcome in send(service, long, late)] == [Result.ACCEPTED, Result.FAILED]
    (note,) = service.accepted
    assert (note.ttl, note.urgency) == (4 * 3600, "normal")


def test_a_fan_out_uses_one_token_few_connections_and_a_new_key_for_each(service: PushService) -> None:
    phones = [service.phone() for _ in range(200)]

    async def work(channel: WebPush) -> list[Outcome]:
        channel.envelopes.keep_for([])
        return list(await asyncio.gather(*(channel.send(message(phone)) for phone in phones)))

    outcomes = run(service, work, Bounds(few=8, most=8))
    assert {outcome.result for outcome in outcomes} == {Result.ACCEPTED}
    assert {note.phone for note in service.accepted} == {phone.name for phone in phones}
    assert service.most_at_once <= 8


def test_a_slow_service_gets_more_connections(service: PushService) -> None:
    service.delay = 0.1
    outcomes = send(service, *(message(service.phone()) for _ in range(120)), bounds=Bounds(few=4, most=100))
    assert {outcome.result for outcome in outcomes} == {Result.ACCEPTED}
    assert service.most_at_once > 40


@pytest.mark.parametrize(
    ("answer", "result", "repeats"),
    [
        (200, Result.ACCEPTED, False),
        (404, Result.GONE, False),
        (410, Result.GONE, False),
        (403, Result.KEY_MISMATCH, False),
        (401, Result.KEY_MISMATCH, False),
        ((400, {}, b'{"reason":"VapidPkHashMismatch"}'), Result.KEY_MISMATCH, False),
        ((400, {}, b'{"reason":"BadPath"}'), Result.FAILED, False),
        (413, Result.TOO_LARGE, False),
        (429, Result.THROTTLED, True),
        (500, Result.FAILED, True),
        (503, Result.FAILED, True),
        ("redirect", Result.FAILED, True),
        ("cut", Result.FAILED, True),
    ],
)
def test_each_answer_has_its_meaning(service: PushService, answer: Any, result: Result, repeats: bool) -> None:
    phone = service.phone()
    service.answer(answer, phone=phone, after=answer)
    (outcome,) = send(service, message(phone))
    assert outcome.result is result
    assert (outcome.retry_after is not None) is repeats


def test_a_redirect_is_not_followed(service: PushService) -> None:
    phone = service.phone()
    service.answer("redirect", phone=phone)
    send(service, message(phone))
    assert service.requests == 1


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [("7", 7, 7), ("1000000000", 900, 900), ("Thu, 01 Jan 2099 00:00:00 GMT", 900, 900), ("0", 0, 0), ("soon", 0.7, 3)],
)
def test_a_service_that_asks_for_patience_gets_at_most_fifteen_minutes(
    service: PushService, asked: str, least: float, most: float
) -> None:
    phone = service.phone()
    service.answer((429, {"Retry-After": asked}), phone=phone)
    (outcome,) = send(service, message(phone))
    assert outcome.result is Result.THROTTLED
    assert outcome.retry_after is not None
    assert least <= outcome.retry_after <= most


def test_p5_a_service_may_say_until_when_by_a_date(service: PushService) -> None:
    phone = service.phone()
    service.answer((429, {"Retry-After": format_datetime(now() + timedelta(minutes=2), usegmt=True)}), phone=phone)
    (outcome,) = send(service, message(phone))
    assert outcome.retry_after is not None
    assert 60 <= outcome.retry_after <= 120


def test_what_is_too_large_for_the_service_goes_out_in_its_small_form(service: PushService) -> None:
    phone = service.phone()
    service.answer(413, phone=phone)
    sent = message(phone, payload=payload(body="详" * 500))
    assert send(service, sent)[0].result is Result.ACCEPTED
    small = service.accepted[-1].data
    assert small["notification"]["title"] == sent.payload["notification"]["title"]
    assert small["notification"]["body"] == ""
    assert small["tocsin"] == sent.payload["tocsin"]


def test_a_payload_over_three_thousand_bytes_goes_out_in_its_small_form() -> None:
    large = payload(body="详" * 2000)
    sent = fitting(large)
    assert len(sent) < 3000
    assert "详…".encode() in sent
    assert fitting(payload()) != small_form(payload())
    assert len(clipped("警钟" * 100, 50).encode()) <= 50


@pytest.mark.parametrize("manner", ["hang", "drip"])
def test_a_service_that_takes_its_time_is_left_after_the_deadline(service: PushService, manner: str) -> None:
    slow, quick = service.phone(), service.phone()
    service.answer(manner, phone=slow)
    outcomes = send(service, message(slow), message(quick), bounds=Bounds(deadline=0.6))
    assert [(outcome.result, outcome.detail) for outcome in outcomes] == [
        (Result.FAILED, "timed_out"),
        (Result.ACCEPTED, ""),
    ]


@pytest.mark.parametrize("manner", ["drip_body", "huge"])
def test_a_status_that_has_come_counts_whatever_follows(service: PushService, manner: str) -> None:
    phone = service.phone()
    service.answer(manner, phone=phone)
    (outcome,) = send(service, message(phone), bounds=Bounds(deadline=0.6))
    assert (outcome.result, outcome.status) == (Result.ACCEPTED, 201)


def test_nothing_is_sent_to_an_address_that_is_not_allowed(service: PushService) -> None:
    phone = service.phone()
    for endpoint in ("http://127.0.0.1:9/x", "https://evil.example/x", phone.endpoint + "\r\nX: y", "", None):
        (outcome,) = send(service, message(phone, address={**phone.address, "endpoint": endpoint}))
        assert outcome.result is Result.BLOCKED
    assert send(service, message(phone, address={}))[0].result is Result.BLOCKED
    assert send(service, message(phone, topic="a b\r\n"))[0].result is Result.BLOCKED
    assert service.requests == 0


def test_a_key_that_is_none_spoils_only_its_own_message(service: PushService) -> None:
    bad, good = service.phone(), service.phone()
    spoilt = message(bad, address={**bad.address, "p256dh": b"\x04" + b"\x01" * 64})
    outcomes = send(service, spoilt, message(good))
    assert [outcome.result for outcome in outcomes] == [Result.FAILED, Result.ACCEPTED]
    assert outcomes[0].retry_after is None
