"""Coming onto a fresh phone by a one-time link, and leaving it with work unsent: nothing private stays behind."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import SLOW, Someone
from tests.browser.scene import activated, until
from tests.house import House, Phone

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
Arrive = Callable[..., Someone]

LEFT = """async () => ({
  databases: (await indexedDB.databases()).map((one) => one.name).sort(),
  caches: (await caches.keys()).filter((name) => !name.startsWith('tocsin-shell-')),
  kept: Object.keys(localStorage).sort(),
})"""
NOTHING_PRIVATE = {"databases": ["tocsin"], "caches": [], "kept": ["tocsin.appearance"]}


def nothing_private(page: Page) -> None:
    """Fails unless this phone soon holds nothing of a person; a store that is being deleted is still listed for a moment."""
    page.wait_for_function(
        f"async (wanted) => JSON.stringify(await ({LEFT})()) === JSON.stringify(wanted)", arg=NOTHING_PRIVATE
    )
    page.wait_for_timeout(500)
    assert page.evaluate(LEFT) == NOTHING_PRIVATE


def leave(someone: Someone) -> None:
    """Open the sheet for signing out and press its button."""
    someone.go("#/me")
    someone.page.get_by_role("button", name="退出登录").click()
    someone.page.get_by_role("dialog").get_by_role("button", name="退出登录").click()


def tick(someone: Someone, number: int) -> None:
    """Tick an item of the first checklist without a network."""
    someone.go("#/now")
    someone.page.locator("main a[href*='/checklists/']").first.click()
    box = someone.page.locator("main ol [role=checkbox]:not([disabled])").nth(number)
    box.click()
    expect(box).to_have_attribute("aria-checked", "true")


def test_a_fresh_phone_by_a_one_time_link(house: House, someone: Arrive) -> None:
    admin = Phone(house, "admin")
    admin.pull()
    person = next(row["id"] for row in admin.all("person") if row["name"] == "唐小川")
    status, card = admin.call("POST", f"/people/{person}/enrolments", {})
    assert status == 201
    fresh = someone("security-2", signed_in=False)
    page = fresh.page
    link = house.url + card["url"][card["url"].index("/#/") :]
    page.goto(link)
    page.get_by_role("button", name="登记").click()
    expect(page.get_by_role("heading", name="首次使用")).to_be_visible(timeout=SLOW)
    expect(page.get_by_text("第 1 步，共 3 步")).to_be_visible()
    page.get_by_role("button", name="下一步").click()
    expect(page.get_by_role("heading", name="允许通知", exact=True)).to_be_visible()
    page.get_by_role("button", name="下一步").click()
    expect(page.get_by_text("这部手机已就绪。")).to_be_visible()
    page.locator("main").get_by_role("link", name="当前").click()
    fresh.ready()
    fresh.go("#/me")
    expect(page.get_by_role("heading", name="唐小川")).to_be_visible()

    # The same link opens no second phone, and says so.
    second = someone("nobody", signed_in=False)
    second.page.goto(link)
    second.page.get_by_role("button", name="登记").click()
    expect(second.page.get_by_role("alert")).to_contain_text("已经用过或已过期", timeout=SLOW)
    expect(second.page.get_by_role("link", name="登录")).to_be_visible()

    # A window that may keep nothing opens all the same, and says so in plain words.
    private = second.context.new_page()
    private.add_init_script("IDBFactory.prototype.open = () => { throw new DOMException('private', 'SecurityError'); }")
    private.goto(house.url)
    expect(private.get_by_role("status").filter(has_text="本机现在存不下内容：可能是无痕窗口")).to_be_visible(
        timeout=SLOW
    )
    private.get_by_label("用户名").fill("security-2")
    private.get_by_label("密码", exact=True).fill(house.password)
    private.get_by_role("button", name="登录").click()
    expect(private.get_by_text("未能登录，请稍后再试。")).to_be_visible()
    private.close()


def test_leaving_with_unsent_work_asks_what_becomes_of_it(house: House, someone: Arrive) -> None:
    scene = activated(house)
    security = someone("security-1")
    page = security.page
    expect(page.locator("main a[href*='/checklists/']").first).to_be_visible(timeout=SLOW)

    # Unsent work holds the door; discarding takes a typed word.
    security.offline()
    tick(security, 0)
    leave(security)
    sheet = page.get_by_role("dialog")
    expect(sheet.get_by_role("alert")).to_contain_text("项没有发出", timeout=SLOW)
    discard = sheet.get_by_role("button", name="退出登录")
    expect(discard).to_be_disabled()
    sheet.get_by_role("textbox").fill("丢掉")
    expect(discard).to_be_disabled()
    sheet.get_by_role("textbox").fill("丢弃")
    expect(discard).to_be_enabled()

    # With a network again: send first, then leave; the phone keeps nothing private.
    security.offline(False)
    sheet.get_by_role("button", name="先发送").click()
    expect(page.get_by_label("用户名")).to_be_visible(timeout=SLOW)
    scene.wait_for("mark", by=scene.person("罗大勇"))
    nothing_private(page)

    # Exported without a network: the file has everything, the phone nothing, and the server hears of the leaving later.
    security.fill_in()
    expect(page.locator("main a[href*='/checklists/']").first).to_be_visible(timeout=SLOW)
    security.offline()
    tick(security, 1)
    leave(security)
    with page.expect_download() as handed:
        sheet.get_by_role("button", name="导出到文件").click()
    expect(page.get_by_label("用户名")).to_be_visible(timeout=SLOW)
    exported = json.loads(Path(handed.value.path()).read_text())
    assert [one["path"].split("/")[-2] for one in exported["waiting"]] == ["marks"]
    nothing_private(page)
    security.offline(False)
    page.reload()
    expect(page.get_by_label("用户名")).to_be_visible(timeout=SLOW)
    expect(page.get_by_text("维护秩序")).to_have_count(0)
    page.wait_for_function("async () => (await fetch('/api/v1/me')).status === 401")
    assert len(scene.facts("mark")) == 1, "what was taken away as a file was not sent"

    # The same person brings it back from the file, and it arrives, once however often it is brought.
    security.fill_in()
    expect(page.get_by_role("heading", name="当前")).to_be_visible(timeout=SLOW)
    security.go("#/me/outbox")
    page.locator("main input[type=file]").set_input_files(handed.value.path())
    expect(page.get_by_text("已取回 1 项")).to_be_visible()
    assert len(scene.wait_for("mark", 2)) == 2
    until(lambda: True if security.waiting() == 0 else None)
    page.locator("main input[type=file]").set_input_files(handed.value.path())
    expect(page.get_by_text("文件中的内容本机都已有")).to_be_visible()
