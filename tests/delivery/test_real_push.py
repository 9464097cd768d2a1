"""A real browser gets a real push: from a row in the outbox through the worker and a push service to a service worker."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from playwright.sync_api import Page, Playwright

from server.db import Database
from server.delivery.vapid import load_or_make_key, public_key_text
from server.delivery.worker import VAPID_FILE
from server.domain import feed
from server.domain.push_endpoints import decode_key
from tests.delivery.household import alert, states, subscribe
from tests.delivery.test_worker import wait_until, working
from tests.firefox import firefox_path, running_firefox
from tests.push_service import PushService

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(firefox_path() is None, reason="no Firefox; install firefox-esr or set TOCSIN_TEST_FIREFOX"),
]

PAGE = b"<!doctype html><html lang=en><title>Push</title><p>Push</html>"
WORKER = b"""
self.addEventListener("push", (event) => {
  const { notification } = event.data.json();
  const shown = self.registration.showNotification(notification.title, notification);
  event.waitUntil(shown.then(() => fetch("/shown", { method: "POST", body: JSON.stringify(notification) })));
});
"""
SUBSCRIBE = """async (key) => {
  const registration = await navigator.serviceWorker.register("/sw.js");
  await navigator.serviceWorker.ready;
  const options = { userVisibleOnly: true, applicationServerKey: key };
  return (await registration.pushManager.subscribe(options)).toJSON();
}"""


class Site(BaseHTTPRequestHandler):
    """A page and its service worker, which says here what it has shown."""

    shown: ClassVar[list[dict[str, Any]]] = []

    def do_GET(self) -> None:
        kind, body = ("text/javascript", WORKER) if self.path == "/sw.js" else ("text/html", PAGE)
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        Site.shown.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


class BrowserPhone:
    """What household.subscribe wants to know of a phone, for a browser's own subscription."""

    def __init__(self, subscription: dict[str, Any]) -> None:
        self.endpoint: str = subscription["endpoint"]
        self.point = decode_key(subscription["keys"]["p256dh"])
        self.secret = decode_key(subscription["keys"]["auth"])


@contextmanager
def page_in_firefox(playwright: Playwright, push_url: str, profile: Path) -> Iterator[Page]:
    site = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=site.serve_forever)
    thread.start()
    try:
        with running_firefox(playwright, push_url, profile) as context:
            page = context.new_page()
            page.goto(f"http://localhost:{site.server_port}/")
            yield page
    finally:
        site.shutdown()
        thread.join()
        site.server_close()


def test_firefox_shows_the_alert_our_worker_sent(
    make_database: Callable[[str], str], playwright: Playwright, tmp_path: Path
) -> None:
    database = Database(make_database("sqlite"))
    feed.attach(database)
    key = public_key_text(load_or_make_key(tmp_path / VAPID_FILE))
    with PushService() as service, page_in_firefox(playwright, service.browser_url, tmp_path / "profile") as page:
        phone = BrowserPhone(page.evaluate(SUBSCRIBE, key))
        person = database.write(lambda s: subscribe(s, phone))
        with working(database, service, tmp_path):
            shown = database.write(lambda s: alert(s, [person]))
            (acknowledged,) = service.wait_for_acknowledgements(1)
            wait_until(lambda: bool(Site.shown))
            wait_until(lambda: states(database) == {"sent": 1})
        assert acknowledged["updates"][0]["code"] == 100, "Firefox could decrypt it and its handler was content"
        (notification,) = Site.shown
        assert (notification["title"], notification["tag"]) == ("启动预案", shown)
        assert notification["data"]["alert"] == shown
        assert notification["data"]["answer_token"]
        assert service.complaints == []
    database.dispose()
