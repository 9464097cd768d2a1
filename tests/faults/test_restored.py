"""A restored backup and a moved database: phones notice the first and put it right, and do not notice the second."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from server.clock import iso, now
from server.db import new_id
from tests.faults.runner.checker import state_hash
from tests.faults.runner.wire import AFTER, Lost, Wire
from tests.house import House, Phone
from tests.postgres import Databases, name_in

pytestmark = [pytest.mark.faults, pytest.mark.long, pytest.mark.timeout(240)]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    (tmp_path / "house").mkdir()
    opened = House(tmp_path / "house")
    opened.start("web")
    yield opened
    opened.stop()
    assert opened.complaints() == []


def entry(incident: str, text: str) -> dict[str, Any]:
    id = new_id()
    return {
        "id": id,
        "seq": 1,
        "method": "PUT",
        "path": f"/api/v1/incidents/{incident}/entries/{id}",
        "body": {"text": text},
    }


def send(phone: Phone, items: list[dict[str, Any]], epoch: str) -> tuple[int, Any]:
    person = phone.me["person"]["id"]
    return phone.call("POST", "/batch", {"device": phone.device, "person": person, "epoch": epoch, "items": items})


def logged(phone: Phone) -> list[str]:
    return sorted(doc["refs"]["fact"] for doc in phone.all("entry") if doc["kind"] == "log")


def test_after_a_restored_backup_phones_offer_again_what_it_had_not_seen(house: House) -> None:
    def restore() -> None:
        for ending in ("-wal", "-shm"):
            (house.folder / f"tocsin.db{ending}").unlink(missing_ok=True)
        (house.folder / "copy.db").replace(house.folder / "tocsin.db")

    offer_again(house, lambda: house.command("backup", str(house.folder / "copy.db")), restore)


def test_after_a_restored_dump_of_postgresql_as_well(
    tmp_path: Path, make_empty_database: Callable[[str], str], postgres: Databases
) -> None:
    """A copy of the database at rest stands for a dump; `tocsin restored` says that it is one."""
    url, copies = make_empty_database("postgresql"), list[str]()
    house = House(tmp_path, url)
    house.start("web")

    def back_up() -> None:
        house.stop()
        copies.append(postgres.create(template=name_in(url)))
        house.start("web")

    def restore() -> None:
        house.environment["DATABASE_URL"] = copies[0]
        house.command("restored")

    try:
        offer_again(house, back_up, restore)
    finally:
        house.stop()
    assert house.complaints() == []


class Lived:
    """What three people did to an incident that was reported, activated and worked on after the backup."""

    def __init__(self, house: House) -> None:
        self.visitor, self.commander, self.guard = (
            Phone(house, one) for one in ("visitors-1", "commander", "security-1")
        )
        self.incident = new_id()

    def through(self) -> None:
        """Report, activate, answer the alert of the plan, tick an item of its checklist."""
        body = {"plan": "scenic-ticketing-failure", "title": "三个窗口都不能出票"}
        self.report = put(f"/incidents/{self.incident}", body)
        self.activation = put(f"/incidents/{self.incident}/decisions/{new_id()}", {"kind": "activate"})
        self.said(self.visitor, [self.report])
        self.said(self.commander, [self.activation])
        self.guard.pull()
        me = self.guard.me["person"]["id"]
        asked = {one["alert"] for one in self.guard.all("recipient") if one["person"] == me}
        alert = next(one for one in self.guard.all("alert") if one["id"] in asked and one["incident"] == self.incident)
        item = next(one for one in self.guard.all("item") if one["incident"] == self.incident and one["kind"] == "tick")
        self.work = [
            put(f"/alerts/{alert['id']}/answers/{new_id()}", {"kind": "received", "read_back": "维护秩序"}),
            put(f"/items/{item['id']}/marks/{new_id()}", {"value": "done"}),
        ]
        self.said(self.guard, self.work)

    def said(self, phone: Phone, items: list[dict[str, Any]], wanted: str = "applied") -> None:
        """Send these and hold the server's word on each."""
        _, answer = send(phone, items, phone.call("GET", "/me")[1]["epoch"])
        assert [one["status"] for one in answer["results"]] == [wanted] * len(items), answer

    def come_back(self) -> None:
        """Offer everything again, those first whose work needs what others have still to bring."""
        self.said(self.guard, self.work, "refused")
        self.said(self.commander, [self.activation], "refused")
        self.said(self.visitor, [self.report])
        self.said(self.commander, [self.activation])
        self.said(self.guard, self.work)
        self.said(self.guard, self.work, "duplicate")
        self.commander.rows, self.commander.cursors = {}, {}
        self.commander.pull()
        answered = [one["answer_id"] for one in self.commander.all("recipient")]
        marked = [one["id"] for one in self.commander.all("mark")]
        assert [answered.count(self.work[0]["id"]), marked.count(self.work[1]["id"])] == [1, 1]


def put(path: str, body: dict[str, Any]) -> dict[str, Any]:
    """A queued fact; its id is the last part of the path."""
    return {
        "id": path.rpartition("/")[2], "seq": 1, "method": "PUT", "path": f"/api/v1{path}",
        "body": {**body, "occurred_at": iso(now())},
    }  # fmt: skip


def offer_again(house: House, back_up: Callable[[], object], restore: Callable[[], None]) -> None:
    phone, lived = Phone(house, "visitors-1"), Lived(house)
    incident = new_id()
    assert phone.call("PUT", f"/incidents/{incident}", {"title": "窗口无法出票"})[0] == 201
    old = phone.me["epoch"]
    before = [entry(incident, f"备份前 {number}") for number in range(5)]
    assert {one["status"] for one in send(phone, before, old)[1]["results"]} == {"applied"}
    back_up()
    lived.through()
    after = [entry(incident, f"备份后 {number}") for number in range(5)]
    assert {one["status"] for one in send(phone, after, old)[1]["results"]} == {"applied"}
    phone.pull()
    house.stop()
    restore()
    house.start("web")

    status, answer = send(phone, after, old)
    assert (status, answer["code"]) == (409, "epoch_changed")
    status, pulled = phone.call("POST", "/changes", {"epoch": old, "cursors": phone.cursors})
    fresh = pulled["epoch"]
    assert fresh != old
    assert all(row["op"] == "put" for space in pulled["spaces"] for row in space["rows"])
    again = send(phone, before + after, fresh)[1]["results"]
    assert [one["status"] for one in again] == ["duplicate"] * 5 + ["applied"] * 5
    phone.cursors, phone.rows = {}, {}
    phone.pull()
    assert logged(phone) == sorted(item["id"] for item in before + after), "nothing lost, nothing twice"
    assert phone.call("GET", f"/incidents/{incident}/verification")[1]["intact"]
    lived.come_back()


def test_moved_to_postgresql_cursors_and_sign_ins_stay_valid(
    house: House, make_empty_database: Callable[[str], str]
) -> None:
    phone, lead = Phone(house, "visitors-1"), Phone(house, "visitors-lead")
    incident = new_id()
    assert (
        phone.call("PUT", f"/incidents/{incident}", {"plan": "scenic-ticketing-failure", "title": "窗口无法出票"})[0]
        == 201
    )
    queued = entry(incident, "搬迁前")
    assert send(phone, [queued], phone.me["epoch"])[1]["results"][0]["status"] == "applied"
    phone.pull()
    house.stop()
    url = make_empty_database("postgresql")
    house.command("move-to", url)
    assert state_hash(url) == state_hash(f"sqlite:///{house.folder / 'tocsin.db'}")
    house.environment["DATABASE_URL"] = url
    house.start("web")

    cursors = dict(phone.cursors)
    _, pulled = phone.call("POST", "/changes", {"epoch": phone.me["epoch"], "cursors": cursors})
    assert pulled["epoch"] == phone.me["epoch"]
    assert (pulled["spaces"], pulled["drop"]) == ([], [])
    assert lead.put(f"/incidents/{incident}/entries/", {"text": "搬迁后"})[0] == 201
    _, pulled = phone.call("POST", "/changes", {"epoch": phone.me["epoch"], "cursors": cursors})
    rows = [row for space in pulled["spaces"] for row in space["rows"]]
    assert [row["type"] for row in rows] == ["entry"]
    assert send(phone, [queued], phone.me["epoch"])[1]["results"][0]["status"] == "duplicate"


def test_when_the_answer_is_lost_after_the_commit_the_repeat_says_so(house: House) -> None:
    phone, wire = Phone(house, "visitors-1"), Wire(house.port)
    device = {"id": new_id(), "name": "second"}
    signing = {"username": "visitors-1", "password": house.password, "device": device}
    assert wire.call("POST", "/sessions", signing).status == 200
    incident = new_id()
    item = {
        "id": incident,
        "seq": 1,
        "method": "PUT",
        "path": f"/api/v1/incidents/{incident}",
        "body": {"title": "漏水"},
    }
    body = {"device": device["id"], "items": [item]}
    with pytest.raises(Lost):
        wire.call("POST", "/batch", body, AFTER)
    for _ in range(100):
        phone.pull()
        if phone.all("incident"):
            break
    first, second = (wire.call("POST", "/batch", body).body["results"][0] for _ in range(2))
    assert first["status"] == second["status"] == "duplicate"
    assert first == second
    phone.pull()
    assert [doc["id"] for doc in phone.all("incident")] == [incident]
    wire.hang_up()
