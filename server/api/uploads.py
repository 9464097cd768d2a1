"""Photos over HTTP: resumable uploads (tus 1.0) and the re-encoded pictures."""

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from flask import Response, current_app, g, request, send_file
from sqlalchemy.orm import Session

from server.api import http, tus
from server.api.doors import Door
from server.api.fields import clean_id
from server.clock import now
from server.config import Config
from server.domain import errors, feed, field_reports, incidents
from server.domain.field_reports import Photo, Report, Upload
from server.exports.pictures import PictureRefused, reencode

blp = http.blueprint("uploads")
BYTES: dict[str, Any] = {"content": {tus.PIECE: {"schema": {"type": "string", "format": "binary"}}}}
PICTURES = Door(inside=1, waiting=100, seconds=40.0)
"""A photo takes more of the processor than everything else; one at a time in each process leaves the rest to the facts."""
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def _folder() -> Path:
    config: Config = current_app.extensions["tocsin_config"]
    config.photos_folder.mkdir(parents=True, exist_ok=True)
    return config.photos_folder


def _limit() -> int:
    config: Config = current_app.extensions["tocsin_config"]
    return config.photo_limit


@blp.route("/uploads", methods=["OPTIONS"])
@blp.response(204)
def options() -> Response:
    """What this server can do for uploads."""
    return tus.answer(
        204,
        Tus_Version=tus.VERSION,
        Tus_Extension=tus.EXTENSIONS,
        Tus_Max_Size=_limit(),
        Tus_Checksum_Algorithm="sha256",
    )


@blp.route("/uploads", methods=["POST"])
@blp.doc(
    requestBody={**BYTES, "description": "The photo from its beginning, as much of it as the sender likes, or nothing."}
)
@blp.response(201, description="Created, or known already; Location and Upload-Offset say where to go on.")
def create() -> Response:
    """Begin the upload of a photo that a report has promised, and take the bytes that come with it if it has none yet."""
    tus.require_version()
    length = tus.number("Upload-Length")
    if length > _limit():
        raise http.BadJson("too_large", 413)
    if length == 0:
        raise errors.Refused("picture_empty", "照片内容为空。", "The photo is empty.", path="Upload-Length")
    if tus.carries_bytes() and (request.content_length or 0) > length:
        raise http.BadJson("too_large", 413)
    words = tus.metadata()
    id, sha256 = clean_id(words.get("id")), words.get("sha256", "").lower()
    if id is None or len(sha256) != 64:
        raise errors.Refused(
            "metadata_missing",
            "缺少照片编号或校验值。",
            "The photo's id or checksum is missing.",
            path="Upload-Metadata",
        )

    def unit(session: Session) -> int:
        photo = session.get(Photo, id)
        if photo is None or photo.person != g.standing.id:
            raise errors.NotFound("photo_unknown", "没有这张照片。", "There is no such photo.")
        if (photo.sha256, photo.size) != (sha256, length):
            raise errors.Conflict(
                "photo_differs", "照片内容与报告中登记的不符。", "The photo is not the one the report names."
            )
        known = session.get(Upload, id)
        if known is None:
            session.add(
                Upload(
                    id=id, person=g.standing.id, length=length, sha256=sha256, offset=0, state="open", created_at=now()
                )
            )
            return 0
        return known.offset

    offset, location = http.write(unit), f"/api/v1/uploads/{id}"
    if offset == 0 and tus.carries_bytes():
        try:
            return _take(id, 0, 201, Location=location)
        except tus.OffsetWrong as elsewhere:
            offset = elsewhere.offset  # another sender was here meanwhile
    if offset == length:
        _clear(id)
    return tus.answer(201, Location=location, Upload_Offset=offset)


@blp.route("/uploads/<upload>", methods=["HEAD"])
@blp.response(200, description="How much has arrived.")
def head(upload: str) -> Response:
    """How much of a photo has arrived."""
    found = http.read(lambda session: _mine(session, upload))
    if found.offset == found.length:
        _clear(upload)
    return tus.answer(200, Upload_Offset=found.offset, Upload_Length=found.length)


@blp.route("/uploads/<upload>", methods=["PATCH"])
@blp.doc(requestBody={**BYTES, "required": True})
@blp.response(204, description="Taken; Upload-Offset says how much there is now.")
def append(upload: str) -> Response:
    """Add a piece at the offset the server is at."""
    tus.require_version()
    if request.mimetype != tus.PIECE:
        raise http.BadJson("media_type", 415)
    offset = tus.number("Upload-Offset")
    _fits(http.read(lambda session: _mine(session, upload)), offset, request.content_length or 0)
    return _take(upload, offset, 204)


def _take(upload: str, offset: int, status: int, **headers: object) -> Response:
    """Keep the bytes of the request, as many as come; the answer says how far the photo has come."""
    try:
        for part in tus.parts():
            offset = _keep(upload, offset, part)
    except tus.ChecksumWrong:
        return http.problem(
            460, "checksum_mismatch", "数据校验不符，请重传。", "The checksum does not match; send it again."
        )
    except BlockingIOError:
        return http.problem(
            423, "upload_held", "另一处正在上传这张照片。", "Somebody else is sending this photo right now.",
            headers={"Retry-After": "1", "Tus-Resumable": tus.VERSION},
        )  # fmt: skip
    except OSError as error:
        if error.errno in NO_ROOM:
            raise errors.Full from None
        raise
    return tus.answer(status, Upload_Offset=offset, **headers)


def _keep(upload: str, offset: int, part: bytes) -> int:
    """Write bytes and record that they are there, whole with the last of them; returns the offset reached.

    Raises BlockingIOError when another sender is at it, OffsetWrong when one has been.
    """
    path, reached = _folder() / f"{upload}.part", offset + len(part)
    with _held(path) as file:
        found = http.read(lambda session: _mine(session, upload))  # afresh: another sender may have been here
        if found.state != "open":
            path.unlink(missing_ok=True)  # it was whole before we came, and opening made the file anew
        _fits(found, offset, len(part))
        file.truncate(offset)  # what a crash left beyond the recorded offset is not trusted
        file.seek(offset)
        file.write(part)
        file.flush()
        os.fsync(file.fileno())
        if reached == found.length:
            _finish(upload, path, found)
        else:
            http.write(lambda session: _move(session, upload, offset, reached))
    return reached


def _clear(upload: str) -> None:
    """Remove the pieces of a photo that is whole: a server that died right after it was has left them."""
    (_folder() / f"{upload}.part").unlink(missing_ok=True)


@contextmanager
def _held(path: Path) -> Iterator[BinaryIO]:
    """The file of a photo in pieces, locked by the kernel against other senders. Raises BlockingIOError when it is taken."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(handle, "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield file


def _fits(found: Upload, offset: int, more: int) -> None:
    """Raise when the piece does not begin where the server is, or leads past the end."""
    if offset != found.offset:
        raise tus.OffsetWrong(found.offset)
    if offset + more > found.length:
        raise http.BadJson("too_large", 413)


def _move(session: Session, upload: str, before: int, after: int) -> None:
    """Record that bytes have arrived, once."""
    row = session.get(Upload, upload, with_for_update=True, populate_existing=True)
    if row is None or row.offset != before:
        raise tus.OffsetWrong(row.offset if row else 0)
    row.offset = after


def _finish(upload: str, path: Path, found: Upload) -> None:
    """Check a complete photo, re-encode it, and let its report show it; a bad one is refused for good.

    The last offset is recorded with the result: who dies before asks for the last piece again.
    """
    folder = _folder()
    picture, reason = None, None
    if hashlib.sha256(path.read_bytes()).hexdigest() != found.sha256:
        reason = "hash_mismatch"
    else:
        try:
            with PICTURES.inside():
                picture = reencode(path, folder / f"{upload}.jpg", folder / f"{upload}.thumbnail.jpg")
        except PictureRefused as refusal:
            reason = refusal.code

    def unit(session: Session) -> None:
        photo = session.get(Photo, upload, with_for_update=True)
        row = session.get(Upload, upload, with_for_update=True)
        assert photo is not None and row is not None
        if reason == "hash_mismatch":
            row.offset = 0  # what arrived is not what was promised: the phone sends it again
        else:
            row.offset, row.state = row.length, "done"
            photo.state = "delivered" if picture else "refused"
            photo.reason, photo.stored = reason, upload if picture else None
            photo.width, photo.height = (picture.width, picture.height) if picture else (None, None)
        report = session.get(Report, photo.report)
        assert report is not None
        feed.touch(session, report)

    http.write(unit)
    path.unlink(missing_ok=True)
    if reason == "hash_mismatch":
        raise errors.Conflict(
            "hash_mismatch",
            "照片内容校验不符，请重传。",
            "The photo does not match its checksum; send it again.",
            state={"offset": 0},
        )
    if reason is not None:
        raise errors.Refused(reason, "文件不是可用的照片。", "The file is not a photo we can keep.")


@blp.route("/photos/<photo>", methods=["GET"])
@blp.response(200, content_type="image/jpeg", description="The re-encoded picture.")
def show(photo: str) -> Response:
    """A photo."""
    return _picture(photo, "jpg")


@blp.route("/photos/<photo>/thumbnail", methods=["GET"])
@blp.response(200, content_type="image/jpeg", description="A small form of it.")
def show_thumbnail(photo: str) -> Response:
    """A photo's small form."""
    return _picture(photo, "thumbnail.jpg")


def _picture(photo: str, ending: str) -> Response:
    def query(session: Session) -> Photo:
        found = field_reports.photo(session, photo)
        incidents.find(session, found.incident, g.standing, "report.see_photo", unseen=field_reports.photo_unknown())
        report = session.get(Report, found.report)
        if found.state != "delivered" or report is None or report.struck_at is not None:
            raise errors.NotFound("photo_missing", "照片尚未送达。", "The photo has not arrived.")
        return found

    found = http.read(query)
    path = (_folder() / f"{found.id}.{ending}").resolve()
    if not path.is_file():
        raise errors.NotFound("photo_missing", "照片文件缺失。", "The photo's file is missing.")
    response: Response = send_file(path, mimetype="image/jpeg", conditional=True, etag=found.sha256)
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["Cache-Control"] = "private, max-age=31536000, immutable"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


def _mine(session: Session, upload: str) -> Upload:
    found, promised = session.get(Upload, upload), session.get(Photo, upload)
    if found is None and promised is not None and promised.person == g.standing.id and promised.state == "waiting":
        raise errors.Gone("upload_gone", "上传已过期，请重新开始。", "The upload has expired; begin again.")
    if found is None or found.person != g.standing.id:
        raise errors.NotFound("upload_unknown", "没有这个上传任务。", "There is no such upload.")
    return found
