"""What stands between phone and server hangs, cuts answers off, drips or answers in its place: nothing is lost, doubled or called received."""

import copy
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.between import CUT, DRIP, PASS, PORTAL, SWALLOW, Between
from tests.browser.conftest import SLOW, Someone
from tests.browser.scene import activated, until
from tests.browser.test_offline_job import picture
from tests.browser.test_refused import approved_request, dispatch
from tests.browser.test_tabs import another_tab
from tests.house import House

pytestmark = [pytest.mark.browser, pytest.mark.long, pytest.mark.timeout(400)]
WAYS = (SWALLOW, CUT, PORTAL, DRIP)
TOLD = 26_000
"""Milliseconds until a person must have been told that nothing comes through; an answer that stalls takes its time-out."""


@pytest.fixture
def between(house: House) -> Iterator[Between]:
    opened = Between(house.port)
    yield opened
    opened.close()


def report(page: Page, incident: str, text: str) -> None:
    """File a report with a photo."""
    page.evaluate("hash => { location.hash = hash }", f"#/report?incident={incident}")
    page.locator("fieldset label", has_text="人流拥挤").click()
    page.get_by_label("说明").fill(text)
    page.locator("input[type=file]").last.set_input_files(picture("gate.jpg"))
    expect(page.locator("li.shot img")).to_have_count(1)
    page.get_by_role("button", name="上报", exact=True).last.click()
    expect(page.get_by_role("heading", name="上报", exact=True)).to_be_hidden(timeout=4000)


def test_whatever_stands_between_reports_and_supplies_of_two_tabs_arrive_once(
    house: House, between: Between, someone: Callable[..., Someone]
) -> None:
    scene = activated(house)
    requests = {way: approved_request(house, scene.incident, 10) for way in WAYS}
    me = someone("logistics-1", signed_in=False)
    me.house = copy.copy(house)
    me.house.url = between.url
    me.sign_in()
    first, second = me.page, another_tab(me)
    until(lambda: True if me.waiting() == 0 else None)

    for number, way in enumerate(WAYS):
        me.page = second
        me.go(f"#/requests/{requests[way]}")
        expect(second.get_by_role("button", name="发出", exact=True).first).to_be_visible(timeout=SLOW)
        between.become(way)
        me.page = first
        report(first, scene.incident, f"经过 {way}")
        me.page = second
        dispatch(me, requests[way], str(100_001 + 10 * number), str(100_010 + 10 * number))

        # Told, and not called received: both stand among what waits, in both tabs.
        for tab in (first, second):
            line = tab.get_by_role("status").filter(has_text="待发送 2 项")
            expect(line).to_contain_text("指挥端无响应", timeout=TOLD)
            tab.evaluate("location.hash = '#/me/outbox'")
            expect(tab.locator("main ol > li")).to_have_count(2)
            expect(tab.get_by_text("正在发送")).to_be_hidden()
            expect(tab.get_by_text("没有待发送的内容")).to_have_count(0)
        assert between.swallowed > 0, way
        assert me.stored("tray") == []

        between.become(PASS)
        until(lambda: True if me.waiting() == 0 else None)
        until(lambda: True if all(one["state"] == "delivered" for one in me.stored("blobs")) else None)
        for tab in (first, second):
            expect(tab.get_by_text("没有待发送的内容")).to_be_visible(timeout=SLOW)
            expect(tab.get_by_role("status").filter(has_text="指挥端无响应")).to_be_hidden(timeout=SLOW)
        (sent,) = scene.wait_for("report", text=f"经过 {way}")
        assert [one["state"] for one in sent["photos"]] == ["delivered"]
        (moved,) = scene.wait_for("movement", request=requests[way], kind="dispatched")
        assert moved["accepted"] is True
    assert len(scene.facts("report")) == len(WAYS)
    assert me.stored("tray") == []
