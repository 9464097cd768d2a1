"""A plan's way from its text to use: edited with a fault shown and mended, saved, approved by a second person, rehearsed."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import SLOW, Someone

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
KEY = "scenic-ticketing-failure"


def test_a_plan_is_mended_approved_and_rehearsed(someone: Callable[..., Someone]) -> None:
    author, second = someone("commander", desk=True), someone("deputy")

    # A team that the plan does not have is found while typing, and a tap goes to its line.
    page = author.page
    author.go(f"#/editor/{KEY}")
    text = page.get_by_label("预案文本")
    expect(text).to_be_visible(timeout=SLOW)
    good = text.input_value()
    assert "decides: leadership" in good
    line = good[: good.index("decides: leadership")].count("\n") + 1
    text.fill(good.replace("decides: leadership", "decides: leadershp", 1))
    finding = page.locator(".right ol button", has_text="错误").first
    expect(finding).to_contain_text(f"第 {line} 行", timeout=SLOW)
    expect(page.get_by_role("button", name="保存为草稿")).to_be_disabled()
    finding.click()
    caret = text.evaluate("one => one.value.slice(0, one.selectionStart).split('\\n').length")
    assert caret == line

    # What was typed outlives the page; mended, it is saved under the next free version.
    expect(page.get_by_text("修改已保存在本机")).to_be_visible()
    page.reload()
    expect(text).to_have_value(good.replace("decides: leadership", "decides: leadershp", 1), timeout=SLOW)
    changed = good.replace("只有领导小组可以决定启动预案。", "启动预案只由领导小组决定。")
    assert changed != good
    text.fill(changed)
    expect(page.get_by_text("没有发现问题")).to_be_visible(timeout=SLOW)
    page.get_by_role("button", name="保存为草稿").click()
    expect(page.get_by_text("已保存为第 3 版草稿").first).to_be_visible(timeout=SLOW)

    # The author sees the difference and may not approve it; a second person does.
    author.go(f"#/plans/{KEY}/versions")
    expect(page.get_by_text("由你编写，须由另一位领导小组成员批准。")).to_be_visible(timeout=SLOW)
    expect(page.locator(".line.removed", has_text="只有领导小组可以决定启动预案。")).to_be_visible(timeout=SLOW)
    expect(page.locator(".line.added", has_text="启动预案只由领导小组决定。")).to_be_visible()
    expect(page.get_by_role("button", name="批准启用")).to_have_count(0)
    second.go(f"#/plans/{KEY}/versions")
    second.page.get_by_role("button", name="批准启用").click()
    second.page.get_by_role("button", name="批准启用").click()
    expect(second.page.locator("li.card", has_text="第 3 版").get_by_text("使用中")).to_be_visible(timeout=SLOW)

    # It is in use on every phone; who has read it is known to those who write plans.
    second.go(f"#/plans/{KEY}")
    expect(second.page.get_by_text("启动预案只由领导小组决定。").first).to_be_visible(timeout=SLOW)
    second.page.get_by_role("button", name="我已阅读本版").click()
    expect(second.page.get_by_text(re.compile(r"\d\d:\d\d 已阅读"))).to_be_visible(timeout=SLOW)
    expect(page.get_by_text("1 人已阅")).to_be_visible(timeout=SLOW)

    # Rehearsed, its limit passes at fifteen minutes; a moment earlier it still runs.
    author.go(f"#/simulator/{KEY}")
    passed = page.locator("li.card", has=page.get_by_role("heading", name="15:00", exact=True))
    expect(passed.locator(".limit_passed").first).to_contain_text("15 分钟内恢复", timeout=SLOW)
    page.get_by_label("时间", exact=True).fill("0")
    expect(page.locator("output")).to_have_text("0:00")
    expect(passed).to_have_count(0)
    expect(page.locator(".card.now")).to_contain_text("剩余 15:00")
