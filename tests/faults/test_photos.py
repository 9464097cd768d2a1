"""Photos through everything: cut at every boundary, two senders, a full disk, an upload that was given up."""

import base64
import hashlib
import json
import random
import resource
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import build_web
from server.db import new_id
from server.domain import field_reports
from server.domain.field_reports import Upload
from tests.cast import Stage
from tests.faults.runner.wire import AFTER, BEFORE, Lost, Reply, Wire
from tests.house import ROOT, House
from tests.pictures import jpeg, promise, tus_headers

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]
CLIENT = Path(__file__).with_name("tus_client.mjs")
PIECE = "application/offset+octet-stream"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    opened = House(tmp_path)
    opened.start("web")
    yield opened
    opened.stop()
    assert [line for line in opened.complaints() if "SIGKILL" not in line] == []


class Sender:
    """A signed-in phone that sends one photo piece by piece."""

    def __init__(self, house: House, photo: bytes) -> None:
        self.house, self.photo, self.wire = house, photo, Wire(house.port)
        device = {"id": new_id(), "name": "phone"}
        signing = {"username": "visitors-1", "password": house.password, "device": device}
        assert self.wire.call("POST", "/sessions", signing).status == 200
        self.incident, self.report = new_id(), new_id()
        assert self.wire.call("PUT", f"/incidents/{self.incident}", {"title": "漏水"}).status == 201
        self.promise: dict[str, Any] = promise(photo)
        report = {"incident": self.incident, "type": "leak", "photos": [self.promise]}
        assert self.wire.call("PUT", f"/reports/{self.report}", report).status == 201
        self.id = self.promise["id"]

    def begin(self, piece: bytes = b"", cut: str = "") -> Reply:
        """Create the upload, with its first bytes where there are any."""
        headers = {name.replace("-", "_"): value for name, value in tus_headers(self.promise).items()}
        return self.wire.call("POST", "/uploads", piece, cut, **headers, **({"Content_Type": PIECE} if piece else {}))

    def offset(self) -> int:
        """Where the server is, asked until it answers."""
        for _ in range(200):
            try:
                reply = self.wire.call("HEAD", f"/uploads/{self.id}", None)
            except Lost:
                time.sleep(0.1)
                continue
            if reply.status == 200:
                return int(reply.headers["upload-offset"])
        raise AssertionError("the server does not come back")

    def send(self, offset: int, piece: bytes, cut: str = "") -> Reply:
        return self.wire.call(
            "PATCH", f"/uploads/{self.id}", piece, cut, Tus_Resumable="1.0.0", Upload_Offset=str(offset), Content_Type=PIECE,
            Upload_Checksum="sha256 " + base64.b64encode(hashlib.sha256(piece).digest()).decode(),
        )  # fmt: skip

    def reaches(self, *wanted: int) -> bool:
        """Whether the server comes to stand there: what is in its sockets when the sender is gone is still being read."""
        for _ in range(100):
            if self.offset() in wanted:
                return True
            time.sleep(0.05)
        return False

    def break_off(self, offset: int, piece: bytes, after: int, *, reset: bool) -> None:
        """Promise a piece and be gone after some of its bytes: hung up, or with the connection reset."""
        head = (
            f"PATCH /api/v1/uploads/{self.id} HTTP/1.1\r\nHost: localhost:{self.house.port}\r\nX-Tocsin: 1\r\n"
            f"Cookie: tocsin={self.wire.cookie}\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: {offset}\r\n"
            f"Content-Type: {PIECE}\r\nContent-Length: {len(piece)}\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", self.house.port)) as line:
            line.sendall(head.encode() + piece[:after])
            time.sleep(0.3)  # a reset throws away what the server has not read yet
            if reset:
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def state(self) -> str:
        reply = self.wire.call("POST", "/changes", {"cursors": {}})
        rows = [row for space in reply.body["spaces"] for row in space["rows"] if row["id"] == self.report]
        return str(rows[0]["doc"]["photos"][0]["state"])


def padded(size: int) -> bytes:
    """A picture of this many bytes; readers ignore what follows its end."""
    picture = jpeg()
    return picture + random.Random(1).randbytes(size - len(picture))


def test_cut_or_killed_at_every_boundary_a_photo_arrives_whole(house: House) -> None:
    photo = padded(60_000)
    sender = Sender(house, photo)
    assert sender.begin().status == 201
    boundaries = list(range(0, len(photo), 10_000))
    for number, start in enumerate(boundaries):
        piece = photo[start : start + 10_000]
        assert sender.offset() == start
        if number % 3 == 0:
            with pytest.raises(Lost):
                sender.send(start, piece, BEFORE)
            assert sender.offset() == start, "half a piece counts as none"
            assert sender.send(start, piece).status == 204
        elif number % 3 == 1:
            with pytest.raises(Lost):
                sender.send(start, piece, AFTER)
            assert sender.reaches(start + len(piece))
            assert sender.send(start, piece).status == 409, "it has been taken although nobody heard so"
        else:
            with pytest.raises(Lost):
                sender.send(start, piece, AFTER)
            house.kill("web")
            house.start("web")
            sender.wire.hang_up()
            if sender.offset() == start:
                assert sender.send(start, piece).status == 204
    assert sender.offset() == len(photo)
    assert sender.state() == "delivered"
    shown = sender.wire.call("GET", f"/photos/{sender.id}")
    assert shown.status == 200
    assert not list((house.folder / "photos").glob("*.part"))
    sender.wire.hang_up()


def test_what_came_before_the_cut_stays_and_only_the_rest_is_sent_again(house: House) -> None:
    photo = padded(900_000)
    sender = Sender(house, photo)
    with pytest.raises(Lost):
        sender.begin(photo[:20_000], BEFORE)
    assert sender.reaches(10_000), "the first request is cut"
    part = 256 * 1024
    sender.break_off(10_000, photo[10_000:], 17_001, reset=False)
    assert sender.reaches(27_001)
    sender.break_off(27_001, photo[27_001:], part, reset=False)
    at = 27_001 + part
    assert sender.reaches(at), "cut where the server writes"
    sender.break_off(at, photo[at:], part + 60_000, reset=True)
    assert sender.reaches(at + part + 60_000, at + part + 60_000 // 8_192 * 8_192), "of a reset, all that was read"
    at = sender.offset()
    assert sender.send(at, photo[at:]).status == 204
    assert sender.state() == "delivered"
    sender.wire.hang_up()


def test_the_public_tus_client_resumes_through_a_kill_of_the_server(house: House, tmp_path: Path) -> None:
    node = "node" if build_web.node_of_machine() else build_web.node_of_package()[0]
    for with_first in ("no", "yes"):
        photo = padded(160_000)
        sender, file = Sender(house, photo), tmp_path / "photo.jpg"
        file.write_bytes(photo)
        metadata = {"id": sender.id, "sha256": hashlib.sha256(photo).hexdigest(), "mime": "image/jpeg"}
        endpoint, cookie = f"{house.url}/api/v1/uploads", f"tocsin={sender.wire.cookie}"
        command = [node, str(CLIENT), str(ROOT / "pwa"), endpoint, cookie, json.dumps(metadata), str(file), with_first]
        sender.wire.hang_up()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
            assert client.stdout is not None
            try:
                assert json.loads(client.stdout.readline())["accepted"] == 20_000
                house.kill("web")
                house.start("web")
                said = [json.loads(line) for line in client.stdout]
                assert client.wait(90) == 0, said
            finally:
                client.kill()
        assert said[-1]["done"], said
        assert said[-1]["offsets"][-1] == len(photo)
        assert sender.state() == "delivered"
        sender.wire.hang_up()


def test_a_full_disk_takes_no_photo_but_still_takes_words(house: House) -> None:
    photo = padded(9_000_000)
    sender = Sender(house, photo)
    assert sender.begin().status == 201
    third = len(photo) // 3
    assert sender.send(0, photo[:third]).status == 204
    limit(house, 4_500_000)
    reply = sender.send(third, photo[third : 2 * third])
    assert (reply.status, reply.body["code"]) == (507, "storage_full")
    assert reply.headers["retry-after"]
    assert (
        sender.wire.call("PUT", f"/incidents/{sender.incident}/entries/{new_id()}", {"text": "水位上升"}).status == 201
    )
    limit(house, resource.RLIM_INFINITY)
    assert sender.offset() == third
    for start in (third, 2 * third):
        assert sender.send(start, photo[start : start + third]).status == 204
    assert sender.state() == "delivered"
    sender.wire.hang_up()


def test_a_disk_full_for_the_database_is_said_and_passes(house: House) -> None:
    sender = Sender(house, padded(20_000))
    limit(house, 4_096)
    path, body = f"/incidents/{sender.incident}/entries/{new_id()}", {"text": "水位上升"}
    reply = sender.wire.call("PUT", path, body)
    assert reply.status in (503, 507), reply
    assert sender.wire.call("POST", "/changes", {"cursors": {}}).status == 200, "reading goes on"
    limit(house, resource.RLIM_INFINITY)
    assert sender.wire.call("PUT", path, body).status == 201, "no restart is needed"
    assert sender.wire.call("PUT", path, body).status == 200
    sender.wire.hang_up()


def limit(house: House, size: int) -> None:
    """Let no process of the web write a file beyond this size, as a disk that is full would not."""
    for child in psutil.Process(house.processes["web"].pid).children():
        child.rlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_an_upload_given_up_is_forgotten_after_two_days_and_may_begin_again(stage: Stage, tmp_path: Path) -> None:
    phone, photo = stage["visitors_one"], jpeg()
    promised = promise(photo)
    incident = phone.fact("/incidents", {"title": "漏水"})
    phone.fact("/reports", {"incident": incident, "type": "leak", "photos": [promised]})
    assert phone.call("POST", "/uploads", headers=tus_headers(promised)).status_code == 201
    piece = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": PIECE}
    path = f"/uploads/{promised['id']}"
    assert phone.call("PATCH", path, data=photo[:500], headers=piece).status_code == 204
    folder = stage.app.extensions["tocsin_config"].photos_folder
    part = folder / f"{promised['id']}.part"
    assert part.stat().st_size == 500

    def due() -> bool:
        with stage.database.read() as session:
            at = field_reports.abandoned_due(session)
        stage.database.write(lambda session: field_reports.forget_abandoned(session, folder))
        return at is not None and not part.exists()

    stage.move(hours=47)
    assert not due()
    stage.move(hours=2)
    assert due()
    with stage.database.read() as session:
        assert session.get(Upload, promised["id"]) is None
    assert phone.call("HEAD", path, headers={"Tus-Resumable": "1.0.0"}).status_code == 410
    assert phone.call("PATCH", path, data=photo[500:], headers={**piece, "Upload-Offset": "500"}).status_code == 410
    assert phone.call("POST", "/uploads", headers=tus_headers(promised)).status_code == 201
    assert phone.call("PATCH", path, data=photo, headers=piece).status_code == 204
    phone.sync()
    assert phone.one("report")["photos"][0]["state"] == "delivered"
