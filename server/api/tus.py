"""tus 1.0 on the wire: what its headers say, and bodies read part by part, so that one cut on its way keeps what has arrived."""

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Response, make_response, request
from werkzeug.exceptions import ClientDisconnected

from server.api import http
from server.domain import errors

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,checksum"
PIECE = "application/offset+octet-stream"
MOST_CHUNK = 4 * 1024 * 1024
PART = 256 * 1024
"""What a killed server may lose of a piece that is arriving."""
READ = 8 * 1024
"""What a connection that breaks with an error may lose."""
STALLED_SECONDS = 30.0


class OffsetWrong(errors.Conflict):
    """A piece does not begin where the server is; the phone goes on from `offset`."""

    def __init__(self, offset: int) -> None:
        super().__init__(
            "offset_wrong", "续传位置不符。", "The offset is not where the server is.", state={"offset": offset}
        )
        self.offset = offset
        self.headers = {"Upload-Offset": str(offset), "Tus-Resumable": VERSION}


class ChecksumWrong(Exception):
    """A piece is not what its checksum says."""


def answer(status: int, **headers: object) -> Response:
    """An empty answer with these headers."""
    response = make_response("", status)
    response.headers["Tus-Resumable"] = VERSION
    response.headers["Cache-Control"] = "no-store"
    for name, value in headers.items():
        response.headers[name.replace("_", "-")] = str(value)
    return response


def require_version() -> None:
    """Raises Refused for another version of the protocol."""
    if request.headers.get("Tus-Resumable") != VERSION:
        raise errors.Refused(
            "tus_version", "上传协议版本不符。", "The upload protocol version is not 1.0.0.", path="Tus-Resumable"
        )


def number(name: str) -> int:
    """The whole number in a header. Raises Refused."""
    raw = request.headers.get(name, "")
    if not raw.isascii() or not raw.isdigit() or len(raw) > 15:
        raise errors.Refused("header_invalid", "上传参数有误。", f"{name} is not a whole number.", path=name)
    return int(raw)


def metadata() -> dict[str, str]:
    """What Upload-Metadata says. Raises Refused."""
    found: dict[str, str] = {}
    for part in request.headers.get("Upload-Metadata", "").split(",")[:20]:
        name, _, value = part.strip().partition(" ")
        try:
            found[name] = base64.b64decode(value, validate=True).decode()
        except ValueError:
            raise errors.Refused(
                "metadata_invalid", "上传说明有误。", "The upload's metadata is not valid.", path="Upload-Metadata"
            ) from None
    return found


def carries_bytes() -> bool:
    """Whether the request brings bytes of the file."""
    return request.mimetype == PIECE and request.content_length != 0


def parts() -> Iterator[bytes]:
    """The body in parts of at most PART bytes; when its sender is gone, the last one is what has arrived.

    With `Upload-Checksum` it is one part, of the whole body. Raises ChecksumWrong, BadJson for more than MOST_CHUNK bytes.
    """
    checksum = request.headers.get("Upload-Checksum", "")
    part, total = bytearray(), 0
    if (request.content_length or 0) > MOST_CHUNK:
        raise http.BadJson("too_large", 413)
    for some in _arriving():
        total += len(some)
        if total > MOST_CHUNK:
            raise http.BadJson("too_large", 413)
        part += some
        if len(part) >= PART and not checksum:
            yield bytes(part)
            part.clear()
    if checksum and checksum != "sha256 " + base64.b64encode(hashlib.sha256(part).digest()).decode():
        raise ChecksumWrong
    if part:
        yield bytes(part)


def _arriving() -> Iterator[bytes]:
    """The body as it comes, until its end or until nothing more will come."""
    while True:
        try:
            with _impatient():
                some = request.stream.read(READ)
        except ClientDisconnected:
            return
        if not some:
            return
        yield some


@contextmanager
def _impatient() -> Iterator[None]:
    """Wait so long for bytes and no longer: a phone that has lost its network never says that it is gone."""
    connection = request.environ.get("gunicorn.socket")
    if connection is None:
        yield
        return
    before = connection.gettimeout()
    connection.settimeout(STALLED_SECONDS)
    try:
        yield
    finally:
        connection.settimeout(before)
