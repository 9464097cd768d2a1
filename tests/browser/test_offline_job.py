"""A responder's whole job without a network, on a phone that is killed in between: every kind of item, report, count, request, incident."""

import base64
import contextlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Error, FilePayload, Locator, Page, expect

from tests.browser.conftest import HERE, SLOW, Installed, Someone
from tests.browser.scene import activated, until
from tests.house import House, Phone

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
PLAN = Path(__file__).parent / "every-item.yaml"
GPS, MAKER = 0x8825, 0x010F
# A phone that has room for words and for no picture.
FULL = """(full) => {
  window.whenEmpty ??= IDBObjectStore.prototype.put;
  IDBObjectStore.prototype.put = full
    ? function (...words) {
        if (this.name === 'blobs') throw new DOMException('no room', 'QuotaExceededError');
        return window.whenEmpty.apply(this, words);
      }
    : window.whenEmpty;
}"""


def picture(name: str, *, megapixels: int = 2) -> FilePayload:
    """A photo as a camera gives it: large, and with place and maker written into it."""
    found = io.BytesIO()
    size = {2: (1800, 1350), 48: (8000, 6000)}[megapixels]
    image = Image.effect_noise((1800, 1350), 40).resize(size, Image.Resampling.NEAREST).convert("RGB")
    written = Image.Exif()
    written[MAKER] = "Camera of 罗大勇"
    written[GPS] = {1: "N", 2: (30.0, 16.0, 27.0), 3: "E", 4: (120.0, 3.0, 18.0)}
    image.save(found, "JPEG", quality=80, exif=written)
    return {"name": name, "mimeType": "image/jpeg", "buffer": found.getvalue()}


def item(page: Page, title: str) -> Locator:
    """The card of a checklist item."""
    return page.locator("main ol > li", has_text=title)


def to_checklist(page: Page) -> None:
    """Open the checklist of the order from the first screen."""
    page.evaluate("location.hash = '#/now'")
    page.locator("main a[href*='/checklists/']").first.click()
    expect(item(page, "东门已打开")).to_be_visible()


def mark_every_kind(page: Page) -> None:
    """Mark one item of each kind, and one as not applicable."""
    box = item(page, "东门已打开").get_by_role("checkbox")
    box.click()
    expect(box).to_have_attribute("aria-checked", "true")

    number = item(page, "排队人数")
    number.get_by_role("textbox").fill("900")
    expect(number).to_contain_text("应为 0～500")
    expect(number.get_by_role("button", name="保存")).to_be_disabled()
    number.get_by_role("textbox").fill("２００")
    number.get_by_role("button", name="保存").click()
    expect(number.locator(".value")).to_contain_text("200")

    words = item(page, "现场情况")
    words.get_by_role("textbox").fill("西侧通道拥堵")
    words.get_by_role("button", name="保存").click()
    expect(words.locator(".value")).to_have_text("西侧通道拥堵")
    item(page, "拥堵原因").get_by_role("button", name="下雨").click()
    expect(item(page, "拥堵原因").locator(".value")).to_have_text("下雨")
    item(page, "排队处照片").locator("input[type=file]").last.set_input_files(picture("queue.jpg"))
    expect(item(page, "排队处照片").locator("img")).to_be_visible()

    item(page, "带班人签字").get_by_role("button", name="签名").click()
    sheet = page.get_by_role("dialog", name="签名")
    sheet.get_by_label("姓名").fill("罗大勇")
    sheet.get_by_role("button", name="签名").click()
    expect(item(page, "带班人签字").locator(".value")).to_have_text("罗大勇")
    item(page, "电梯已停用").get_by_role("button", name="不适用").click()
    sheet = page.get_by_role("dialog", name="不适用")
    sheet.get_by_label("为什么不适用").fill("本楼没有电梯")
    sheet.get_by_role("button", name="保存").click()
    expect(item(page, "电梯已停用")).to_contain_text("本楼没有电梯")


def begin_report(me: Someone, incident: str) -> None:
    """Fill in a report with two photos and the position, without sending it."""
    page = me.page
    me.go(f"#/report?incident={incident}")
    page.locator("fieldset label", has_text="人流拥挤").click()
    page.get_by_label("说明").fill("西检票口排队约两百人")
    pick = page.locator("input[type=file]").last
    pick.set_input_files(picture("gate.jpg"))
    expect(page.locator("li.shot img")).to_have_count(1)
    # What the browser cannot read is told; the words and the other picture stay, and the best of cameras is not too much.
    pick.set_input_files(
        {"name": "IMG_2041.HEIC", "mimeType": "image/heic", "buffer": b"\0\0\0\x18ftypheic" + bytes(900)}
    )
    expect(page.get_by_role("alert").filter(has_text="可能是 HEIC 格式")).to_be_visible()
    # Nor does a phone without room lose anything but the picture.
    page.evaluate(FULL, True)
    pick.set_input_files(picture("hall.jpg"))
    expect(page.get_by_role("alert").filter(has_text="本机存储已满，照片未能保存")).to_be_visible()
    page.evaluate(FULL, False)
    expect(page.get_by_label("说明")).to_have_value("西检票口排队约两百人")
    pick.set_input_files(picture("hall.jpg", megapixels=48))
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator("li.shot img")).to_have_count(2)
    page.get_by_role("button", name="定位").click()
    expect(page.get_by_text("已定位")).to_be_visible()


def photo(me: Someone, id: str) -> bytes:
    """A picture as the server gives it."""
    encoded = me.page.evaluate(
        """async (id) => {
          const bytes = new Uint8Array(await (await fetch(`/api/v1/photos/${id}`)).arrayBuffer());
          return btoa(Array.from(bytes, (one) => String.fromCharCode(one)).join(''));
        }""",
        id,
    )
    return base64.b64decode(encoded)


def test_the_whole_job_on_a_phone_that_is_killed_and_killed_again(
    house: House, installed: Callable[[str], Installed]
) -> None:
    house.command("plan", "import", "--approve", "--because", "the demo rehearses every kind of item", str(PLAN))
    scene = activated(house, "东门排队过长", "every-item")
    phone = installed("security-1")
    phone.open().sign_in()
    assert phone.now
    expect(phone.now.page.locator("article.alert", has_text="逐项巡查")).to_be_visible(timeout=SLOW)

    # Cold, without a network: what the limit says runs on, and the screen says since when it heard nothing.
    me = phone.open(offline=True)
    page = me.page
    page.goto(house.url)
    expect(page.get_by_role("status").filter(has_text="上次联系")).to_be_visible(timeout=SLOW)
    digits = page.get_by_role("timer").first
    before = digits.inner_text()
    expect(digits).not_to_have_text(before)
    page.locator("article.alert", has_text="逐项巡查").locator("[data-answer=on_my_way]").click()
    expect(page.locator("p.given").first).to_contain_text("已存本机")
    to_checklist(page)
    mark_every_kind(page)
    item(page, "还需要什么").get_by_role("textbox").fill("两副对讲")
    until(lambda: True if any(one["value"] == "两副对讲" for one in me.stored("drafts")) else None)
    told = len(me.stored("outbox"))

    # Killed the moment the screen says that a tap is saved: every mark is there, and so is what was half typed.
    box = item(page, "东门已打开").get_by_role("checkbox")
    box.click()
    expect(box).to_have_attribute("aria-checked", "false")
    expect(item(page, "东门已打开").locator("[data-mark=saved]")).to_be_visible()
    phone.kill()
    me = phone.open(offline=True)
    page = me.page
    page.goto(house.url)
    assert len(me.stored("outbox")) == told + 1
    to_checklist(page)
    expect(item(page, "东门已打开").get_by_role("checkbox")).to_have_attribute("aria-checked", "false")
    expect(item(page, "带班人签字").locator(".value")).to_have_text("罗大勇")
    expect(item(page, "还需要什么").get_by_role("textbox")).to_have_value("两副对讲")

    # The camera app ends the page in the middle of a report: it opens there again with everything in it.
    begin_report(me, scene.incident)
    with page.expect_event("crash"), contextlib.suppress(Error):
        page.goto("chrome://crash")
    page.close()
    me.page = page = me.context.new_page()
    page.goto(house.url)
    expect(page.get_by_label("说明")).to_have_value("西检票口排队约两百人")
    expect(page.locator("li.shot img")).to_have_count(2)
    expect(page.get_by_text("已定位")).to_be_visible()
    page.get_by_role("button", name="上报", exact=True).last.click()
    expect(page.get_by_text("已存本机").first).to_be_visible()

    # Visitors are counted, supplies asked for, another incident is started.
    me.go("#/tally")
    for name, times in (("进", 3), ("出", 1)):
        for _ in range(times):
            page.locator("button.tap", has_text=name).click()
    page.get_by_role("button", name="记入").click()
    expect(page.locator("button.tap strong").first).to_have_text("0")
    me.go("#/supplies")
    page.get_by_role("button", name="申领物资").click()
    sheet = page.get_by_role("dialog")
    sheet.locator("select").filter(has_text="备用纸质门票").select_option(label="备用纸质门票")
    sheet.get_by_label("数量").fill("20")
    sheet.get_by_role("button", name="申领", exact=True).click()
    expect(sheet).to_be_hidden()
    me.go("#/report")
    page.locator("fieldset label", has_text="火情").click()
    page.get_by_label("说明").fill("垃圾桶冒烟")
    page.get_by_label("归入事件").select_option(label="新事件")
    page.get_by_role("button", name="上报", exact=True).last.click()
    expect(page.get_by_role("heading", name="上报", exact=True)).to_be_hidden()
    me.go("#/incidents")
    expect(page.locator("main a[href*='/incidents/']")).to_have_count(2)
    me.go("#/people")
    expect(page.get_by_role("link", name="呼叫高建峰").first).to_have_attribute("href", "tel:13900000008")
    pictures = {one["id"]: one for one in me.stored("blobs")}
    assert len(pictures) == 3
    assert scene.facts("mark") == []

    # The network is slow, and the phone is killed in the middle of a photo: the text is there first, the photo goes on.
    me.offline(False)
    me.slow_link(40_000)
    me.go("#/me/outbox")
    scene.wait_for("report", type="crowd")
    expect(page.get_by_role("progressbar")).not_to_have_attribute("aria-valuenow", "0", timeout=2 * SLOW)
    assert any(one["state"] == "waiting" for one in me.stored("blobs"))
    phone.kill()
    me = phone.open()
    me.page.goto(house.url)

    (report,) = until(
        lambda: found if (found := arrived(scene.facts("report", type="crowd"))) else None, 3 * SLOW / 1000
    )
    assert (report["position"]["lat"], report["position"]["lon"]) == (HERE["latitude"], HERE["longitude"])
    assert report["text"] == "西检票口排队约两百人"
    for one in report["photos"]:
        shown = Image.open(io.BytesIO(photo(me, one["id"])))
        assert max(shown.size) == 1600
        assert not dict(shown.getexif()), "neither place nor maker travels in the file"
    until(lambda: True if me.waiting() == 0 else None)
    until(lambda: True if all(one["state"] == "delivered" for one in me.stored("blobs")) else None)
    for one in me.stored("blobs"):
        assert one["sha256"] == pictures[one["id"]]["sha256"]
    (seen,) = scene.facts("report", type="status")
    assert (seen["text"], seen["photos"][0]["state"]) == ("排队处照片", "delivered")
    assert [row["photo"] for row in scene.facts("mark") if row["photo"]] == [seen["photos"][0]["id"]]
    said = {row["value"] for row in scene.facts("mark")}
    assert said == {"done", "not_done", 200, "西侧通道拥堵", "weather", "罗大勇", "not_applicable"}
    assert len(scene.facts("mark")) == 8, "each once"
    (excused,) = scene.facts("mark", value="not_applicable")
    assert excused["reason"] == "本楼没有电梯"
    desk = Phone(house, "commander")
    desk.pull()
    counts = sorted((one["kind"], one["count"]) for one in desk.all("tally"))
    assert counts == [("in", 3), ("out", 1)]
    assert [one["quantity"] for one in desk.all("request")] == [20]
    (second,) = [one for one in desk.all("incident") if one["id"] != scene.incident]
    assert [one["text"] for one in desk.all("report") if one["incident"] == second["id"]] == ["垃圾桶冒烟"]
    assert me.stored("tray") == []


def arrived(reports: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Reports whose two photos the server has whole."""
    return [one for one in reports if [photo["state"] for photo in one["photos"]] == ["delivered"] * 2]
