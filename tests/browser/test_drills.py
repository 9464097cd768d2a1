"""A drill on the screens: planned from the calendar, started fast, led, stopped and scored; and a leader's buttons for the own team."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from docx import Document
from playwright.sync_api import expect

from tests.browser.conftest import PHONE, PICTURES, SLOW, Someone
from tests.browser.scene import activated
from tests.house import House, Phone

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
LOOKS = PICTURES.parent / "looks"


def picture(person: Someone, name: str) -> None:
    person.page.screenshot(path=LOOKS / f"{name}.png", full_page=True)


def test_a_drill_is_planned_led_and_scored(someone: Callable[..., Someone], house: House) -> None:
    leader, guard, clerk = someone("commander", desk=True), someone("security-1"), someone("finance-1")
    page = leader.page

    # The calendar says what is due by plan and law, and plans a drill of it.
    leader.go("#/drills")
    law = page.locator("li", has_text="法规要求")
    expect(law.first).to_contain_text("708 §8", timeout=SLOW)
    picture(leader, "drills-desk")
    page.get_by_role("link", name="安排演练").first.click()
    page.get_by_label("预案", exact=True).select_option("scenic-ticketing-failure")
    page.get_by_label("演练名称").fill("闸机断网突击演练")
    page.get_by_text("不通知", exact=True).click()
    page.get_by_text("只限选定的组").click()
    for team in ("信息技术组", "安全保卫组", "应急领导小组"):
        page.get_by_label(team, exact=True).check()
    page.get_by_text("60 倍", exact=True).click()
    expect(page.get_by_text("演练中为 15 秒")).to_be_visible()
    page.get_by_label("情景", exact=True).fill("两座售票厅同时断网")
    page.get_by_label("风险检查").fill("低客流时段，随时可以中止")
    page.get_by_role("combobox", name="情况").select_option(label="原因查明")
    page.get_by_label("发生时间").fill("600")
    page.get_by_role("button", name="加入脚本").click()
    picture(leader, "drill-form-desk")
    page.get_by_role("button", name="保存并准备开始").click()

    # Nobody who is tested knows before it starts.
    guard.go("#/drills")
    expect(guard.page.get_by_text("没有已安排的演练。").first).to_be_visible(timeout=SLOW)
    page.get_by_role("dialog").get_by_role("button", name="开始演练").click()
    expect(page.get_by_role("timer").first).to_be_visible(timeout=SLOW)
    expect(page.get_by_text("演练：以下内容均为演练，请勿对外发布")).to_be_visible()

    # The scenario goes on by the plan's clock and by whoever leads it.
    page.get_by_role("button", name="注入情景").click()
    page.get_by_role("dialog").get_by_role("combobox", name="情况").select_option(label="有人受伤")
    page.get_by_role("dialog").get_by_label("备注").fill("一名游客扭伤")
    page.get_by_role("dialog").get_by_role("button", name="现在注入").click()
    expect(page.locator("li.applied", has_text="有人受伤")).to_contain_text("已注入", timeout=SLOW)
    expect(page.get_by_text(re.compile("到时|已到|已过|补触发")).first).to_be_visible(timeout=SLOW)
    page.get_by_text("1 倍", exact=True).click()
    picture(leader, "drill-running-desk")
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    picture(leader, "drill-running-phone")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.locator("li.waiting", has_text="原因查明").get_by_role("button", name="现在注入").click()
    expect(page.locator("li.applied", has_text="原因查明")).to_be_visible(timeout=SLOW)
    page.get_by_role("link", name="打开演练事件").click()
    expect(page.get_by_text("演练：以下内容均为演练，请勿对外发布")).to_be_visible(timeout=SLOW)
    incident = page.url.split("/incidents/")[1].split("/")[0]
    page.go_back()

    # Those who take part are told that it is a drill, on every screen it leads to; the others hear nothing.
    assert Phone(house, "commander").put(f"/incidents/{incident}/decisions/", {"kind": "activate"})[0] == 201
    guard.go("#/now")
    card = guard.page.locator("article", has=guard.page.locator("[data-answer=received]")).first
    expect(card).to_contain_text("演练", timeout=SLOW)
    picture(guard, "drill-alert-phone")
    card.locator("[data-answer=received]").click()
    expect(page.get_by_text(re.compile(r"人中 [1-9]\d* 人已回执"))).to_be_visible(timeout=SLOW)
    strip = guard.page.get_by_text("演练：以下内容均为演练，请勿对外发布")
    for screen in (f"/incidents/{incident}", f"/incidents/{incident}/timeline", f"/report?incident={incident}"):
        guard.go(f"#{screen}")
        expect(strip).to_be_visible(timeout=SLOW)
    alerts = [row["doc"] for row in guard.stored("rows") if row["type"] == "alert"]
    assert alerts
    assert all(one["drill"] for one in alerts)
    clerk.go("#/incidents")
    expect(clerk.page.get_by_role("heading", name="事件")).to_be_visible(timeout=SLOW)
    expect(clerk.page.get_by_text("闸机断网突击演练")).to_have_count(0)

    # Stopped, it asks for what was seen; the score is of the plan's own limits.
    page.get_by_role("button", name="结束演练").click()
    page.get_by_role("dialog").get_by_role("button", name="结束演练").click()
    page.get_by_label("观察到的情况").fill("报告及时")
    page.get_by_label("薄弱环节").fill("备用闸机无人会用")
    page.get_by_role("button", name="完成总结并评分").click()
    expect(page.get_by_role("heading", name="评分")).to_be_visible(timeout=SLOW)
    expect(page.get_by_text("备用闸机无人会用")).to_be_visible()
    picture(leader, "drill-score-desk")
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    picture(leader, "drill-score-phone")


def test_a_leader_orders_and_answers_for_the_own_team_and_takes_files(
    someone: Callable[..., Someone], house: House, tmp_path: Path
) -> None:
    scene = activated(house)
    leader = someone("security-lead")
    page = leader.page
    leader.go(f"#/incidents/{scene.incident}")
    page.get_by_role("button", name="下达指令").click()
    sheet = page.get_by_role("dialog")
    expect(sheet.get_by_role("radio")).to_have_count(1)  # the own team alone
    sheet.get_by_label("指令", exact=True).fill("东门增援")
    sheet.get_by_role("textbox", name="要求").fill("请两人到东检票口")
    sheet.get_by_label(re.compile("完成时限")).fill("10")
    picture(leader, "leader-order-phone")
    sheet.get_by_role("button", name="下达").click()
    order = scene.wait_for("order", 1, kind="manual")[0]
    assert order["due_at"] is not None

    leader.go(f"#/alerts/{order['alert']}")
    page.get_by_role("button", name=re.compile("罗大勇")).last.click()
    page.get_by_role("dialog").get_by_text("出发", exact=True).click()
    picture(leader, "leader-answer-for-phone")
    page.get_by_role("dialog").get_by_role("button", name="保存").click()
    person = scene.person("罗大勇")
    found = scene.wait_for("recipient", 1, person=person, alert=order["alert"], answer="on_my_way")
    assert found[0]["answered_by"] == scene.person("高建峰")

    leader.go(f"#/orders/{order['id']}")
    with page.expect_download() as got:
        page.get_by_role("link", name="导出 CAP 告警").click()
    got.value.save_as(tmp_path / "alert.xml")
    assert "<status>Actual</status>" in (tmp_path / "alert.xml").read_text(encoding="utf-8")

    assert scene.commander.put(f"/incidents/{scene.incident}/decisions/", {"kind": "end", "reason": "误报"})[0] == 201
    leader.go(f"#/reviews/{scene.incident}")
    with page.expect_download() as got:
        page.get_by_role("link", name="导出 Word 文档").click()
    got.value.save_as(tmp_path / "review.docx")
    assert any("总结报告" in one.text for one in Document(str(tmp_path / "review.docx")).paragraphs)
    picture(leader, "review-leader-phone")
