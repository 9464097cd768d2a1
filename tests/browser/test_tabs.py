"""Several tabs of one browser: one stream, one sender, everything once; and all of them forget together."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from playwright.sync_api import Page, Request, Response, expect

from server.db import new_id
from tests.browser.conftest import SLOW, Someone
from tests.browser.scene import activated, until
from tests.browser.test_arriving_and_leaving import leave, nothing_private
from tests.house import House, Phone

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
Arrive = Callable[..., Someone]
Found = TypeVar("Found")
MANY = 2_000
# As the app writes it: many counts from a gate, and one answer that was tapped last.
FILL = """async (entries) => {
  const person = localStorage.getItem('tocsin.person');
  const db = await new Promise((done) => {
    const asked = indexedDB.open(`tocsin-${person}`);
    asked.onsuccess = () => done(asked.result);
  });
  await new Promise((done, failed) => {
    const tx = db.transaction(['outbox', 'meta'], 'readwrite');
    for (const one of entries) tx.objectStore('outbox').put(one);
    tx.objectStore('meta').put(entries.length + 100, 'seq');
    tx.oncomplete = done;
    tx.onerror = () => failed(tx.error);
  });
  db.close();
}"""


def counts(incident: str, place: str) -> list[dict[str, Any]]:
    """Entries of a phone's queue, each a count at this place."""
    at = "2026-01-01T00:00:00.000Z"
    return [
        {"id": id, "seq": number + 1, "priority": 1, "path": f"/api/v1/tallies/{id}",
         "body": {"incident": incident, "place": place, "kind": "in", "count": number + 1, "window_seconds": 30, "occurred_at": at},
         "effects": [], "photos": [], "made_at": at, "attempts": 0, "not_before": 0}
        for number, id in enumerate(new_id() for _ in range(MANY))
    ]  # fmt: skip


def another_tab(me: Someone) -> Page:
    """One more tab of the same browser, on the first screen."""
    page = me.context.new_page()
    page.goto(me.house.url)
    expect(page.get_by_role("heading", name="当前")).to_be_visible(timeout=SLOW)
    return page


def whole_queue(tab: Page) -> None:
    """A tab started anew without a network shows the whole queue, from the answer to the last count, and gives it as a file."""
    tab.goto(f"{tab.url.split('#')[0]}#/me/outbox")
    tab.reload()
    first = tab.locator("main ol > li[aria-posinset='1']")
    expect(first).to_contain_text("回执")
    waiting = int(first.get_attribute("aria-setsize") or 0)
    assert waiting > MANY
    last = tab.locator(f"main ol > li[aria-posinset='{waiting}']")
    for _ in range(10):
        tab.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        tab.wait_for_timeout(50)
    expect(last).to_contain_text(str(MANY))
    assert tab.locator("main ol > li").count() < 100, "only what is near the screen is on the page"
    with tab.expect_download() as handed:
        tab.get_by_role("button", name="导出到文件").click()
    taken = json.loads(Path(handed.value.path()).read_text())["waiting"]
    assert sorted(one["body"]["count"] for one in taken if "count" in one["body"]) == list(range(1, MANY + 1))
    tab.evaluate("location.hash = '#/now'")


def test_many_tabs_hold_one_stream_and_send_a_long_queue_once_answers_first(house: House, someone: Arrive) -> None:
    scene = activated(house)
    me = someone("security-1", signed_in=False)
    page = me.page
    streams: list[Request] = []
    sent: list[dict[str, Any]] = []

    def hear(request: Request) -> None:
        if "/api/v1/stream" in request.url:
            streams.append(request)

    def sees(response: Response) -> None:
        if response.url.endswith("/api/v1/batch"):
            sent.extend(json.loads(response.request.post_data or "{}").get("items", []))

    me.context.on("request", hear)
    me.context.on("response", sees)
    me.sign_in()
    card = page.locator("article.alert", has_text="维护秩序")
    expect(card).to_be_visible(timeout=SLOW)
    until(lambda: heard(page, streams) or None)
    tabs = [page, another_tab(me), another_tab(me)]
    place = next(row["id"] for row in scene.commander.all("place") if row["code"] == "west-gate")

    # 2,000 counts and an answer wait when the network is back: the answer goes first, and the screen works on. It is tapped
    # before the counts are put beside it, for a batch that was put together without it may be under way at any moment.
    me.offline()
    expect(page.get_by_role("status").filter(has_text="离线")).to_be_visible(timeout=SLOW)
    card.locator("[data-answer=received]").click()
    expect(page.locator("p.given").first).to_contain_text("已存本机")
    page.evaluate(FILL, counts(scene.incident, place))
    whole_queue(tabs[2])
    sent.clear()
    me.offline(False)
    until(lambda: heard(page, sent) or None)
    assert "/answers/" in sent[0]["path"] or "/receipts/" in sent[0]["path"]
    page.locator("main a[href*='/checklists/']").first.click()
    box = page.locator("main ol [role=checkbox]").first
    box.click()
    expect(box).to_have_attribute("aria-checked", "true")

    until(lambda: True if me.waiting() == 0 else None, 6 * SLOW / 1000)
    ids = [one["id"] for one in sent]
    assert len(ids) == len(set(ids)), "no tab sent what another had sent"
    first_count = next(number for number, one in enumerate(sent) if "/tallies/" in one["path"])
    assert any("/answers/" in one["path"] for one in sent[:first_count])
    assert {one.frame.page for one in streams} == {page}, "the first tab's stream serves all"
    scene.commander.pull()
    found = [row["count"] for row in scene.commander.all("tally") if row["place"] == place]
    assert sorted(found) == list(range(1, MANY + 1))
    assert me.stored("tray") == []

    # The tab with the stream is closed: another takes it over, and hears what happens.
    streams.clear()
    page.close()
    me.page = tabs[1]
    until(lambda: heard(tabs[1], streams) or None)
    assert Phone(house, "commander").put(
        "/orders/", {"incident": scene.incident, "team": team(scene.commander, "security"), "title": "请到东检票口引导"}
    )[0] == 201  # fmt: skip
    for tab in tabs[1:]:
        expect(tab.locator("article.alert", has_text="请到东检票口引导").first).to_be_visible(timeout=SLOW)
    assert len({one.frame.page for one in streams}) == 1


def test_who_leaves_in_one_tab_has_left_in_all_and_nothing_comes_back(house: House, someone: Arrive) -> None:
    activated(house, "闸机不识别门票")
    me = someone("security-2")
    page = me.page
    expect(page.locator("article.alert", has_text="维护秩序").first).to_be_visible(timeout=SLOW)
    other = another_tab(me)
    page.goto("about:blank")
    page.go_back()
    expect(page.get_by_role("heading", name="当前")).to_be_visible(timeout=SLOW)
    page.goto("about:blank")
    me.page = other
    leave(me)
    expect(other.get_by_label("用户名")).to_be_visible(timeout=SLOW)
    other.go_back()
    expect(other.get_by_label("用户名")).to_be_visible()
    page.go_back()
    expect(page.get_by_label("用户名")).to_be_visible(timeout=SLOW)
    for tab in (page, other):
        assert "维护秩序" not in tab.content()
    nothing_private(other)


def test_a_revoked_phone_is_wiped_in_every_tab_at_its_next_contact(house: House, someone: Arrive) -> None:
    activated(house, "自助机不能取票")
    me = someone("security-3")
    page = me.page
    expect(page.locator("article.alert", has_text="维护秩序").first).to_be_visible(timeout=SLOW)
    other = another_tab(me)
    device = page.evaluate("fetch('/api/v1/me').then((answer) => answer.json()).then((me) => me.device.id)")
    me.offline()
    me.go("#/now")
    page.locator("main a[href*='/checklists/']", has_text="自助机不能取票").click()
    box = page.locator("main ol [role=checkbox]:not([disabled])").first
    box.click()
    expect(box).to_have_attribute("aria-checked", "true")
    assert Phone(house, "admin").call("DELETE", f"/devices/{device}")[0] in {200, 204}
    me.offline(False)
    for tab in (page, other):
        expect(tab.get_by_label("用户名")).to_be_visible(timeout=SLOW)
        assert "维护秩序" not in tab.content()
    nothing_private(page)


def heard(page: Page, found: list[Found]) -> list[Found]:
    """What was heard so far; events of the browser come only while something of it is awaited."""
    page.evaluate("1")
    return found


def team(phone: Phone, kind: str) -> str:
    """A team's id by its kind."""
    return next(str(row["id"]) for row in phone.all("team") if row["kind"] == kind)
