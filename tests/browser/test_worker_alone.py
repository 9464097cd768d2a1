"""The service worker by itself, every page closed: it shows pushes, answers by their buttons, keeps answers, and never shows nothing."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import CDPSession, Worker

from tests.browser.conftest import Someone, run_house
from tests.browser.scene import Scene, activated, until
from tests.house import House, Phone
from tests.push_service import PushService

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
Arrive = Callable[..., Someone]


@pytest.fixture(scope="module")
def push_service() -> Iterator[PushService]:
    """Takes what the delivery worker sends and decrypts it, so that a walk can hand it to the browser."""
    with PushService() as service:
        yield service
        assert service.complaints == []


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, push_service: PushService) -> Iterator[House]:
    """Web and worker that may send pushes to the local push service."""
    yield from run_house(tmp_path_factory.mktemp("house"), TOCSIN_PUSH_TEST_ORIGINS=push_service.origin)


class Pocket:
    """A phone in somebody's pocket: no page is open, only the worker lives."""

    def __init__(self, person: Someone) -> None:
        self.person = person
        blank = person.context.new_page()
        person.page.close()
        person.page = blank
        self.session: CDPSession = person.context.new_cdp_session(blank)
        found: list[dict[str, Any]] = []
        self.session.on("ServiceWorker.workerRegistrationUpdated", lambda told: found.extend(told["registrations"]))
        self.session.send("ServiceWorker.enable")

        def ours() -> str | None:
            blank.wait_for_timeout(50)  # events of the browser are heard only while something of it is awaited
            return next((one["registrationId"] for one in found if one["scopeURL"].startswith(person.house.url)), None)

        self.registration: str = until(ours)

    @property
    def worker(self) -> Worker:
        """The worker, which a push wakes."""
        return until(lambda: next(iter(self.person.context.service_workers), None))

    def push(self, payload: Any) -> None:
        """Deliver a message as the browser's push client would."""
        text = payload if isinstance(payload, str) else json.dumps(payload)
        told = {"origin": self.person.house.url, "registrationId": self.registration, "data": text}
        self.session.send("ServiceWorker.deliverPushMessage", told)

    def shown(self) -> list[dict[str, Any]]:
        """The notifications that stand on the phone."""
        found: list[dict[str, Any]] = self.worker.evaluate(
            """async () => (await self.registration.getNotifications()).map((one) => ({
                 title: one.title, body: one.body, tag: one.tag, lang: one.lang, data: one.data, at: one.timestamp,
                 requireInteraction: one.requireInteraction, actions: (one.actions ?? []).map((a) => [a.action, a.title]),
               }))"""
        )
        return found

    def show(self, tag: str, after: float = 0) -> dict[str, Any]:
        """The notification with this tag, once one made after this time (ms) stands there."""
        return until(lambda: next((one for one in self.shown() if one["tag"] == tag and one["at"] > after), None))

    def tap(self, tag: str, action: str) -> None:
        """Press a button of a notification."""
        self.worker.evaluate(
            """async ([tag, action]) => {
                 const [notification] = await self.registration.getNotifications({ tag });
                 self.dispatchEvent(new NotificationEvent('notificationclick', { notification, action }));
               }""",
            [tag, action],
        )

    def confirmed(self, tag: str, title: str, body: str) -> None:
        """Wait for what the notification says after its button was pressed."""
        until(lambda: True if any(one["title"] == title and body in one["body"] for one in self.shown()) else None)


class Pushed:
    """The real message the delivery worker sent to somebody about an incident, from a subscription made for the test."""

    def __init__(self, house: House, service: PushService, person: Someone) -> None:
        self.house, self.service = house, service
        phone = service.phone()
        device, key = person.page.evaluate(
            """async () => {
              const me = await (await fetch('/api/v1/me')).json();
              return [me.device.id, me.vapid_public_key];
            }"""
        )
        status = person.page.evaluate(
            """async ([device, body]) => (await fetch(`/api/v1/devices/${device}/subscription`, {
                 method: 'PUT', headers: { 'Content-Type': 'application/json', 'X-Tocsin': '1' }, body: JSON.stringify(body),
               })).status""",
            [device, {**phone.subscription, "vapid_public_key": key}],
        )
        assert status == 200
        self.name = phone.name

    def about(self, title: str) -> dict[str, Any]:
        """The message whose title holds this."""
        return until(lambda: next((one for one in self._mine() if title in one["notification"]["title"]), None))

    def _mine(self) -> list[dict[str, Any]]:
        return [note.data for note in self.service.accepted if note.phone == self.name]


def answered(scene: Scene, alert: str, person: str, kind: str) -> dict[str, Any]:
    """The recipient's row once the server has this answer."""
    return until(
        lambda: next(
            (row for row in scene.facts("recipient", alert=alert, person=person) if row["answer"] == kind), None
        )
    )


def test_a_push_is_shown_and_answered_by_its_buttons(house: House, push_service: PushService, someone: Arrive) -> None:
    security = someone("security-2")
    pushed = Pushed(house, push_service, security)
    pocket = Pocket(security)
    scene = activated(house)
    payload = pushed.about("维护秩序")
    alert, me = payload["tocsin"]["alert"], payload["tocsin"]["person"]

    # Shown in the person's language, with its buttons; the phone says that it was delivered.
    pocket.push(payload)
    shown = pocket.show(alert)
    assert (shown["title"], shown["lang"]) == (payload["notification"]["title"], "zh")
    assert shown["actions"] == [["received", "收到"], ["on_my_way", "出发"]]
    assert shown["requireInteraction"] is payload["tocsin"]["critical"]
    until(lambda: next((row for row in scene.facts("recipient", alert=alert, person=me) if row["delivered_at"]), None))

    # Without a network the answer is kept and said to be kept; the network brings it over, once, with its own time.
    security.offline()
    pocket.tap(alert, "received")
    pocket.confirmed(alert, "已答复：收到", "已保存在本机")
    assert scene.facts("recipient", alert=alert, person=me)[0]["answer"] is None
    security.offline(False)
    pocket.push(payload)
    kept = answered(scene, alert, me, "received")
    assert kept["answered_at"] < kept["answer_received_at"]

    # With a network it is there at once.
    pocket.tap(alert, "on_my_way")
    pocket.confirmed(alert, "已答复：出发", "已送达指挥部")
    answered(scene, alert, me, "on_my_way")


def test_an_expired_session_answers_by_the_messages_own_token(
    house: House, push_service: PushService, someone: Arrive
) -> None:
    security = someone("security-3")
    pushed = Pushed(house, push_service, security)
    other = Phone(house, "security-3")
    pocket = Pocket(security)
    scene = activated(house, "窗口再次不能出票")
    payload = pushed.about("维护秩序")
    alert, me = payload["tocsin"]["alert"], payload["tocsin"]["person"]
    assert other.call("POST", "/me/password", {"current": house.password, "new": house.password})[0] == 204

    pocket.push(payload)
    pocket.show(alert)
    pocket.tap(alert, "received")
    pocket.confirmed(alert, "已答复：收到", "已送达指挥部")
    kept = answered(scene, alert, me, "received")
    assert kept["answered_at"] <= kept["answer_received_at"]
    page = security.context.new_page()
    security.page = page
    page.goto(house.url)
    waiting = [one["path"] for one in security.stored("outbox") if "/answers/" in one["path"]]
    assert waiting == [], "an answer that has arrived waits no longer"


def test_somebody_elses_and_malformed_messages_show_a_notice_without_content(
    house: House, push_service: PushService, someone: Arrive
) -> None:
    security = someone("security-4")
    pushed = Pushed(house, push_service, security)
    activated(house, "闸机不识别门票")
    payload = pushed.about("维护秩序")
    security.go("#/me")
    security.page.get_by_role("button", name="退出登录").click()
    security.page.get_by_role("dialog").get_by_role("button", name="退出登录").click()
    security.page.get_by_label("用户名").wait_for()
    pocket = Pocket(security)

    pocket.push(payload)
    shown = pocket.show(payload["tocsin"]["alert"])
    assert (shown["title"], shown["body"]) == ("警钟", "有新的消息，请打开警钟查看。")
    assert (shown["data"], shown["actions"]) == (None, [])
    said = json.dumps(pocket.shown(), ensure_ascii=False)
    assert "维护秩序" not in said
    assert payload["tocsin"]["answer_token"] not in said

    latest = shown["at"]
    for malformed in (
        "",
        "{",
        "null",
        "[]",
        '"收到"',
        '{"notification": {}}',
        '{"notification": {"title": 5}, "tocsin": []}',
    ):
        pocket.push(malformed)
        notice = pocket.show("tocsin", latest)
        assert notice["body"] == "有新的消息，请打开警钟查看。", malformed
        latest = notice["at"]


def test_a_push_is_shown_at_once_while_the_server_answers_nothing(
    house: House, push_service: PushService, someone: Arrive
) -> None:
    security = someone("security-1")
    pushed = Pushed(house, push_service, security)
    pocket = Pocket(security)
    scene = activated(house, "售票系统整体中断")
    payload = pushed.about("维护秩序")
    alert, me = payload["tocsin"]["alert"], payload["tocsin"]["person"]
    with house.paused("web"):
        # A picture asked of the server would hold the words back for as long as the browser waits for it.
        pocket.push(payload)
        shown = pocket.show(alert)
        assert (shown["title"], shown["actions"]) == (
            payload["notification"]["title"],
            [["received", "收到"], ["on_my_way", "出发"]],
        )
        tapped = time.monotonic()
        pocket.tap(alert, "received")
        pocket.confirmed(alert, "已答复：收到", "已保存在本机")
        assert time.monotonic() - tapped < 4, "nobody waits for a time-out to read what has become of an answer"
    # Nothing more is tapped or pushed: the worker sends it, and the notification says that it has arrived.
    pocket.confirmed(alert, "已答复：收到", "已送达指挥部")
    answered(scene, alert, me, "received")
