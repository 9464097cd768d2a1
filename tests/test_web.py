"""The web process: what goes over a connection, and in how many pieces."""

import resource
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from gunicorn.config import Config
from gunicorn.http import get_parser, wsgi

import server.web  # noqa: F401 - makes answers its own
from server.web import FILES, allow_files


def test_a_short_answer_goes_out_in_one_piece() -> None:
    (piece,) = sent("GET", lambda answer: answer.write(b"done"), ("Content-Length", "4"))
    head, _, body = piece.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert body == b"done"


def test_what_follows_goes_out_as_it_comes() -> None:
    def write(answer: Any) -> None:
        answer.write(b"one")
        answer.write(b"two")

    first, second, end = sent("GET", write)
    assert first.endswith(b"\r\n\r\n3\r\none\r\n")
    assert (second, end) == (b"3\r\ntwo\r\n", b"0\r\n\r\n")


def test_an_answer_without_a_body_is_a_head() -> None:
    (piece,) = sent("HEAD", lambda answer: answer.write(b""), ("Content-Length", "4"))
    assert piece.endswith(b"\r\n\r\n")


def sent(method: str, write: Callable[[Any], None], *headers: tuple[str, str]) -> list[bytes]:
    """The pieces in which gunicorn sends an answer."""
    pieces: list[bytes] = []
    asked = [f"{method} / HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()]
    connection = SimpleNamespace(recv=lambda size: asked.pop() if asked else b"", sendall=pieces.append)
    client, config = ("127.0.0.1", 1), Config()
    request = next(get_parser(config, connection, client))
    answer, _ = wsgi.create(request, connection, client, ("127.0.0.1", 80), config)
    answer.start_response("200 OK", list(headers))
    write(answer)
    answer.close()
    return pieces


def test_a_process_may_open_more_files_than_systems_begin_with() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = FILES if before[1] == resource.RLIM_INFINITY else min(FILES, before[1])
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))
        allow_files()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (most, before[1])
        allow_files()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == most
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
