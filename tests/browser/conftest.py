"""Browser walks: the running house, and people with a phone or a desk screen each."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.house import House

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1440, "height": 900}
# What a browser says about a network that is meant to be gone is no complaint.
ALLOWED = (
    "incognito mode",
    "net::ERR_INTERNET_DISCONNECTED",
    "Failed to load resource",
    "ERR_FAILED",
    "ERR_CONNECTION_REFUSED",
    "net::ERR_",
)
SLOW = 20_000
PICTURES = Path("test-results") / "walks"
"""How every screen looked when its walk ended, kept for whoever mends it."""


class Someone:
    """A signed-in person with a browser of their own."""

    def __init__(self, context: BrowserContext, page: Page, house: House, username: str) -> None:
        self.context, self.page, self.house, self.username = context, page, house, username
        self.complaints: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(f"{username}: {error}"))

    def _hear(self, message: object) -> None:
        kind, text = getattr(message, "type", ""), getattr(message, "text", "")
        if kind in {"error", "warning"} and not any(part in text for part in ALLOWED):
            self.complaints.append(f"{self.username}: {kind}: {text}")

    def sign_in(self) -> None:
        """Sign in by password and wait for the first data and the worker."""
        self.page.goto(self.house.url)
        self.page.get_by_label("用户名").fill(self.username)
        self.page.get_by_label("密码", exact=True).fill(self.house.password)
        self.page.get_by_role("button", name="登录").click()
        expect(self.page.get_by_role("heading", name="当前")).to_be_visible(timeout=SLOW)
        self.page.evaluate("navigator.serviceWorker.ready.then(() => true)")

    def go(self, hash: str) -> None:
        """Open a place in the app by its address."""
        self.page.evaluate("hash => { location.hash = hash }", hash)

    def offline(self, off: bool = True) -> None:
        """Cut or restore the network."""
        self.context.set_offline(off)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Web and worker on the demo organisation."""
    opened = House(tmp_path)
    opened.start()
    yield opened
    opened.stop()
    assert opened.complaints() == []


@pytest.fixture
def someone(browser: Browser, house: House, request: pytest.FixtureRequest) -> Iterator[Callable[..., Someone]]:
    """A function that lets somebody sign in on a browser of their own; what their pages complained of fails the test."""
    opened: list[Someone] = []

    def arrive(username: str, *, desk: bool = False) -> Someone:
        context = browser.new_context(
            viewport=DESK if desk else PHONE, locale="zh-CN", timezone_id="Asia/Shanghai", has_touch=not desk,
            permissions=["geolocation", "notifications"], geolocation={"latitude": 30.2741, "longitude": 120.0551},
        )  # fmt: skip
        context.set_default_timeout(SLOW)
        person = Someone(context, context.new_page(), house, username)
        opened.append(person)
        person.sign_in()
        return person

    yield arrive
    complaints = [complaint for person in opened for complaint in person.complaints]
    for person in opened:
        person.page.screenshot(path=PICTURES / f"{request.node.originalname}-{person.username}.png")
        person.context.close()
    assert complaints == []
