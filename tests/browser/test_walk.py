"""The main walk: a ticketing failure from the first report to the review draft, on real phones and a commander's screen."""

import io
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import SLOW, Someone
from tests.house import House, Phone

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
Arrive = Callable[..., Someone]


def picture() -> bytes:
    """A photo as a camera would give it."""
    found = io.BytesIO()
    Image.effect_noise((1600, 1200), 60).convert("RGB").save(found, "JPEG", quality=90)
    return found.getvalue()


def wait_for(phone: Phone, found: Callable[[], Any]) -> Any:
    """Pull until `found` gives something."""
    until = time.monotonic() + SLOW / 1000
    while time.monotonic() < until:
        phone.pull()
        if (value := found()) is not None:
            return value
        time.sleep(0.3)
    raise AssertionError("it never came")


def lists_of(phone: Phone, title: str) -> set[str]:
    """The checklists of the orders with this title."""
    return {order["checklist"] for order in phone.all("order") if order["title"]["zh"] == title}


def both(people: Iterable[str]) -> bool | None:
    """True once two people are among them."""
    return True if len(set(people)) == 2 else None


def in_sheet(page: Page, name: str) -> None:
    """Press a button of the open sheet."""
    page.get_by_role("dialog").get_by_role("button", name=name, exact=True).click()


def test_ticketing_failure(house: House, someone: Arrive) -> None:
    commander = someone("commander", desk=True)
    visitor, it, security = someone("visitors-1"), someone("it-1"), someone("security-1")

    # The visitor centre reports the fault in three taps: the type, the plan it belongs to, send.
    visitor.go("#/report")
    page = visitor.page
    page.get_by_text("系统故障", exact=True).click()
    page.get_by_label("说明").fill("三个窗口都不能出票")
    page.get_by_label("适用预案").select_option(label="景区售票系统故障应急预案")
    page.get_by_role("button", name="上报", exact=True).last.click()

    # IT is alerted, and the limit counts down with its clause on the phone and on the board.
    expect(it.page.locator("article.alert")).to_be_visible(timeout=SLOW)
    expect(it.page.get_by_text("15 分钟内恢复").first).to_be_visible()
    commander.go("#/board")
    expect(commander.page.get_by_text("15 分钟内恢复").first).to_be_visible()
    it.page.locator("article.alert").first.locator("[data-answer=on_my_way]").click()
    expect(it.page.locator("p.given").first).to_contain_text("出发")

    # Not restored: the leadership group is alerted, once.
    house.move(15 * 60)
    over = commander.page.get_by_role("dialog", name="紧急告警")
    expect(over).to_contain_text("15 分钟内未恢复", timeout=SLOW)
    over.locator("[data-answer=received]").click()
    expect(over).to_be_hidden(timeout=SLOW)
    commander.page.wait_for_timeout(2500)
    commander.go("#/now")
    expect(commander.page.locator("article.alert")).to_have_count(1)

    # The commander decides; each team gets its own order with its checklist.
    commander.go("#/incidents")
    commander.page.locator("main a[href*='/incidents/']").first.click()
    commander.page.get_by_role("button", name="启动预案").first.click()
    in_sheet(commander.page, "确认")
    expect(security.page.locator("article.alert", has_text="维护秩序")).to_be_visible(timeout=SLOW)
    security.page.locator("article.alert", has_text="维护秩序").locator("[data-answer=received]").click()
    commander.go("#/board")
    expect(commander.page.get_by_text("安全保卫组").first).to_be_visible()
    expect(commander.page.locator("body")).to_contain_text("人未回应")

    # Security works without a network: a report with photo and position, and the checklist.
    security.offline()
    security.go("#/report")
    page = security.page
    page.get_by_text("人流拥挤", exact=True).click()
    page.get_by_label("说明").fill("西检票口排队约两百人，已设隔离栏")
    page.locator("input[type=file]").last.set_input_files(
        {"name": "gate.jpg", "mimeType": "image/jpeg", "buffer": picture()}
    )
    page.get_by_role("button", name="定位").click()
    expect(page.get_by_text("已定位")).to_be_visible()
    page.get_by_role("button", name="上报", exact=True).last.click()
    expect(page.get_by_text("已存本机").first).to_be_visible()

    # Two people tick the same checklist without a network.
    second = someone("security-2")
    second.go("#/now")
    expect(second.page.locator("article.alert", has_text="维护秩序")).to_be_visible()
    second.offline()
    for person in (security, second):
        person.go("#/now")
        person.page.locator("main a[href*='/checklists/']").first.click()
        box = person.page.locator("main ol [role=checkbox]").first
        box.click()
        expect(box).to_have_attribute("aria-checked", "true")

    # Logistics dispatches numbered paper tickets, the visitor centre confirms receipt.
    logistics = someone("logistics-1")
    visitor.go("#/supplies")
    visitor.page.get_by_role("button", name="申领物资").click()
    sheet = visitor.page.get_by_role("dialog")
    sheet.get_by_role("combobox").nth(sheet.get_by_role("combobox").count() - 3).wait_for()
    sheet.locator("select").filter(has_text="备用纸质门票").select_option(label="备用纸质门票")
    sheet.get_by_label("数量").fill("500")
    in_sheet(visitor.page, "申领")
    logistics.go("#/supplies")
    logistics.page.locator("main a[href*='/requests/']").first.click()
    logistics.page.get_by_role("button", name="批准", exact=True).click()
    in_sheet(logistics.page, "批准")
    logistics.page.get_by_role("button", name="发出", exact=True).first.click()
    logistics.page.get_by_label("起号").fill("100001")
    logistics.page.get_by_label("止号").fill("100500")
    in_sheet(logistics.page, "发出")
    visitor.page.locator("main a[href*='/requests/']").first.click()
    visitor.page.get_by_role("button", name="签收", exact=True).first.click()
    in_sheet(visitor.page, "签收")
    expect(visitor.page.get_by_text("已签收").first).to_be_visible(timeout=SLOW)

    # The network returns: everything arrives once.
    security.offline(False)
    second.offline(False)
    commander.go("#/board")
    expect(commander.page.get_by_text("西检票口排队约两百人").first).to_be_visible(timeout=SLOW)
    desk = Phone(house, "deputy")
    photo = wait_for(
        desk,
        lambda: next(
            (one for report in desk.all("report") for one in report["photos"] if one["state"] == "delivered"), None
        ),
    )
    assert photo["width"] == 1600
    desk.pull()
    crowd = [report for report in desk.all("report") if report["type"] == "crowd"]
    assert len(crowd) == 1
    assert crowd[0]["position"]["lat"] == pytest.approx(30.2741)
    assert crowd[0]["occurred_at"] < crowd[0]["received_at"]
    ours = {item["id"] for item in desk.all("item") if item["checklist"] in lists_of(desk, "维护秩序")}
    assert wait_for(desk, lambda: both(mark["by"] for mark in desk.all("mark") if mark["item"] in ours))

    # IT restores, the commander ends, the gates get the switch-back order, the review draft stands.
    commander.go("#/incidents")
    commander.page.locator("main a[href*='/incidents/']").first.click()
    commander.page.get_by_role("button", name="确认恢复").first.click()
    in_sheet(commander.page, "确认")
    gates = someone("inspection-1")
    expect(gates.page.locator("article.alert", has_text="恢复电子验票")).to_be_visible(timeout=SLOW)
    commander.page.get_by_role("button", name="结束应急").first.click()
    commander.page.get_by_role("dialog").get_by_label("原因").fill("系统恢复，秩序正常，纸质门票已核销")
    in_sheet(commander.page, "确认")
    expect(commander.page.get_by_text("总结报告").first).to_be_visible(timeout=SLOW)
