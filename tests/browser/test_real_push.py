"""A real push in a real browser: subscribed in the app, sent by our worker, shown by the service worker, answered by its button."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.bidi import Firefox
from tests.browser.conftest import SLOW, Someone, run_house
from tests.browser.scene import activated, until
from tests.firefox import firefox_path
from tests.house import House
from tests.push_service import PushService

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(240),
    pytest.mark.skipif(firefox_path() is None, reason="no Firefox; install firefox-esr or set TOCSIN_TEST_FIREFOX"),
]
Arrive = Callable[..., Someone]
SIGN_IN = """async (name, password) => {
  const set = (input, text) => { input.value = text; input.dispatchEvent(new Event('input', { bubbles: true })); };
  const [username, secret] = document.querySelectorAll('form input');
  set(username, name); set(secret, password);
  document.querySelector('form').requestSubmit();
}"""
PRESS = """(words) => {
  const found = [...document.querySelectorAll('button')].find((one) => one.innerText.trim() === words && !one.disabled);
  found?.click();
  return !!found;
}"""
SHOWN = """async (tag) => {
  const registration = await navigator.serviceWorker.ready;
  const found = (await registration.getNotifications()).find((one) => !tag || one.tag === tag);
  return found && { title: found.title, tag: found.tag, actions: found.actions.map((one) => [one.action, one.title]) };
}"""
# Firefox's own window draws no buttons, so it is told of the button as a desktop's notification centre tells it.
BUTTON = """(action) => {
  const pressed = { QueryInterface: ChromeUtils.generateQI(['nsIAlertAction']), action, title: '', iconURL: '' };
  gAlertListener.observe(pressed, 'alertclickcallback', gAlertCookie);
}"""

GREEN = """(bar) => {
  const probe = document.body.appendChild(document.createElement('i'));
  probe.style.color = 'var(--ok)';
  const green = getComputedStyle(probe).color;
  probe.remove();
  return getComputedStyle(bar).backgroundColor === green;
}"""


@pytest.fixture(scope="module")
def push_service() -> Iterator[PushService]:
    """The push service Firefox is pointed at; it keeps what it was sent and checks every signature."""
    with PushService() as service:
        yield service
        assert service.complaints == []


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, push_service: PushService) -> Iterator[House]:
    """Web and worker that may send pushes to the local push service."""
    yield from run_house(tmp_path_factory.mktemp("house"), TOCSIN_PUSH_TEST_ORIGINS=push_service.origin)


def test_from_the_button_in_the_app_to_the_button_in_the_notification_and_a_green_board(
    house: House, push_service: PushService, someone: Arrive, tmp_path: Path
) -> None:
    chinese = {"intl.accept_languages": "zh-CN, zh"}
    with Firefox(tmp_path / "profile", push_service.browser_url, chinese) as phone:
        phone.go(house.url)
        phone.until("() => document.querySelectorAll('form input').length >= 2")
        phone.evaluate(SIGN_IN, "security-2", house.password)
        phone.until("() => document.body.innerText.includes('当前')")
        phone.evaluate("() => navigator.serviceWorker.ready.then(() => true)")

        # The app subscribes; the server's first check comes quietly and its receipt proves the phone.
        phone.evaluate("() => { location.hash = '#/me/push' }")
        # With leave given before, the app may have registered by itself since it was opened.
        phone.until(
            f"() => document.body.innerText.includes('已登记推送') || ({PRESS})('登记推送') || ({PRESS})('允许通知')"
        )
        phone.until("() => document.body.innerText.includes('最近一次收到推送')")
        phone.until("() => document.body.innerText.includes('指挥端看到：可达')")
        assert phone.evaluate(SHOWN, None) is None, "a check disturbs nobody where the browser allows it"
        assert push_service.accepted[0].urgency == "normal"

        # The plan is activated: the alert is on the phone with its buttons, and the server has the phone's receipt.
        scene = activated(house)
        me = scene.person(phone.evaluate("async () => (await (await fetch('/api/v1/me')).json()).person.name"))
        shown: dict[str, Any] = phone.until(
            f"async () => {{ const a = await ({SHOWN})(null); return a?.actions.length ? a : null }}"
        )
        assert shown["actions"] == [["received", "收到"], ["on_my_way", "出发"]]
        alert = shown["tag"]
        wanted = {"alert": alert, "person": me}
        row = until(lambda: next((one for one in scene.facts("recipient", **wanted) if one["delivered_at"]), None))
        assert row["answer"] is None
        assert "push" in row["channels"]
        assert {ack["updates"][0]["code"] for ack in push_service.acknowledged} == {100}, "every message was decrypted"

        # The commander watches the board while the button of the notification is pressed.
        commander = someone("commander", desk=True)
        commander.go(f"#/board/{scene.incident}")
        security = commander.page.locator(".team").filter(has_text="安全保卫组").first
        answered = security.locator("dd").last
        expect(answered).to_have_text("0", timeout=SLOW)
        phone.evaluate(BUTTON, "on_my_way", context=phone.alerts()[-1])
        until(lambda: scene.facts("recipient", **wanted, answer="on_my_way") or None)
        expect(answered).to_have_text("1", timeout=SLOW)
        expect(security.get_by_text("出发")).to_be_visible()
        bar = security.locator(".bar .answered")
        assert bar.evaluate("(one) => one.getBoundingClientRect().width") > 0
        assert bar.evaluate(GREEN)
        told = phone.until(
            f"async () => {{ const a = await ({SHOWN})('{alert}'); return a?.title.startsWith('已答复') ? a : null }}"
        )
        assert told["title"] == "已答复：出发"
        assert len(scene.facts("recipient", **wanted)) == 1
