"""An organisation that begins with one administrator and nothing else: what is missing is said until a plan can reach people."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from server.db import new_id
from tests.browser.conftest import SLOW, Someone
from tests.house import House, Phone

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
PASSWORD = "Qingshan-2026-kai"
PLAN = "车站售票系统故障应急演练预案"
MISSING = ["信息技术部", "运营部", "客服部", "安保部", "后勤部"]


class NewHouse(House):
    """Without the demo organisation: its operator has made the first administrator, as the guide says."""

    def _seed(self, database_url: str) -> dict[str, Any]:
        self.command("migrate")
        self.command("create-admin", "boss", "--name", "林国强", "--organisation", "青山景区", "--password", PASSWORD)
        return {"url": self.url, "sign_ins": [{"username": "boss", "password": PASSWORD}]}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    opened = NewHouse(tmp_path_factory.mktemp("house"))
    opened.start()
    yield opened
    opened.stop()
    assert opened.complaints() == []


def test_a_new_organisation_is_led_to_a_plan_that_reaches_people(house: House, someone: Callable[..., Someone]) -> None:
    admin = someone("boss")
    page = admin.page
    steps = page.get_by_role("region", name="开始设置")
    expect(steps.get_by_role("listitem")).to_have_count(6, timeout=SLOW)
    expect(steps.get_by_role("img", name="已完成")).to_have_count(0)

    # The plan says which teams it asks for and this organisation has not.
    steps.get_by_role("link", name="从预案库采用预案").click()
    page.get_by_role("link", name=PLAN).click()
    expect(page.get_by_role("heading", name="本单位缺少预案中的 5 个组")).to_be_visible(timeout=SLOW)
    page.get_by_role("button", name="采用为草稿").click()
    page.wait_for_url("**/versions")

    # One tap each, with the plan's own name and kind.
    admin.go("#/now")
    expect(steps.get_by_role("img", name="已完成")).to_have_count(1, timeout=SLOW)
    steps.get_by_role("link", name="建立预案中的各组").click()
    named = page.get_by_role("region", name="预案中有、本单位还没有的组")
    for team in MISSING:
        named.get_by_role("button", name=f"添加{team}").click()
        sheet = page.get_by_role("dialog")
        expect(sheet.get_by_label("中文名称")).to_have_value(team)
        sheet.get_by_role("button", name="保存").click()
        expect(page.get_by_role("button", name=f"修改资料 {team}")).to_be_visible(timeout=SLOW)
    expect(named).to_have_count(0)

    # Somebody in every team, and another one who approves.
    book, chief = Phone(house, "boss"), new_id()
    record = {"username": "chief", "name": "周敏", "role": "commander", "password": PASSWORD}
    assert book.put(f"/people/{chief}", record)[0] == 204
    admin.go("#/now")
    expect(steps.get_by_role("img", name="已完成")).to_have_count(2, timeout=SLOW)
    book.pull()
    for group in book.all("team"):
        post = {"person": chief, "team": group["id"], "role": "leader"}
        assert book.put(f"/memberships/{new_id()}", post)[0] == 204
    expect(steps.get_by_role("img", name="已完成")).to_have_count(3, timeout=SLOW)
    commander = someone("chief")
    commander.go("#/plans/station-ticketing-fault/versions")
    commander.page.get_by_role("button", name="批准启用").click()
    commander.page.get_by_role("button", name="批准启用").click()
    expect(commander.page.get_by_text("使用中").first).to_be_visible(timeout=SLOW)
    commander.go("#/plans/station-ticketing-fault")
    expect(commander.page.get_by_role("heading", name="适用范围")).to_be_visible()
    expect(commander.page.get_by_role("heading", name="本单位缺少")).to_have_count(0)
    expect(steps).to_have_count(0, timeout=SLOW)
