"""Web and worker killed under an open page: it says so, work goes on, and after the restart everything has arrived once."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import SLOW, Someone
from tests.browser.scene import activated
from tests.house import House, Phone

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


def test_the_worker_dies_and_a_limit_still_passes_once(house: House, someone: Callable[..., Someone]) -> None:
    house.kill("worker")
    visitor = Phone(house, "visitors-2")
    body = {"plan": "scenic-ticketing-failure", "title": "二号窗口不能出票"}
    assert visitor.put("/incidents/", body)[0] == 201
    commander = someone("deputy", desk=True)
    commander.go("#/now")
    house.move(15 * 60)
    commander.page.wait_for_timeout(1500)
    passed = commander.page.get_by_role("dialog", name="紧急告警").filter(has_text="15 分钟内未恢复")
    expect(passed).to_be_hidden()

    house.start("worker")
    expect(passed).to_be_visible(timeout=SLOW)
    house.kill("worker")
    house.start("worker")
    passed.locator("[data-answer=received]").click()
    expect(passed).to_be_hidden(timeout=SLOW)
    commander.page.wait_for_timeout(2500)
    cards = commander.page.locator("article.alert").filter(has_text="15 分钟内未恢复")
    expect(cards).to_have_count(1)


def test_the_web_process_dies_under_an_open_page(house: House, someone: Callable[..., Someone]) -> None:
    scene = activated(house)
    security, commander = someone("security-1"), someone("commander", desk=True)
    commander.go(f"#/board/{scene.incident}")
    page = security.page
    alert = page.locator("article.alert", has_text="维护秩序")
    expect(alert).to_be_visible(timeout=SLOW)

    house.kill("web")
    alert.locator("[data-answer=received]").click()
    expect(page.locator("p.given").first).to_contain_text("已存本机")
    expect(page.get_by_role("status").filter(has_text="指挥端无响应")).to_be_visible(timeout=SLOW)
    page.locator("main a[href*='/checklists/']").first.click()
    boxes = page.locator("main ol [role=checkbox]")
    boxes.first.wait_for()
    ticked = list(boxes.evaluate_all("all => all.slice(0, 3).map((one) => one.ariaLabel)"))
    for title in ticked:
        box = page.get_by_role("checkbox", name=title, exact=True)
        box.click()
        expect(box).to_have_attribute("aria-checked", "true")
    assert ticked
    assert security.waiting() > len(ticked)

    house.start("web")
    expect(page.get_by_text("指挥端已收到").first).to_be_visible(timeout=2 * SLOW)
    scene.wait_for("mark", len(ticked))
    assert len(scene.facts("mark")) == len(ticked), "once each"
    expect(page.get_by_role("status").filter(has_text="指挥端无响应")).to_be_hidden(timeout=SLOW)
    assert security.waiting() == 0

    # The stream came back by itself: what happens now stands on both screens without a touch.
    assert Phone(house, "it-lead").put("/reports/", {"incident": scene.incident, "chain": "first", "type": "status",
                                                     "text": "备用线路已接通"})[0] == 201  # fmt: skip
    expect(commander.page.get_by_text("备用线路已接通").first).to_be_visible(timeout=2 * SLOW)

    # It hangs: connections stand and nothing is answered. What is done stands on the screen at once, the silence is told
    # long before anything times out, and nobody is told that something is being sent.
    with house.paused("web"):
        count = page.locator("main ol > li", has_text="到岗人数")
        count.get_by_label("数值").fill("12")
        count.get_by_role("button", name="保存").click()
        expect(count).to_contain_text("已存本机", timeout=1000)
        silent = page.get_by_role("status").filter(has_text="指挥端无响应")
        expect(silent).to_contain_text("待发送 1 项", timeout=8000)
        silent.get_by_role("link").click()
        expect(page.get_by_text("指挥端没有回应，每隔几秒自动再试")).to_be_visible()
        expect(page.get_by_role("listitem").filter(has_text="到岗人数")).to_contain_text("12")
        expect(page.get_by_text("正在发送")).to_be_hidden()
    expect(page.get_by_text("没有待发送的内容")).to_be_visible(timeout=8000)
    expect(silent).to_be_hidden()
    scene.wait_for("mark", len(ticked) + 1)

    # A screen that asks the server directly says so too, and shows the answer when it comes, without a touch.
    with house.paused("web"):
        commander.go("#/library")
        unanswered = commander.page.get_by_role("status").filter(has_text="指挥端没有回应，一有回应就会显示。")
        expect(unanswered).to_be_visible(timeout=8000)
        expect(unanswered.get_by_role("button", name="重试")).to_be_visible()
    expect(commander.page.locator("a[href*='#/library/']").first).to_be_visible(timeout=8000)
    expect(unanswered).to_be_hidden()
