"""What the server refuses stays in the tray with its reason; a session that ended keeps the queue for its own person alone."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from server.db import new_id
from tests.browser.conftest import SLOW, Someone
from tests.browser.scene import activated, until
from tests.house import House, Phone

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
Arrive = Callable[..., Someone]


def report(someone: Someone, incident: str, text: str) -> None:
    """File a report of a crowd with these words."""
    someone.go("#/now")
    someone.go(f"#/report?incident={incident}")
    page = someone.page
    page.locator("fieldset label", has_text="人流拥挤").click()
    page.get_by_label("说明").fill(text)
    page.get_by_role("button", name="上报", exact=True).last.click()
    expect(page.get_by_role("heading", name="上报", exact=True)).to_be_hidden()


def end_sessions(house: House, username: str) -> None:
    """Change the password to itself from another phone, which ends every other session."""
    elsewhere = Phone(house, username)
    assert elsewhere.call("POST", "/me/password", {"current": house.password, "new": house.password})[0] == 204


def approved_request(house: House, incident: str, quantity: int) -> str:
    """A request for paper tickets of the visitor centre that logistics has approved."""
    visitor, request = Phone(house, "visitors-1"), new_id()
    visitor.pull()
    supply = next(row["id"] for row in visitor.all("supply") if row["serial"])
    team = next(row["id"] for row in visitor.all("team") if row["kind"] == "visitor_centre")
    body = {"incident": incident, "supply": supply, "quantity": quantity, "for_team": team}
    assert visitor.put(f"/requests/{request}", body)[0] == 201
    assert Phone(house, "logistics-lead").put(f"/requests/{request}/movements/", {"kind": "approved"})[0] == 201
    return request


def dispatch(someone: Someone, request: str, first: str, last: str) -> None:
    """Send numbered tickets off."""
    someone.go(f"#/requests/{request}")
    page = someone.page
    page.get_by_role("button", name="发出", exact=True).first.click()
    sheet = page.get_by_role("dialog")
    sheet.get_by_label("起号").fill(first)
    sheet.get_by_label("止号").fill(last)
    sheet.get_by_role("button", name="发出", exact=True).click()
    expect(sheet).to_be_hidden()


def test_a_refused_dispatch_stays_is_mended_and_arrives(house: House, someone: Arrive) -> None:
    scene = activated(house)
    ours, theirs = (approved_request(house, scene.incident, 100) for _ in range(2))
    logistics = someone("logistics-1")
    logistics.go(f"#/requests/{ours}")
    page = logistics.page
    expect(page.get_by_role("button", name="发出", exact=True).first).to_be_visible(timeout=SLOW)

    # Without a network two people send off the same numbers; the second to arrive is refused.
    logistics.offline()
    dispatch(logistics, ours, "100001", "100100")
    taken = {"kind": "dispatched", "quantity": 100, "serial_from": 100001, "serial_to": 100100}
    assert Phone(house, "logistics-2").put(f"/requests/{theirs}/movements/", taken)[0] == 201
    logistics.offline(False)
    page.get_by_role("status").get_by_role("link", name="1 项未被接收").click(timeout=SLOW)
    refused = page.locator("main article")
    expect(refused).to_contain_text("号码已发出。")
    assert len(logistics.stored("tray")) == 1

    # It survives a reload, can be handed over as a file, and goes out once its numbers are mended.
    page.reload()
    expect(refused).to_contain_text("号码已发出。")
    with page.expect_download() as handed:
        refused.get_by_role("button", name="导出").click()
    exported = json.loads(Path(handed.value.path()).read_text())
    assert exported["body"]["serial_from"] == 100001
    made_at = exported["body"]["occurred_at"]
    refused.get_by_role("button", name="修改").click()
    sheet = page.get_by_role("dialog")
    sheet.get_by_label("起号").fill("100101")
    sheet.get_by_label("止号").fill("100200")
    sheet.get_by_role("button", name="再次发送").click()
    expect(refused).to_have_count(0)
    (moved,) = scene.wait_for("movement", request=ours, kind="dispatched")
    assert (moved["serial_from"], moved["serial_to"], moved["accepted"]) == (100101, 100200, True)
    assert moved["occurred_at"] == made_at, "when it happened does not change by sending it again"
    assert logistics.waiting() == 0


def test_an_ended_session_keeps_the_queue_for_its_own_person_alone(house: House, someone: Arrive) -> None:
    scene = activated(house, "闸机不识别门票")
    security = someone("security-1")
    page = security.page
    expect(page.locator("article.alert", has_text="维护秩序").first).to_be_visible(timeout=SLOW)
    security.offline()
    for number in range(1, 6):
        report(security, scene.incident, f"东检票口第 {number} 次清点")
    end_sessions(house, "security-1")
    security.offline(False)
    again = page.get_by_role("status").get_by_role("link", name="登录已过期")
    expect(again).to_be_visible(timeout=SLOW)
    assert security.waiting() >= 5
    assert scene.facts("report") == []

    # Another person signs in on this phone: sees nothing of the first one's, and sends nothing of theirs.
    again.click()
    security.fill_in("logistics-2")
    expect(page.get_by_role("heading", name="当前")).to_be_visible(timeout=SLOW)
    security.go("#/me")
    expect(page.get_by_role("heading", name="邓丽娟")).to_be_visible()
    until(lambda: True if security.waiting() == 0 else None)  # what this phone says of its own alerts goes out
    assert (security.stored("tray"), security.stored("drafts")) == ([], [])
    for place in ("#/now", "#/me/outbox", "#/incidents", "#/report"):
        security.go(place)
        expect(page.locator("main h1")).to_be_visible()
        expect(page.get_by_text("次清点")).to_have_count(0)
    page.wait_for_timeout(2000)
    assert scene.facts("report") == []

    # The first one signs in again: all five go out, once.
    security.go("#/me")
    page.get_by_role("button", name="退出登录").click()
    page.get_by_role("dialog").get_by_role("button", name="退出登录").click()
    security.fill_in("security-1")
    expect(page.get_by_role("heading", name="当前")).to_be_visible(timeout=SLOW)
    reports = scene.wait_for("report", 5)
    assert sorted(one["text"] for one in reports) == [f"东检票口第 {number} 次清点" for number in range(1, 6)]
    assert {one["by"] for one in reports} == {scene.person("罗大勇")}
    until(lambda: True if security.waiting() == 0 else None)
