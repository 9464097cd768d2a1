"""Browser walks: the running house, and people with a phone or a desk screen each."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, Playwright, expect

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
HERE = {"latitude": 30.2741, "longitude": 120.0551}


class Someone:
    """A signed-in person with a browser of their own."""

    def __init__(self, context: BrowserContext, house: House, username: str) -> None:
        self.context, self.house, self.username = context, house, username
        self.complaints: list[str] = []
        context.set_default_timeout(SLOW)
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.complaints.append(f"{username}: {error.error}"))
        self.page: Page = context.pages[0] if context.pages else context.new_page()

    def _hear(self, message: object) -> None:
        kind, text = getattr(message, "type", ""), getattr(message, "text", "")
        if kind in {"error", "warning"} and not any(part in text for part in ALLOWED):
            self.complaints.append(f"{self.username}: {kind}: {text}")

    def sign_in(self) -> None:
        """Sign in by password and wait for the first data and the worker."""
        self.page.goto(self.house.url)
        self.fill_in()
        self.ready()

    def fill_in(self, username: str = "") -> None:
        """Give name and password to the sign-in page that is open."""
        self.page.get_by_label("用户名").fill(username or self.username)
        self.page.get_by_label("密码", exact=True).fill(self.house.password)
        self.page.get_by_role("button", name="登录").click()

    def ready(self) -> None:
        """Wait for the first screen and for the worker to have laid in the app."""
        expect(self.page.get_by_role("heading", name="当前")).to_be_visible(timeout=SLOW)
        self.page.evaluate("navigator.serviceWorker.ready.then(() => true)")

    def go(self, hash: str) -> None:
        """Open a place in the app by its address."""
        self.page.evaluate("hash => { location.hash = hash }", hash)

    def offline(self, off: bool = True) -> None:
        """Cut or restore the network."""
        self.context.set_offline(off)

    def slow_link(self, bytes_a_second: int) -> None:
        """Let the open page send only so fast."""
        link = {"offline": False, "latency": 50, "downloadThroughput": -1, "uploadThroughput": bytes_a_second}
        self.context.new_cdp_session(self.page).send("Network.emulateNetworkConditions", link)

    def waiting(self) -> int:
        """How many facts the phone's own queue holds, as its store says."""
        return len(self.stored("outbox"))

    def stored(self, name: str) -> list[dict[str, Any]]:
        """Everything in one of the stores of the person signed in."""
        found: list[dict[str, Any]] = self.page.evaluate(
            """async (name) => {
              const person = localStorage.getItem('tocsin.person');
              const db = await new Promise((done, failed) => {
                const asked = indexedDB.open(`tocsin-${person}`);
                asked.onsuccess = () => done(asked.result);
                asked.onerror = () => failed(asked.error);
              });
              try {
                return await new Promise((done, failed) => {
                  const asked = db.transaction(name).objectStore(name).getAll();
                  asked.onsuccess = () => done(asked.result);
                  asked.onerror = () => failed(asked.error);
                });
              } finally {
                db.close();
              }
            }""",
            name,
        )
        return found


class Installed:
    """A phone whose browser can be ended and opened again from cold on what its disk kept."""

    def __init__(
        self, playwright: Playwright, launch: dict[str, Any], profile: Path, house: House, username: str
    ) -> None:
        self._playwright, self._launch, self._profile = playwright, launch, profile
        self.house, self.username = house, username
        self.complaints: list[str] = []
        self.now: Someone | None = None

    def open(self, *, offline: bool = False) -> Someone:
        """Start the browser; `offline` cuts the network before the first page asks for anything."""
        self.close()
        context = self._playwright.chromium.launch_persistent_context(
            self._profile, **self._launch, viewport=PHONE, has_touch=True, locale="zh-CN",  # type: ignore[arg-type]
            timezone_id="Asia/Shanghai", permissions=["geolocation", "notifications"], geolocation=HERE,  # type: ignore[arg-type]
        )  # fmt: skip
        if offline:
            context.set_offline(True)
        self.now = Someone(context, self.house, self.username)
        self.now.complaints = self.complaints
        return self.now

    def kill(self) -> None:
        """End the browser at once, as a flat battery would; `open` starts it on what had reached the disk."""
        mine = f"--user-data-dir={self._profile}"
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if mine in words and not any(word.startswith("--type=") for word in words):
                process.kill()
                process.wait(10)
        if self.now:
            with contextlib.suppress(Error):
                self.now.context.close()
        self.now = None

    def close(self) -> None:
        """End the browser with everything in it."""
        if self.now:
            self.now.context.close()
        self.now = None


def run_house(folder: Path, **settings: str) -> Iterator[House]:
    """Web and worker until the last test that wants them is done; what they complained of fails it."""
    opened = House(folder, **settings)
    opened.start()
    yield opened
    opened.stop()
    assert opened.complaints() == []


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Web and worker on the demo organisation, shared by the walks of one file."""
    yield from run_house(tmp_path_factory.mktemp("house"))


@pytest.fixture
def installed(
    playwright: Playwright, browser_type_launch_args: dict[str, Any], house: House, tmp_path: Path
) -> Iterator[Callable[[str], Installed]]:
    """A function that gives somebody a phone with the app on it."""
    given: list[Installed] = []

    def give(username: str) -> Installed:
        phone = Installed(playwright, browser_type_launch_args, tmp_path / f"profile-{len(given)}", house, username)
        given.append(phone)
        return phone

    yield give
    for phone in given:
        phone.close()
    assert [complaint for phone in given for complaint in phone.complaints] == []


@pytest.fixture
def someone(browser: Browser, house: House, request: pytest.FixtureRequest) -> Iterator[Callable[..., Someone]]:
    """A function that lets somebody sign in on a browser of their own; what their pages complained of fails the test."""
    opened: list[Someone] = []

    def arrive(username: str, *, desk: bool = False, signed_in: bool = True) -> Someone:
        context = browser.new_context(
            viewport=DESK if desk else PHONE, locale="zh-CN", timezone_id="Asia/Shanghai", has_touch=not desk,  # type: ignore[arg-type]
            permissions=["geolocation", "notifications"], geolocation=HERE,  # type: ignore[arg-type]
        )  # fmt: skip
        person = Someone(context, house, username)
        opened.append(person)
        if signed_in:
            person.sign_in()
        return person

    yield arrive
    complaints = [complaint for person in opened for complaint in person.complaints]
    for person in opened:
        if not person.page.is_closed():
            person.page.screenshot(path=PICTURES / f"{request.node.originalname}-{person.username}.png")
        person.context.close()
    assert complaints == []
