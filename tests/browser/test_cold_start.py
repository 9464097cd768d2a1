"""The whole job from a cold start without a network: read, answer, tick, report; the network returns and all arrives once."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import SLOW, Installed
from tests.browser.scene import activated
from tests.house import House

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


def in_hand(page: Page) -> None:
    """Everything a responder needs stands on the screens of a phone without a network."""
    alert = page.locator("article.alert", has_text="维护秩序")
    expect(alert).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="上次联系")).to_be_visible(timeout=SLOW)
    alert.get_by_role("link", name="查看事件").or_(page.locator("main a[href*='/incidents/']").first).first.click()
    expect(page.get_by_role("heading", name="三个窗口都不能出票")).to_be_visible()
    page.evaluate("location.hash = '#/plans'")
    page.get_by_role("link", name="景区售票系统故障应急预案").click()
    expect(page.get_by_text("000-21 §1").first).to_be_visible()
    page.evaluate("location.hash = '#/people'")
    expect(page.get_by_role("link", name="呼叫高建峰").first).to_have_attribute("href", "tel:13900000008")
    page.evaluate("location.hash = '#/now'")
    page.locator("main a[href*='/checklists/']").first.click()
    expect(page.locator("main ol [role=checkbox]").first).to_be_visible()


def test_the_whole_job_from_a_cold_start_without_a_network(house: House, installed: Callable[[str], Installed]) -> None:
    scene = activated(house)
    phone = installed("security-1")
    phone.open().sign_in()
    assert phone.now
    expect(phone.now.page.locator("article.alert", has_text="维护秩序")).to_be_visible(timeout=SLOW)

    # No network: the browser starts from nothing but its disk.
    me = phone.open(offline=True)
    page = me.page
    page.goto(house.url)
    in_hand(page)
    box = page.locator("main ol [role=checkbox]").first
    box.click()
    expect(box).to_have_attribute("aria-checked", "true")
    me.go("#/now")
    page.locator("article.alert", has_text="维护秩序").locator("[data-answer=received]").click()
    expect(page.locator("p.given").first).to_contain_text("已存本机")
    assert scene.facts("recipient", person=scene.person("罗大勇"), answer="received") == []

    # A network, but no server behind it: started again, the phone has kept everything and takes more.
    house.kill("web")
    me = phone.open()
    page = me.page
    page.goto(house.url)
    expect(page.locator("p.given").first).to_contain_text("已存本机")
    in_hand(page)
    me.go("#/report")
    page.get_by_text("人流拥挤", exact=True).click()
    page.get_by_label("说明").fill("东检票口排队约一百人")
    page.get_by_role("button", name="上报", exact=True).last.click()
    expect(page.get_by_text("已存本机").first).to_be_visible()
    made = {entry["id"]: entry for entry in me.stored("outbox")}
    assert {entry["path"].split("/")[-2] for entry in made.values()} >= {"answers", "marks", "reports"}

    # The server is back: all of it is there, once, with the time it happened and the time it came.
    house.start("web")
    expect(page.get_by_text("指挥端已收到").first).to_be_visible(timeout=SLOW)
    (report,) = scene.wait_for("report", type="crowd")
    (told,) = scene.wait_for("recipient", answer="received", person=report["by"])
    (mark,) = scene.wait_for("mark", by=report["by"])
    for came in (report, mark):
        assert came["occurred_at"] == made[came["id"]]["body"]["occurred_at"]
        assert came["occurred_at"] < came["received_at"]
    assert told["answered_at"] == made[told["answer_id"]]["body"]["occurred_at"]
    assert told["answered_at"] < told["answer_received_at"]
    assert me.waiting() == 0
    assert me.stored("tray") == []
