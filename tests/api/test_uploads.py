"""Photos: sent in pieces, refused when they are none, and served without what they carried besides the picture."""

import base64
import fcntl
import hashlib
import io
import struct
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from werkzeug.test import TestResponse

from server.config import Config
from server.db import new_id
from tests.cast import Phone, Stage
from tests.pictures import GPS_TAG, jpeg, promise, tus_headers
from tests.situation import ticketing

PIECE = "application/offset+octet-stream"


@dataclass
class Sending:
    """A promised photo and the phone that sends it."""

    phone: Phone
    photo: dict[str, Any]
    report: str
    incident: str

    def begin(self, piece: bytes = b"", kind: str | None = None, /, **other: str) -> TestResponse:
        """Create the upload, with its first bytes where there are any."""
        kind = kind or (PIECE if piece else None)
        headers = {**tus_headers(self.photo), **other}
        return self.phone.call("POST", "/uploads", data=piece, content_type=kind, headers=headers)

    def send(self, piece: bytes, offset: int = 0, kind: str = PIECE, checksum: str = "", **more: Any) -> TestResponse:
        said = {"Tus-Resumable": "1.0.0", "Upload-Offset": str(offset)}
        if checksum:
            said["Upload-Checksum"] = checksum
        path = f"/uploads/{self.photo['id']}"
        return self.phone.call("PATCH", path, data=piece, content_type=kind, headers=said, **more)

    def offset(self) -> int:
        answer = self.phone.call("HEAD", f"/uploads/{self.photo['id']}")
        assert answer.status_code == 200
        assert answer.headers["Upload-Length"] == str(self.photo["size"])
        return int(answer.headers["Upload-Offset"])

    def shown(self) -> dict[str, Any]:
        """What the report says of the photo on everybody's phones."""
        self.phone.sync()
        photo: dict[str, Any] = self.phone.one("report", id=self.report)["photos"][0]
        return photo


def promised(stage: Stage, picture: bytes, who: str = "security_one", **differs: Any) -> Sending:
    """A report that promises the picture; `differs` is what it says otherwise than is so."""
    incident, photo = ticketing(stage, activate=True), {**promise(picture), **differs}
    body = {"incident": incident, "type": "crowd", "photos": [photo]}
    return Sending(stage[who], photo, stage[who].fact("/reports", body), incident)


def served(phone: Phone, sending: Sending, address: str = "") -> tuple[TestResponse, bytes]:
    """What somebody gets who asks for the photo, and its bytes."""
    answer = phone.call("GET", f"/photos/{sending.photo['id']}{address}")
    content = answer.get_data()
    answer.close()
    return answer, content


def folder(stage: Stage) -> Path:
    config: Config = stage.app.extensions["tocsin_config"]
    return config.photos_folder


def test_a_photo_arrives_in_pieces_and_goes_on_where_it_stopped(stage: Stage) -> None:
    picture = jpeg()
    sending = promised(stage, picture)
    assert sending.shown()["state"] == "waiting"
    stage["security_one"].get(f"/photos/{sending.photo['id']}", 404)
    created = sending.begin()
    assert (created.status_code, created.headers["Location"]) == (201, f"/api/v1/uploads/{sending.photo['id']}")
    assert sending.offset() == 0
    assert sending.send(picture[:1000]).headers["Upload-Offset"] == "1000"
    for wrong in (0, 999, 1001, len(picture)):
        answer = sending.send(picture[wrong:], wrong)
        assert (answer.status_code, answer.headers["Upload-Offset"]) == (409, "1000")
        assert answer.get_json()["code"] == "offset_wrong"
    again = sending.begin()  # the phone was restarted and asks anew
    assert (again.status_code, again.headers["Upload-Offset"]) == (201, "1000")
    assert sending.send(picture[1000:], sending.offset()).status_code == 204
    assert sending.offset() == len(picture)
    assert sending.shown()["state"] == "delivered"
    for address in ("", "/thumbnail"):
        answer, _ = served(stage["commander"], sending, address)
        assert (answer.status_code, answer.mimetype) == (200, "image/jpeg")
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_photo_that_comes_with_the_first_request_needs_no_other(stage: Stage) -> None:
    sending = promised(stage, picture := jpeg())
    said = sending.phone.call("OPTIONS", "/uploads").headers["Tus-Extension"]
    assert "creation-with-upload" in said.split(",")
    answer = sending.begin(picture)
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, str(len(picture)))
    assert answer.headers["Location"] == f"/api/v1/uploads/{sending.photo['id']}"
    assert sending.shown()["state"] == "delivered"
    again = sending.begin(picture)
    assert (again.status_code, again.headers["Upload-Offset"]) == (201, str(len(picture)))
    assert served(stage["commander"], sending)[0].status_code == 200


def test_the_first_bytes_come_with_the_request_and_count_once(stage: Stage) -> None:
    sending = promised(stage, picture := jpeg())
    assert sending.begin(picture[:1000], "application/octet-stream").headers["Upload-Offset"] == "0", "no piece"
    assert sending.begin(picture[:1000]).headers["Upload-Offset"] == "1000"
    again = sending.begin(picture)
    assert (again.status_code, again.headers["Upload-Offset"]) == (201, "1000"), "the bytes are not taken again"
    assert sending.offset() == 1000
    assert sending.send(picture[1000:], 1000).status_code == 204
    assert sending.shown()["state"] == "delivered"


def test_the_first_bytes_obey_the_rules_of_every_piece(stage: Stage) -> None:
    sending = promised(stage, picture := jpeg())
    assert sending.begin(picture + b"x").status_code == 413
    assert sending.phone.call("HEAD", f"/uploads/{sending.photo['id']}").status_code in (404, 410), "not even begun"
    assert sending.begin(picture[:1000], **{"Upload-Checksum": "sha256 " + "A" * 43 + "="}).status_code == 460
    assert sending.offset() == 0
    path = folder(stage) / f"{sending.photo['id']}.part"
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        held = sending.begin(picture)
        assert (held.status_code, held.headers["Retry-After"]) == (423, "1")
    wrong = sending.begin(picture[:-1] + bytes([picture[-1] ^ 1]))
    assert (wrong.status_code, wrong.get_json()["code"]) == (409, "hash_mismatch")
    assert sending.offset() == 0
    assert sending.begin(picture).headers["Upload-Offset"] == str(len(picture))
    other = promised(stage, b"%!PS-Adobe-3.0 EPSF-3.0\n")
    refused = other.begin(b"%!PS-Adobe-3.0 EPSF-3.0\n")
    assert (refused.status_code, refused.get_json()["code"]) == (422, "not_a_picture")
    stranger = Sending(stage["outsider"], other.photo, other.report, other.incident)
    assert stranger.begin(b"x").status_code == 404


class Lost:
    """A request's body that comes no further: its sender has lost the network, and says nothing."""

    def __init__(self, content: bytes) -> None:
        self.content = io.BytesIO(content)
        self.patience: list[float | None] = []

    def read(self, size: int = -1) -> bytes:
        some = self.content.read(size)
        if some:
            return some
        raise TimeoutError

    def gettimeout(self) -> None:
        return None

    def settimeout(self, seconds: float | None) -> None:
        self.patience.append(seconds)


def test_a_piece_that_comes_no_further_is_waited_for_a_while_and_kept_as_far_as_it_came(stage: Stage) -> None:
    sending = promised(stage, picture := jpeg())
    sending.begin()
    body = Lost(picture[:2000])
    given: dict[str, Any] = {"wsgi.input": body, "gunicorn.socket": body, "wsgi.input_terminated": True}
    given["CONTENT_LENGTH"] = str(len(picture))
    answer = sending.send(picture, environ_overrides=given)
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, "2000")
    assert set(body.patience[0::2]) == {30.0}
    assert set(body.patience[1::2]) == {None}, "the connection is given back as it was"
    assert sending.offset() == 2000
    given |= {"wsgi.input": Lost(picture[2000:3000]), "CONTENT_LENGTH": str(len(picture) - 2000)}
    wrong = "sha256 " + "A" * 43 + "="
    assert sending.send(picture[2000:], 2000, checksum=wrong, environ_overrides=given).status_code == 460
    assert sending.offset() == 2000


def test_a_piece_hurt_on_the_way_is_asked_for_again(stage: Stage) -> None:
    picture = jpeg()
    sending = promised(stage, picture)
    sending.begin()
    told = "sha256 " + base64.b64encode(hashlib.sha256(picture[:1000]).digest()).decode()
    assert sending.send(b"x" + picture[1:1000], checksum=told).status_code == 460
    assert sending.offset() == 0
    assert sending.send(picture[:1000], checksum=told).status_code == 204


def test_what_is_not_what_was_promised_begins_again(stage: Stage) -> None:
    picture = jpeg()
    sending = promised(stage, picture)
    sending.begin()
    answer = sending.send(picture[:-1] + bytes([picture[-1] ^ 1]))
    assert (answer.status_code, answer.get_json()["code"]) == (409, "hash_mismatch")
    assert sending.offset() == 0
    assert sending.shown()["state"] == "waiting"
    assert sending.send(picture).status_code == 204
    assert sending.shown()["state"] == "delivered"


def bomb(side: int = 13_000) -> bytes:
    """A PNG of a few hundred kilobytes that unpacks to side by side pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = b"\0" * (side + 1)
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def gif() -> bytes:
    kept = io.BytesIO()
    Image.new("RGB", (8, 8)).save(kept, "GIF")
    return kept.getvalue()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"<html><script>alert(1)</script></html>", "not_a_picture"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "not_a_picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not_a_picture"),
        (gif(), "not_a_picture"),
        (jpeg()[:900], "not_a_picture"),
        (bomb(), "too_many_pixels"),
    ],
    ids=["html", "svg", "postscript", "gif", "cut", "bomb"],
)
def test_what_is_no_photo_is_refused_for_good_and_the_report_says_so(stage: Stage, content: bytes, code: str) -> None:
    sending = promised(stage, content)
    assert sending.begin().status_code == 201
    answer = sending.send(content)
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)
    assert sending.shown()["state"] == "refused"
    stage["commander"].get(f"/photos/{sending.photo['id']}", 404)
    assert sending.offset() == len(content), "the phone need not send it again"
    assert list(folder(stage).glob(f"{sending.photo['id']}*")) == []


def test_what_is_served_carries_the_picture_and_nothing_else(stage: Stage) -> None:
    picture = jpeg(orientation=6)
    assert b"<script>" in picture
    with Image.open(io.BytesIO(picture)) as before:
        assert before.getexif().get_ifd(GPS_TAG)
    sending = promised(stage, picture)
    sending.begin()
    assert sending.send(picture).status_code == 204
    for address, size in (("", (200, 320)), ("/thumbnail", (200, 320))):
        _, content = served(stage["commander"], sending, address)
        assert b"<script>" not in content
        assert b"Exif" not in content
        with Image.open(io.BytesIO(content)) as after:
            assert (after.format, after.size, dict(after.getexif())) == ("JPEG", size, {})
            assert "comment" not in after.info


def test_somebody_elses_photo_is_not_there(stage: Stage) -> None:
    picture = jpeg()
    sending = promised(stage, picture)
    other = Sending(stage["outsider"], sending.photo, sending.report, sending.incident)
    assert other.begin().status_code == 404
    assert sending.begin().status_code == 201
    assert other.phone.call("HEAD", f"/uploads/{sending.photo['id']}").status_code == 404
    assert other.send(picture).status_code == 404
    assert other.send(b"x" * len(picture)).status_code == 404
    assert sending.send(picture).status_code == 204
    other.phone.get(f"/photos/{sending.photo['id']}", 404)
    other.phone.get(f"/photos/{sending.photo['id']}/thumbnail", 404)
    assert stage.anonymous().call("GET", f"/photos/{sending.photo['id']}").status_code == 401


def test_a_struck_report_shows_its_photo_no_more(stage: Stage) -> None:
    picture = jpeg()
    sending = promised(stage, picture)
    sending.begin()
    sending.send(picture)
    assert served(stage["commander"], sending)[0].status_code == 200
    sending.phone.fact(f"/reports/{sending.report}/strikes", {"reason": "拍错了"})
    stage["commander"].get(f"/photos/{sending.photo['id']}", 404)


def test_sizes_have_a_limit(stage: Stage) -> None:
    picture = jpeg()
    most: int = stage.app.extensions["tocsin_config"].photo_limit
    sending = promised(stage, picture)
    assert sending.begin(**{"Upload-Length": str(most + 1)}).status_code == 413
    assert sending.begin(**{"Upload-Length": "0"}).status_code == 422
    assert sending.begin(**{"Upload-Length": "-1"}).status_code == 422
    assert sending.begin(**{"Upload-Length": str(len(picture) - 1)}).status_code == 409
    assert sending.begin().status_code == 201
    assert sending.send(picture + b"x").status_code == 413, "more than was promised"
    assert sending.send(b"x" * (4 * 1024 * 1024 + 1)).status_code == 413
    assert sending.offset() == 0
    assert sending.send(picture, kind="application/octet-stream").status_code == 415
    assert sending.send(picture).status_code == 204


@pytest.mark.parametrize(
    "metadata", ["", "id", "id !!!", "sha256 " + base64.b64encode(b"a" * 64).decode(), "id " + "QQ==" + ",sha256 QQ=="]
)
def test_an_upload_that_does_not_say_which_photo_is_refused(stage: Stage, metadata: str) -> None:
    answer = promised(stage, jpeg()).begin(**{"Upload-Metadata": metadata})
    assert (answer.status_code, answer.get_json()["errors"][0]["path"]) == (422, "Upload-Metadata")


def test_another_protocol_version_is_refused(stage: Stage) -> None:
    sending = promised(stage, jpeg())
    assert sending.begin(**{"Tus-Resumable": "0.2.2"}).status_code in {412, 422}
    assert sending.phone.call("HEAD", f"/uploads/{new_id()}").status_code == 404


def test_two_senders_of_one_photo_end_with_one_whole_photo(stage: Stage) -> None:
    picture = jpeg(2000, 1500)
    sending = promised(stage, picture)
    sending.begin()
    step, together = len(picture) // 12 + 1, threading.Barrier(2)
    statuses: list[int] = []

    def upload(sender: Sending) -> None:
        together.wait()
        for _ in range(400):
            at = sender.offset()
            if at == len(picture):
                return
            statuses.append(sender.send(picture[at : at + step], at).status_code)

    phone = sending.phone
    other = Phone(phone.app, phone.name, phone.person, phone.device, phone.token)
    with ThreadPoolExecutor(2) as pool:
        for job in [pool.submit(upload, sending), pool.submit(upload, replace(sending, phone=other))]:
            job.result(60)
    assert set(statuses) <= {204, 409, 423}
    assert sending.shown()["state"] == "delivered"
    assert served(stage["commander"], sending)[0].status_code == 200
    assert not (folder(stage) / f"{sending.photo['id']}.part").exists()
