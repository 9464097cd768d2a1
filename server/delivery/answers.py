"""Reading an HTTP/1.1 answer from a service that is not trusted: status, waiting time and at most 4 kB of its body."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from server import clock

MOST_BODY = 4096
MOST_HEAD = 8192
LONGEST_WAIT = 15 * 60.0
"""Seconds; a service that asks for more patience than this is asked again after it."""

_BARE_END = b"\r\n\r\n"
_TAKEN = b"HTTP/1.1 201 "
_NO_BODY = b"\ncontent-length: 0\r\n"
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [^\r\n]*)?\r?\n")
_LENGTH = re.compile(rb"\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r?\n")
_CHUNKED = re.compile(rb"\ntransfer-encoding:[^\n]*chunked")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}")
_CLOSE = re.compile(rb"\nconnection:[^\n]*close")
_RETRY_AFTER = re.compile(rb"\nretry-after:[ \t]*([^\r\n]{1,64})", re.IGNORECASE)


class Answer(NamedTuple):
    """What came back. `retry_after` in seconds (0 to 900) or None; `reusable` says the connection may go on."""

    status: int
    body: bytes = b""
    retry_after: float | None = None
    reusable: bool = True


_CREATED = Answer(201)


class AnswerReader:
    """Reads one answer after another from a connection's bytes."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._head: _Head | None = None

    @property
    def begun(self) -> bool:
        """Whether any byte of the current answer has come."""
        return bool(self._data) or self._head is not None

    def begin(self) -> None:
        """Forget the previous answer."""
        self._data.clear()
        self._head = None

    def feed(self, data: bytes) -> Answer | None:
        """Take more bytes; the answer as soon as it is complete, too long, or not HTTP (status 0)."""
        if self._head is None and not self._data and data.startswith(_TAKEN) and data.endswith(_BARE_END):
            # by far the most answers: one piece, nothing but a head that says so
            lower = data.lower()
            if (
                _NO_BODY in lower
                and lower.find(_BARE_END) == len(lower) - 4
                and b"\ntransfer-encoding:" not in lower
                and b"\nconnection:" not in lower
                and _STATUS.match(data)
            ):
                return _CREATED
        self._data += data
        while self._head is None:
            end = self._data.find(b"\r\n\r\n")
            if end < 0:
                return Answer(0, reusable=False) if len(self._data) > MOST_HEAD else None
            head = _read_head(bytes(self._data[: end + 2]))
            del self._data[: end + 4]
            if head is None:
                return Answer(0, reusable=False)
            if head.status >= 200:  # 1xx only announces
                self._head = head
        return self._body(self._head)

    def end(self) -> Answer | None:
        """The connection ended: the answer if at least its head had come."""
        return self._answer(self._head, bytes(self._data[:MOST_BODY]), False) if self._head else None

    def _body(self, head: "_Head") -> Answer | None:
        if head.status in (204, 304):
            return self._answer(head, b"", not self._data)
        if head.chunked:
            body, complete = _unchunk(bytes(self._data))
            if complete or len(self._data) > MOST_BODY:
                return self._answer(head, body[:MOST_BODY], complete)
            return None
        if head.length is not None and len(self._data) >= head.length:
            return self._answer(head, bytes(self._data[: min(head.length, MOST_BODY)]), len(self._data) == head.length)
        if len(self._data) >= MOST_BODY or (head.length or 0) > MOST_BODY:
            return self._answer(head, bytes(self._data[:MOST_BODY]), False)
        return None

    def _answer(self, head: "_Head", body: bytes, clean_end: bool) -> Answer:
        return Answer(head.status, body, head.retry_after, clean_end and head.keeps_open)


class _Head(NamedTuple):
    status: int
    length: int | None
    chunked: bool
    keeps_open: bool
    retry_after: float | None


def wait_asked(value: str, now: Callable[[], datetime] = clock.now) -> float | None:
    """A Retry-After value, seconds or a date, as seconds from now between 0 and 900; None when it says nothing."""
    if re.fullmatch(r"[0-9]{1,20}", value.strip()):
        return min(float(value), LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(value.strip())
    except (ValueError, TypeError, OverflowError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return min(max((at - now()).total_seconds(), 0.0), LONGEST_WAIT)


def _read_head(raw: bytes) -> _Head | None:
    status = _STATUS.match(raw)
    if status is None:
        return None
    lower = raw.lower()
    length = _LENGTH.search(lower)
    asked = _RETRY_AFTER.search(raw) if raw[9:10] in b"345" else None
    return _Head(
        status=int(status[2]),
        length=int(length[1]) if length else None,
        chunked=_CHUNKED.search(lower) is not None,
        keeps_open=status[1] == b"1" and _CLOSE.search(lower) is None,
        retry_after=wait_asked(asked[1].decode("latin-1")) if asked else None,
    )


def _unchunk(data: bytes) -> tuple[bytes, bool]:
    """The body so far and whether its last chunk has come."""
    body, at = b"", 0
    while True:
        line_end = data.find(b"\r\n", at)
        if line_end < 0:
            return body, False
        size_line = _CHUNK_SIZE.match(data, at, line_end)
        if size_line is None:
            return body, False
        size = int(size_line[0], 16)
        if size == 0:
            return body, data.endswith(b"\r\n\r\n")
        start = line_end + 2
        body += data[start : start + size]
        at = start + size + 2
        if at > len(data):
            return body, False
