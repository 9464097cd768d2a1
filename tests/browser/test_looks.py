"""Every screen on a phone and on a desk, in both languages, light and dark: nothing too wide, cut off, tiny, untranslated or unreadable."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from server.db import new_id
from tests.browser.conftest import DESK, PHONE, PICTURES, Someone
from tests.browser.scene import activated
from tests.house import ROOT, House, Phone

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
AXE = ROOT / "pwa" / "node_modules" / "axe-core" / "axe.min.js"
FAULTS = (Path(__file__).parent / "faults_on_screen.js").read_text()
LOOKS = [
    ("zh", "light"),
    ("en", "dark"),
    pytest.param("en", "light", marks=pytest.mark.long),
    pytest.param("zh", "dark", marks=pytest.mark.long),
]
# Typed by people of the demo, or the proper name of a program: the same in both languages.
TYPED = (
    "三个窗口都不能出票",
    "重启后仍无响应",
    "西检票口排队约两百人",
    "备用线路已接通",
    "请到东检票口引导",
    "一号门",
    "误报",
    "中文",
)
PROGRAMS = (
    "Word",
    "JPEG",
    "WebP",
    "test",
    "LINT",
    "English",
    "Tocsin",
    "Chrome",
    "Linux",
    "iPhone",
    "commander",
    "security",
    "Android",
)


@pytest.fixture(scope="module")
def filled(house: House) -> dict[str, str]:
    """An organisation in the middle of its work; returns the ids of what the screens show."""
    scene = activated(house)
    ids = {"incident": scene.incident}
    security, visitor, logistics = (
        Phone(house, "security-1"),
        Phone(house, "visitors-1"),
        Phone(house, "logistics-lead"),
    )
    place = next(row["id"] for row in scene.commander.all("place") if row["code"] == "west-gate")
    for words, kind in (("西检票口排队约两百人", "crowd"), ("备用线路已接通", "status")):
        ids["report"] = put(
            security, "/reports/", incident=scene.incident, chain="first", type=kind, text=words, place=place
        )
    put(security, "/tallies/", incident=scene.incident, place=place, kind="in", count=40, window_seconds=30)
    visitor.pull()
    supply = next(row["id"] for row in visitor.all("supply") if row["serial"])
    team = {row["kind"]: row["id"] for row in visitor.all("team")}
    asked = {"incident": scene.incident, "supply": supply, "quantity": 200, "for_team": team["visitor_centre"]}
    ids["request"] = put(visitor, "/requests/", **asked)
    put(logistics, f"/requests/{ids['request']}/movements/", kind="approved")
    sent = {"kind": "dispatched", "quantity": 200, "serial_from": 100001, "serial_to": 100200}
    put(logistics, f"/requests/{ids['request']}/movements/", **sent)
    put(visitor, "/requests/", **{**asked, "quantity": 50})
    commander = scene.commander
    put(commander, "/orders/", incident=scene.incident, team=team["security"], title="请到东检票口引导", text="一号门",
        critical=True, read_back=True)  # fmt: skip
    commander.pull()
    mine = [row for row in scene.facts("alert") if row["team"] == team["security"]]
    ids["alert"], ids["order"] = mine[0]["id"], next(row["id"] for row in scene.facts("order", team=team["security"]))
    put(security, f"/alerts/{mine[0]['id']}/answers/", kind="on_my_way", eta_minutes=10)
    lists = [row for row in scene.facts("checklist") if row["team"] == team["security"]]
    ids["checklist"] = lists[0]["id"]
    for item in [row for row in scene.facts("item") if row["checklist"] == lists[0]["id"] and row["kind"] == "tick"][
        :1
    ]:
        put(security, f"/items/{item['id']}/marks/", value="done")
    ids["notice"] = scene.facts("notice")[0]["id"]
    ids["person"] = scene.person("罗大勇")
    ids["review"] = ended(visitor, commander)
    planned = {"plan": "large-crowd", "title": "误报", "scheduled_at": "2030-01-05T02:00:00Z", "scenario": "误报",
               "risk_check": "误报"}  # fmt: skip
    ids["drill"] = put(commander, "/drills/", **planned)
    ids["place"] = next(row["id"] for row in commander.all("place") if row["parent"] is None)
    return ids


def put(phone: Phone, path: str, **body: Any) -> str:
    """PUT a new fact; returns its id."""
    id = new_id()
    status, answer = phone.put(path + id, body)
    assert status == 201, answer
    return id


def ended(visitor: Phone, commander: Phone) -> str:
    """A second incident that is over, with its review."""
    body = {"plan": "scenic-ticketing-failure", "title": "误报"}
    id = put(visitor, "/incidents/", **body)
    for kind, more in (("activate", {}), ("restore", {}), ("end", {"reason": "误报"})):
        put(commander, f"/incidents/{id}/decisions/", kind=kind, **more)
    return id


def screens(ids: dict[str, str], *, commands: bool) -> Iterator[tuple[str, str]]:
    """The name and the address of every screen somebody may see."""
    yield "now", "#/now"
    yield "alert", f"#/alerts/{ids['alert']}"
    yield "incidents", "#/incidents"
    for section in ("overview", "orders", "checklists", "reports", "supplies", "notices", "timeline"):
        yield f"incident-{section}", f"#/incidents/{ids['incident']}/{section}"
    for name in ("order", "checklist", "report", "request", "notice"):
        yield name, f"#/{name}s/{ids[name]}"
    for name in ("report", "tally", "supplies", "plans", "people", "me", "first-steps"):
        yield f"{name}-page", f"#/{name}"
    yield "plan", "#/plans/scenic-ticketing-failure"
    yield "plan-limits", "#/plans/scenic-ticketing-failure/limits"
    yield "person", f"#/people/{ids['person']}"
    for name in ("push", "outbox", "refused"):
        yield f"me-{name}", f"#/me/{name}"
    yield "nowhere", "#/nowhere"
    yield "drills", "#/drills"
    if commands:
        yield "drill-new", "#/drills/new"
        yield "drill", f"#/drills/{ids['drill']}"
        yield "plan-versions", "#/plans/scenic-ticketing-failure/versions"
        yield "stock", "#/staff/stock"
        yield "review", f"#/reviews/{ids['review']}"
        yield "board", f"#/board/{ids['incident']}"
        yield "wall", f"#/board/{ids['incident']}?wall=1"


def office(ids: dict[str, str]) -> Iterator[tuple[str, str]]:
    """The screens only an administrator has, and those at a desk that are slow to look at."""
    yield "staff", "#/staff"
    for name in ("teams", "import", "places", "ladder", "places/new"):
        yield f"staff-{name.replace('/', '-')}", f"#/staff/{name}"
    yield "place", f"#/staff/places/{ids['place']}"
    yield "staff-person", f"#/staff/people/{ids['person']}"
    yield "library", "#/library"
    yield "simulator", "#/simulator"


def dress(page: Page, locale: str, theme: str) -> None:
    """Choose language and theme as this phone would remember them."""
    look = json.dumps({"locale": locale, "theme": theme, "size": 1})
    page.evaluate("look => localStorage.setItem('tocsin.appearance', look)", look)
    page.reload()
    page.locator("main h1").first.wait_for()
    page.evaluate(AXE.read_text())


def look_at(page: Page, name: str, known: list[str], *, locale: str, theme: str, width: str, axe: bool) -> list[str]:
    """A picture of the screen, and what is wrong with it."""
    page.locator("main h1").first.wait_for()
    expect(page.locator(".skeleton")).to_have_count(0)
    page.screenshot(path=PICTURES.parent / "looks" / f"{name}-{width}-{locale}-{theme}.png", full_page=True)
    asked = {"locale": locale, "phone": width != "desk", "known": known}
    found: list[str] = page.evaluate(f"asked => ({FAULTS})(asked)", asked)
    if asked["phone"] and locale == "en":  # the longer words, at the largest letters
        page.evaluate("document.documentElement.style.setProperty('--type', '2')")
        large: list[str] = page.evaluate(f"asked => ({FAULTS})(asked)", asked)
        found += [f"at 200 %: {one}" for one in large if one not in found]
        page.evaluate("document.documentElement.style.setProperty('--type', '1')")
    if axe:
        found += page.evaluate(
            """async () => (await axe.run(document, { resultTypes: ['violations'] })).violations
                 .filter((one) => ['serious', 'critical'].includes(one.impact))
                 .map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((n) => `${n.html.slice(0, 120)} ${n.any[0]?.message ?? ''}`).join(' | ')}`)"""
        )
    return [f"{name} {width} {locale} {theme}: {one}" for one in found]


@pytest.mark.parametrize(("locale", "theme"), LOOKS)
def test_every_screen(
    locale: str, theme: str, house: House, filled: dict[str, str], someone: Callable[..., Someone]
) -> None:
    book = Phone(house, "admin")
    book.pull()
    names = [row["name"] for row in book.all("person")]
    known = [*TYPED, *PROGRAMS, *names, *(name[-2:] for name in names)]
    usernames = [one["username"] for one in book.call("GET", "/people")[1]["people"]]
    known = sorted([*known, *usernames], key=len, reverse=True)
    found: list[str] = []
    both = (("phone", PHONE), ("desk", DESK))
    people = {
        "security-1": (screens(filled, commands=False), (("mine", PHONE),)),
        "commander": (screens(filled, commands=True), both),
        # One width for each look, so that the office is seen in every language, theme and size without taking as long again.
        "admin": (office(filled), both[:1] if theme == "light" else both[1:]),
    }
    for username, (shown, widths) in people.items():
        page = someone(username, desk=username != "security-1").page
        dress(page, locale, theme)
        for name, address in shown:
            page.evaluate("hash => { location.hash = hash }", address)
            for width, size in widths:
                page.set_viewport_size(size)  # type: ignore[arg-type]
                found += look_at(page, name, known, locale=locale, theme=theme, width=width, axe=width != "phone")
    assert not found, "\n".join(found)
