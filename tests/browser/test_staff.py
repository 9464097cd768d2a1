"""The office at its desk and on its phone: people, posts, teams, a table of many, a lost phone; how each screen looks."""

import io
import re
from collections.abc import Callable

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import DESK, PHONE, SLOW, Someone
from tests.browser.test_looks import PROGRAMS, TYPED, dress, look_at
from tests.house import House, Phone

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
TABLE = "用户名,姓名,角色,电话,组,职务\nliqiang,李强,组员,13800000001,安全保卫组,组员\nzhaomin,赵敏,组员,13800000002,{team},组员"


def test_the_office_keeps_people_teams_and_phones(house: House, someone: Callable[..., Someone]) -> None:
    admin, book = someone("admin", desk=True), Phone(house, "admin")
    page = admin.page
    admin.go("#/people")
    page.get_by_role("link", name="管理").click()

    # A new person: a taken user name is said at its field, then kept, with a post, and can sign in by a code.
    page.get_by_role("link", name="添加人员").click()
    page.get_by_label("姓名").fill("王芳")
    page.get_by_label("用户名").fill("commander")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("该用户名已被使用。").first).to_be_visible()
    page.get_by_label("用户名").fill("wangfang")
    page.get_by_label("手机号").fill("13900000099")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_role("heading", name="王芳", level=1)).to_be_visible(timeout=SLOW)
    page.get_by_role("button", name="加入一个组").click()
    sheet = page.get_by_role("dialog")
    sheet.get_by_label("组", exact=True).select_option(label="安全保卫组")
    sheet.get_by_role("button", name="保存").click()
    expect(page.get_by_label("安全保卫组", exact=True)).to_have_value("member")
    page.get_by_label("安全保卫组", exact=True).select_option("deputy")
    wang = page.url.rsplit("/", 1)[1]
    page.get_by_role("link", name="出示登记码").click()
    expect(page.get_by_role("img", name="登记码")).to_be_visible(timeout=SLOW)
    address = page.get_by_role("dialog").locator("code").inner_text()
    fresh = someone("commander", signed_in=False)
    fresh.page.goto(address.replace(address.split("/#")[0], house.url))
    fresh.page.get_by_role("main").get_by_role("button").first.click()
    fresh.page.wait_for_url("**/#/first-steps")

    # Her phone is lost: it is shut out after a question, and clears itself at its next contact.
    admin.go(f"#/staff/people/{wang}")
    page.get_by_role("button", name="停用设备").click()
    page.get_by_role("dialog").get_by_role("button", name="停用设备").click()
    expect(page.get_by_text("没有设备")).to_be_visible(timeout=SLOW)
    fresh.page.goto(house.url)
    expect(fresh.page.get_by_label("用户名")).to_be_visible(timeout=SLOW)
    kept = fresh.page.evaluate("async () => (await indexedDB.databases()).map((one) => one.name)")
    assert f"tocsin-{wang}" not in kept

    # Disabled and back.
    page.get_by_role("button", name="停用此人").click()
    page.get_by_role("dialog").get_by_role("button", name="停用此人").click()
    expect(page.get_by_role("button", name="恢复此人")).to_be_visible(timeout=SLOW)

    # A table with a fault takes nobody over; mended it takes all.
    admin.go("#/staff/import")
    page.get_by_label("表格内容").fill(TABLE.format(team="不存在的组"))
    page.get_by_role("button", name="先检查").click()
    expect(page.get_by_text("第 3 行")).to_be_visible(timeout=SLOW)
    expect(page.get_by_role("button", name="导入 2 人")).to_have_count(0)
    page.get_by_label("表格内容").fill(TABLE.format(team="安全保卫组"))
    page.get_by_role("button", name="先检查").click()
    page.get_by_role("button", name="导入 2 人").click()
    expect(page).to_have_url(re.compile("#/staff$"), timeout=SLOW)
    expect(page.get_by_text("赵敏").first).to_be_visible(timeout=SLOW)

    # The least strength of a team; commanders and its leader are warned where they look.
    admin.go("#/staff/teams")
    page.get_by_role("button", name="修改资料 安全保卫组").click()
    page.get_by_label("人员", exact=True).fill("40")
    page.get_by_role("dialog").get_by_role("button", name="保存").click()
    commander = someone("commander", desk=True)
    commander.go("#/people")
    expect(commander.page.get_by_text("至少须 40 人")).to_be_visible(timeout=SLOW)
    guard = someone("security-2")

    # A place with a floor plan, marked by a tap on the drawing above it; every phone has it.
    admin.go("#/staff/places/new")
    page.get_by_label("中文名称").fill("南门")
    page.get_by_label("英文名称").fill("South gate")
    page.get_by_label("编号").fill("east-gate")
    page.get_by_role("img", name="在平面图上的位置").click(position={"x": 100, "y": 100})
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("该编号已被使用。").first).to_be_visible(timeout=SLOW)
    page.get_by_label("编号").fill("south-gate")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_role("heading", name="南门", level=1)).to_be_visible(timeout=SLOW)
    drawn = io.BytesIO()
    Image.new("RGB", (1200, 800), "beige").save(drawn, "PNG")
    picture = {"name": "plan.png", "mimeType": "image/png", "buffer": drawn.getvalue()}
    page.locator("input[type=file]").set_input_files(picture)  # type: ignore[arg-type]
    shown = page.get_by_role("img", name="南门的平面图").locator("image")
    expect(shown).to_have_attribute("href", re.compile("/floor-plans/"), timeout=SLOW)
    assert page.request.get(house.url + (shown.get_attribute("href") or "")).headers["content-type"] == "image/jpeg"
    book.pull()
    place = next(row for row in book.all("place") if row["code"] == "south-gate")
    assert (place["floor_plan"]["width"], place["floor_plan"]["height"]) == (1200, 800)
    assert 0 < place["plan_pin"]["x"] < 0.5

    # Stock: a range that is none is said at its field; kept, the numbers are those typed.
    admin.go("#/supplies")
    page.get_by_role("link", name="管理").click()
    page.get_by_role("button", name="修改 备用纸质门票").click()
    sheet.get_by_label("入库号段").fill("100001-105000\n200001")
    sheet.get_by_role("button", name="保存").click()
    expect(sheet.get_by_text("第 2 行不是号段")).to_be_visible()
    sheet.get_by_label("入库号段").fill("100001-105000\n200001-200500")
    sheet.get_by_label("现有数量").fill("5500")
    sheet.get_by_role("button", name="保存").click()
    expect(page.get_by_text("5500 张")).to_be_visible(timeout=SLOW)

    # The organisation's own ladder.
    admin.go("#/staff/ladder")
    expect(page.get_by_text("现在用的是系统默认步骤")).to_be_visible(timeout=SLOW)
    page.get_by_label("告警发出后").nth(1).fill("45")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("现在用的是本单位自己的步骤")).to_be_visible(timeout=SLOW)
    assert book.call("GET", "/organisation/ladder")[1]["ladder"]["steps"][1]["after_seconds"] == 45

    guard.go("#/staff")
    expect(guard.page.get_by_role("alert").filter(has_text="没有权限")).to_be_visible(timeout=SLOW)


@pytest.mark.long
@pytest.mark.parametrize(("locale", "theme"), [("zh", "light"), ("en", "dark")])
def test_how_the_office_looks(house: House, someone: Callable[..., Someone], locale: str, theme: str) -> None:
    book = Phone(house, "admin")
    status, told = book.call("GET", "/people")
    assert status == 200
    words = [word for one in told["people"] for word in (one["username"], one["name"])]
    known = sorted([*TYPED, *PROGRAMS, *words], key=len, reverse=True)
    person = next(one["id"] for one in told["people"] if one["username"] == "security-1")
    admin, commander = someone("admin", desk=True), someone("commander", desk=True)
    found: list[str] = []
    screens = {
        "staff-new": (admin, "#/staff/people/new"), "person-admin": (admin, f"#/people/{person}"),
        "ready": (commander, "#/people"), "doctor": (commander, "#/me/push"),
    }  # fmt: skip
    for one in (admin, commander):
        dress(one.page, locale, theme)
    for name, (who, address) in screens.items():
        who.go(address)
        for width, size in (("phone", PHONE), ("desk", DESK)):
            who.page.set_viewport_size(size)  # type: ignore[arg-type]
            found += look_at(who.page, name, known, locale=locale, theme=theme, width=width, axe=width == "desk")
    assert not found, "\n".join(found)
