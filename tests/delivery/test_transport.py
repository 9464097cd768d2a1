"""The transport by itself: who it speaks to, over what, and that one dead service does not delay another."""

import asyncio
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bench.fanout import make_certificate
from server.delivery.answers import Answer, AnswerReader, wait_asked
from server.delivery.connections import Fallen
from server.delivery.origins import Bounds, Resolver
from server.delivery.transport import Transport
from server.domain.push_endpoints import Endpoint, PushHosts, parse_endpoint
from tests.loops import run
from tests.push_service import PushService

ASK = b"POST /wpush/x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"
QUICK = Bounds(deadline=0.5)


def endpoint(url: str) -> Endpoint:
    origin = "/".join(url.split("/", 3)[:3])
    return parse_endpoint(url, PushHosts(names=("push.example.org",), test_origins=frozenset({origin})))


def real(url: str) -> Endpoint:
    return parse_endpoint(url, PushHosts(names=("push.example.org",)))


def resolver(*addresses: str) -> tuple[Resolver, list[str]]:
    asked: list[str] = []

    async def answer(host: str, port: int) -> list[str]:
        asked.append(host)
        return list(addresses)

    return answer, asked


@pytest.fixture
def services() -> Iterator[tuple[PushService, PushService]]:
    with PushService() as one, PushService() as other:
        yield one, other


@pytest.mark.parametrize(
    "address", ["10.0.0.1", "127.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "100.64.0.1"]
)
def test_a_name_that_has_come_to_lead_inside_is_blocked(address: str) -> None:
    async def work() -> Any:
        transport = Transport(resolver=resolver(address)[0])
        ended = await transport.post(real("https://push.example.org/x"), lambda: ASK)
        await transport.close()
        return ended

    assert run(work) == Fallen("blocked")


def test_a_name_that_cannot_be_resolved_is_a_fault_and_nothing_else() -> None:
    async def fails(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    async def work() -> Any:
        transport = Transport(resolver=fails)
        ended = await transport.post(real("https://push.example.org/x"), lambda: ASK)
        await transport.close()
        return ended

    assert run(work) == Fallen("not_resolved")


def test_plain_http_is_spoken_to_test_origins_only(services: tuple[PushService, PushService]) -> None:
    async def work() -> Any:
        transport = Transport()
        return await transport.post(endpoint(services[0].origin + "/wpush/x"), lambda: ASK)

    assert run(work) == Fallen("blocked")
    assert services[0].requests == 0


@pytest.mark.parametrize("trusted", [True, False])
def test_tls_is_spoken_only_with_a_certificate_for_that_name(trusted: bool, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    served.load_cert_chain(certificate, key)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(CREATED)

    async def work() -> Any:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=served)
        origin = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        tls = ssl.create_default_context(cafile=str(certificate) if trusted else None)
        transport = Transport(frozenset({origin}), QUICK, tls)
        ended = await transport.post(endpoint(f"{origin}/x"), lambda: ASK)
        await transport.close()
        server.close()
        return ended

    assert run(work) == (Answer(201) if trusted else Fallen("tls_failed"))


def test_connections_are_kept_and_a_stale_one_is_replaced_without_loss() -> None:
    connections = 0

    async def answer_twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        with suppress(asyncio.IncompleteReadError):
            for _ in range(2):
                await reader.readuntil(b"\r\n\r\n")
                writer.write(CREATED)
            await asyncio.sleep(0.05)
        writer.close()

    async def work() -> list[Any]:
        server = await asyncio.start_server(answer_twice, "127.0.0.1", 0)
        origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        transport = Transport(frozenset({origin}), QUICK)
        ends = [await transport.post(endpoint(f"{origin}/x"), lambda: ASK) for _ in range(5)]
        await transport.close()
        server.close()
        return ends

    assert run(work) == [Answer(201)] * 5
    assert connections == 3


def test_a_dead_service_opens_its_circuit_and_does_not_delay_another(services: tuple[PushService, PushService]) -> None:
    dead, alive = services
    dead.answer(after="hang")

    async def work() -> tuple[list[Any], list[Any], float]:
        transport = Transport(frozenset({dead.origin, alive.origin}), Bounds(deadline=0.5, few=5, most=5))
        bad = [
            asyncio.create_task(transport.post(endpoint(f"{dead.origin}/wpush/{n}"), lambda: ASK)) for n in range(50)
        ]
        started = time.monotonic()
        good = [await transport.post(endpoint(f"{alive.origin}/wpush/{n}"), lambda: ASK) for n in range(20)]
        took = time.monotonic() - started
        ends = [await task for task in bad]
        after = await transport.post(endpoint(f"{dead.origin}/wpush/x"), lambda: ASK)
        await transport.close()
        return good, [*ends, after], took

    good, bad, took = run(work)
    assert {answer.status for answer in good} == {410}
    assert took < 0.5, "the other service answers before the first deadline of the dead one"
    faults = [end.fault for end in bad]
    assert faults[:5] == ["timed_out"] * 5
    assert set(faults[5:]) == {"circuit_open"}
    assert all(end.retry_after > 0 for end in bad[5:])


def test_nobody_there_is_a_fault_at_once() -> None:
    async def work() -> tuple[Any, float]:
        transport = Transport(frozenset({"http://127.0.0.1:9"}))
        started = time.monotonic()
        ended = await transport.post(endpoint("http://127.0.0.1:9/x"), lambda: ASK)
        await transport.close()
        return ended, time.monotonic() - started

    ended, took = run(work)
    assert ended == Fallen("unreachable")
    assert took < 2


def read(*pieces: bytes) -> Answer | None:
    reader = AnswerReader()
    answer = None
    for piece in pieces:
        assert answer is None
        answer = reader.feed(piece)
    return answer


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        (CREATED, Answer(201)),
        (b"HTTP/1.1 410 Gone\r\nContent-Length: 3\r\n\r\nbye", Answer(410, b"bye")),
        (b"HTTP/1.0 201 Created\r\nContent-Length: 0\r\n\r\n", Answer(201, reusable=False)),
        (b"HTTP/1.1 201 C\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n", Answer(201, reusable=False)),
        (b"HTTP/1.1 204 No Content\r\n\r\n", Answer(204)),
        (b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + CREATED, Answer(201)),
        (
            b"HTTP/1.1 400 B\r\nTransfer-Encoding: chunked\r\n\r\n3;x=1\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
            Answer(400, b"abcde"),
        ),
        (b"HTTP/1.1 429 T\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", Answer(429, retry_after=7.0)),
        (b"HTTP/1.1 201 C\r\nContent-Length: 9999\r\n\r\n", Answer(201, reusable=False)),
        (b"SSH-2.0-OpenSSH\r\n\r\n", Answer(0, reusable=False)),
        (b"HTTP/1.1 999 X\r\n\r\n", Answer(0, reusable=False)),
        (b"x" * 9000, Answer(0, reusable=False)),
    ],
)
def test_an_answer_is_read_whole_and_in_pieces(raw: bytes, answer: Answer) -> None:
    assert read(raw) == answer
    reader = AnswerReader()
    ends = [end for byte in range(len(raw)) if (end := reader.feed(raw[byte : byte + 1])) is not None]
    assert ends[0] == answer


def test_no_more_than_four_kilobytes_are_kept() -> None:
    answer = read(b"HTTP/1.1 500 X\r\n\r\n", b"x" * 1_000_000)
    assert answer is not None
    assert (answer.status, len(answer.body), answer.reusable) == (500, 4096, False)
    chunked = read(b"HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\n", b"fffffff\r\n" + b"x" * 1_000_000)
    assert chunked is not None
    assert (len(chunked.body), chunked.reusable) == (4096, False)


@pytest.mark.parametrize("value", ["", "soon", "-1", "1.5", "9" * 30, "Thu, 99 Foo 2026", "\x00"])
def test_a_waiting_time_that_says_nothing_is_none(value: str) -> None:
    assert wait_asked(value) in (None, 0.0)
