"""Takes the pictures of the README from the running product: `python -m docs.pictures.render` (needs the built app and Chromium)."""

import io
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFilter
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from tests.chromium import FLAGS, chromium_path
from tests.house import House, Phone

HERE = Path(__file__).resolve().parent
DESK, PHONE = ViewportSize(width=1440, height=960), ViewportSize(width=390, height=844)
WORDS = {
    "zh": {
        "locale": "zh-CN", "user": "用户名", "password": "密码", "enter": "登录", "now": "当前",
        "title": "售票系统故障，售票窗口", "fault": "三个窗口都不能出票，排队约八十人",
        "crowd": "西检票口排队约两百人，已设隔离栏", "reason": "15 分钟内未恢复，按预案启动",
        "silent": "人未回应",
    },
    "en": {
        "locale": "en-GB", "user": "User name", "password": "Password", "enter": "Sign in", "now": "Now",
        "title": "Ticketing system down, ticket windows", "fault": "No window can sell, about eighty people waiting",
        "crowd": "About two hundred people at the west gate, barriers are up", "reason": "Not restored within 15 minutes",
        "silent": "silent",
    },
}  # fmt: skip
ANSWERS = (
    ("security-lead", "on_scene", 40), ("security-1", "on_my_way", 25), ("security-2", "received", 70),
    ("security-4", "on_my_way", 55), ("logistics-lead", "on_scene", 30), ("logistics-1", "on_my_way", 45),
    ("communications-lead", "received", 20), ("communications-1", "received", 65), ("visitors-lead", "received", 35),
    ("visitors-1", "on_scene", 50), ("visitors-2", "received", 90), ("finance-lead", "received", 60),
    ("it-lead", "on_scene", 15), ("it-1", "on_scene", 20), ("inspection-lead", "on_my_way", 75),
)  # fmt: skip


def play(house: House, words: dict[str, str]) -> str:
    """Let an incident run until its teams are at work; returns the person whose phone is shown."""
    morning = datetime.now(UTC).replace(hour=2, minute=6, second=0)  # 10:06 in the demo's time zone
    house.move(((morning - datetime.now(UTC)) % timedelta(days=1)).total_seconds())
    visitor = Phone(house, "visitors-1")
    visitor.pull()
    places = {one["code"]: one["id"] for one in visitor.all("place")}
    status, raised = visitor.put(
        "/incidents/",
        {
            "plan": "scenic-ticketing-failure",
            "title": words["title"],
            "place": places["windows"],
            "text": words["fault"],
        },
    )
    assert status == 201, raised
    incident = raised["id"]
    house.move(120)
    it = Phone(house, "it-lead")
    _answer(it, "on_my_way")
    house.move(15 * 60)
    commander = Phone(house, "commander")
    _until_asked(commander)
    _answer(commander, "received")
    status, said = commander.put(f"/incidents/{incident}/decisions/", {"kind": "activate", "reason": words["reason"]})
    assert status == 201, said
    phones = {one["username"]: Phone(house, one["username"]) for one in house.demo["sign_ins"] if one["teams"]}
    house.move(3)
    for phone in phones.values():
        _receive(phone)
    moved = 3
    for username, kind, after in sorted(ANSWERS, key=lambda one: one[2]):
        house.move(after - moved)
        moved = after
        _answer(phones[username], kind)
    guard = phones["security-1"]
    for username, count in (("security-1", 2), ("logistics-1", 1), ("visitors-1", 1)):
        _tick(phones[username], count)
    status, said = guard.put(
        "/reports/", {"incident": incident, "type": "crowd", "place": places["west-gate"], "text": words["crowd"]}
    )
    assert status == 201, said
    house.move(30)
    return "security-3"


def _mine(phone: Phone) -> list[dict[str, Any]]:
    """The open alerts that this person was sent; a commander's phone holds everybody's."""
    own = f"me:{phone.me['person']['id']}"
    return [
        doc
        for (space, kind, _), doc in phone.rows.items()
        if (space, kind) == (own, "alert") and doc["status"] == "open"
    ]


def _receive(phone: Phone) -> None:
    phone.pull()
    for alert in _mine(phone):
        phone.put(f"/alerts/{alert['id']}/receipts/", {"kind": "delivered", "channel": "stream"})


def _answer(phone: Phone, kind: str) -> None:
    phone.pull()
    me = phone.me["person"]["id"]
    answered = {one["alert"] for one in phone.all("recipient") if one["answer"] and one["person"] == me}
    for alert in _mine(phone):
        if alert["id"] not in answered:
            body: dict[str, Any] = {"kind": kind}
            if alert["read_back"] and kind == "received":
                body["read_back"] = "按要求执行"
            status, said = phone.put(f"/alerts/{alert['id']}/answers/", body)
            assert status == 201, said


def _until_asked(phone: Phone) -> None:
    for _ in range(200):
        phone.pull()
        if _mine(phone):
            return
    raise AssertionError("the leadership group was not told")


def _tick(phone: Phone, count: int) -> None:
    phone.pull()
    mine = {post["team"] for post in phone.me["memberships"]}
    lists = [one["id"] for one in phone.all("checklist") if one["team"] in mine]
    items = sorted((one for one in phone.all("item") if one["checklist"] in lists), key=lambda one: one["position"])
    for item in [one for one in items if one["kind"] == "tick"][:count]:
        phone.put(f"/items/{item['id']}/marks/", {"value": "done"})


def screen(browser: Browser, house: House, username: str, language: str, size: ViewportSize, place: str) -> Image.Image:
    """What somebody sees there."""
    words = WORDS[language]
    Phone(house, username).call("PUT", "/me/preferences", {"locale": language, "theme": "light"})
    context = browser.new_context(
        viewport=size, locale=words["locale"], timezone_id="Asia/Shanghai", color_scheme="light", device_scale_factor=2
    )
    context.clock.install(time=datetime.now(UTC) + timedelta(seconds=float(house.clock_file.read_text())))
    page: Page = context.new_page()
    page.goto(house.url)
    page.get_by_label(words["user"]).fill(username)
    page.get_by_label(words["password"], exact=True).fill(house.password)
    page.get_by_role("button", name=words["enter"]).click()
    expect(page.get_by_role("heading", name=words["now"], exact=True)).to_be_visible(timeout=20_000)
    page.evaluate("place => { location.hash = place }", place)
    if place == "#/board":
        expect(page.get_by_text(words["silent"]).first).to_be_visible(timeout=20_000)
    else:
        expect(page.locator("article.alert").first).to_be_visible(timeout=20_000)
    page.wait_for_timeout(2500)
    taken = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    context.close()
    return taken


def compose(board: Image.Image, phone: Image.Image) -> Image.Image:
    """The board with the phone before its lower right corner, on a quiet ground."""
    width, height = 1600, 1080
    whole = Image.new("RGB", (width, height), "#e9edf1")
    _lay(whole, board.resize((1380, 920), Image.Resampling.LANCZOS), (40, 40), 14, 0)
    _lay(whole, phone.resize((370, 801), Image.Resampling.LANCZOS), (1178, 232), 34, 11)
    return whole


def _lay(whole: Image.Image, picture: Image.Image, at: tuple[int, int], radius: int, frame: int) -> None:
    size = (picture.width + 2 * frame, picture.height + 2 * frame)
    shadow = Image.new("L", whole.size, 0)
    box = (at[0], at[1] + 10, at[0] + size[0], at[1] + 10 + size[1])
    ImageDraw.Draw(shadow).rounded_rectangle(box, radius + frame, fill=90)
    whole.paste("#16202b", mask=shadow.filter(ImageFilter.GaussianBlur(18)))
    if frame:
        ImageDraw.Draw(whole).rounded_rectangle((*at, at[0] + size[0], at[1] + size[1]), radius + frame, fill="#16202b")
    mask = Image.new("L", (picture.width * 4, picture.height * 4), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, mask.width - 1, mask.height - 1), radius * 4, fill=255)
    whole.paste(picture, (at[0] + frame, at[1] + frame), mask.resize(picture.size, Image.Resampling.LANCZOS))


def main() -> None:
    """Play the incident and take both pictures."""
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(FLAGS))
        for language in ("en", "zh"):
            (Path(folder) / language).mkdir()
            house = House(Path(folder) / language)
            house.start()
            try:
                shown = play(house, WORDS[language])
                board = screen(browser, house, "commander", language, DESK, "#/board")
                phone = screen(browser, house, shown, language, PHONE, "#/now")
            finally:
                house.stop()
            compose(board, phone).save(HERE / f"board-and-phone.{language}.webp", quality=82, method=6)
        browser.close()


if __name__ == "__main__":
    main()
