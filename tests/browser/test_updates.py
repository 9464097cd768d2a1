"""A new version of the app: with an old queue, over work in hand, and when the server takes the old one no more."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from server.api.shell import WEB
from server.db import new_id
from tests.browser.conftest import SLOW, Someone, run_house
from tests.browser.scene import activated, until
from tests.house import House, Phone

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
Arrive = Callable[..., Someone]
QUEUED = 40
# What the first version of the store looked like, with facts in it that nobody has sent.
OLD_STORE = """async ({ person, device, entries }) => {
  const opened = (name, upgrade) => new Promise((done, failed) => {
    const asked = indexedDB.open(name, 1);
    asked.onupgradeneeded = () => upgrade(asked.result);
    asked.onsuccess = () => done(asked.result);
    asked.onerror = () => failed(asked.error);
  });
  const shared = await opened('tocsin', (db) => db.createObjectStore('settings'));
  const mine = await opened(`tocsin-${person}`, (db) => {
    db.createObjectStore('rows', { keyPath: ['space', 'type', 'id'] }).createIndex('space', 'space');
    db.createObjectStore('cursors', { keyPath: 'space' });
    db.createObjectStore('outbox', { keyPath: 'id' }).createIndex('order', ['priority', 'seq']);
    db.createObjectStore('sent', { keyPath: 'id' }).createIndex('sent_at', 'sent_at');
    db.createObjectStore('tray', { keyPath: 'id' });
    db.createObjectStore('drafts', { keyPath: 'key' });
    db.createObjectStore('blobs', { keyPath: 'id' });
    db.createObjectStore('meta');
  });
  const put = (db, store, value, key) => new Promise((done, failed) => {
    const tx = db.transaction(store, 'readwrite');
    for (const one of value) key === undefined ? tx.objectStore(store).put(one) : tx.objectStore(store).put(one, key);
    tx.oncomplete = done;
    tx.onerror = () => failed(tx.error);
  });
  await put(shared, 'settings', [person], 'person');
  await put(shared, 'settings', [device], 'device');
  await put(mine, 'outbox', entries);
  await put(mine, 'meta', [entries.length], 'seq');
  await put(mine, 'meta', [(await (await fetch('/api/v1/me')).json())], 'me');
  shared.close();
  mine.close();
}"""


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder the house serves the app from; tests lay other builds into it."""
    folder = tmp_path_factory.mktemp("web")
    shutil.copytree(WEB, folder, dirs_exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, builds: Path) -> Iterator[House]:
    """Web and worker with a build of the app that can be changed."""
    yield from run_house(tmp_path_factory.mktemp("house"), TOCSIN_WEB=str(builds))


def deploy(builds: Path, name: str, *, broken: bool = False) -> None:
    """Lay in another build: the same app under another version, or one whose page does not start."""
    version = re.search(r"[0-9a-f]{16}", (WEB / "sw.js").read_text())
    assert version
    page = (WEB / "index.html").read_text().replace("<html", f'<html data-build="{name}"', 1)
    if broken:
        page = re.sub(r'(<script[^>]*src=")[^"]+', r"\1/assets/broken.js", page, count=1)
        (builds / "assets" / "broken.js").write_text("document.body.textContent = '';")
    for file, text in (
        ("index.html", page),
        ("sw.js", (WEB / "sw.js").read_text().replace(version[0], name.ljust(16, "0"))),
    ):
        (builds / file).write_text(text)
        for ending in (".br", ".gz"):
            (builds / (file + ending)).unlink(missing_ok=True)


def build_of(page: Page) -> str:
    """Which build this page is of."""
    return str(page.evaluate("document.documentElement.dataset.build ?? ''"))


def look_for_update(page: Page) -> None:
    """Let the browser look at once whether there is a new worker."""
    page.evaluate("navigator.serviceWorker.getRegistration().then((found) => found.update()).then(() => true)")


def test_forty_items_of_the_first_store_arrive_once_after_the_update(house: House, someone: Arrive) -> None:
    me = someone("security-3", signed_in=False)
    page = me.page
    page.goto(f"{house.url}/manifest.webmanifest")
    device = new_id()
    body = {"username": "security-3", "password": house.password, "device": {"id": device, "name": "old"}}
    person = page.evaluate(
        """async (body) => (await (await fetch('/api/v1/sessions', {
             method: 'POST', headers: { 'Content-Type': 'application/json', 'X-Tocsin': '1' }, body: JSON.stringify(body),
           })).json()).person.id""",
        body,
    )
    scene = activated(house)
    commander = scene.commander
    incident, place = scene.incident, next(row["id"] for row in commander.all("place") if row["code"] == "west-gate")
    at = "2026-01-01T00:00:00.000Z"
    entries = [
        {"id": id, "seq": number + 1, "priority": 1, "path": f"/api/v1/tallies/{id}",
         "body": {"incident": incident, "place": place, "kind": "in", "count": number + 1, "window_seconds": 30, "occurred_at": at},
         "effects": [], "photos": [], "made_at": at, "attempts": 0, "not_before": 0}
        for number, id in enumerate(new_id() for _ in range(QUEUED))
    ]  # fmt: skip
    page.evaluate(OLD_STORE, {"person": person, "device": device, "entries": entries})
    page.goto(house.url)
    me.ready()
    until(lambda: True if me.waiting() == 0 else None)
    commander.pull()
    counted = sorted(row["count"] for row in commander.all("tally") if row["by"] == person)
    assert counted == list(range(1, QUEUED + 1)), "each once"
    assert me.stored("tray") == []


def test_a_new_version_waits_for_the_work_in_hand(house: House, builds: Path, someone: Arrive) -> None:
    me = someone("security-1")
    page = me.page
    me.go("#/report")
    page.locator("fieldset label", has_text="人流拥挤").click()
    page.get_by_label("说明").fill("说到一半")
    until(
        lambda: True if any("说到一半" in json.dumps(one, ensure_ascii=False) for one in me.stored("drafts")) else None
    )

    deploy(builds, "second")
    look_for_update(page)
    offered = page.get_by_role("button", name="有新版本")
    expect(offered).to_be_visible(timeout=SLOW)
    offered.click()
    expect(page.get_by_text("请先提交或清空已开始的表单")).to_be_visible()
    assert build_of(page) == ""
    expect(page.get_by_label("说明")).to_have_value("说到一半")

    # The form is sent: now it may.
    page.get_by_role("button", name="上报", exact=True).last.click()
    expect(page.get_by_role("heading", name="上报", exact=True)).to_be_hidden()
    until(lambda: True if me.waiting() == 0 else None)
    offered.click()
    page.wait_for_function("() => document.documentElement.dataset.build === 'second'")
    me.go("#/now")
    me.ready()


def test_a_server_that_takes_this_version_no_more_keeps_the_queue_and_asks_for_the_update(
    house: House, builds: Path, someone: Arrive
) -> None:
    deploy(builds, "third")
    me = someone("security-2")
    page = me.page
    outdated = {
        "status": 426,
        "headers": {"Content-Type": "application/problem+json", "X-Tocsin-Time": "2026-01-01T00:00:00.000Z"},
        "body": json.dumps({"title": "update", "status": 426, "code": "update_needed"}),
    }

    def refuse(route: Route) -> None:
        route.fulfill(**outdated)  # type: ignore[arg-type]

    for path in ("batch", "changes"):
        page.route(f"**/api/v1/{path}", refuse)
    me.go("#/report")
    page.locator("fieldset label", has_text="人流拥挤").click()
    page.get_by_label("说明").fill("旧版本的话")
    page.get_by_role("button", name="上报", exact=True).last.click()
    needed = page.get_by_role("button", name="需要更新版本")
    expect(needed).to_be_visible(timeout=SLOW)
    assert me.waiting() >= 1

    # The newest build is fetched, takes over with the queue unsent, and sends it.
    deploy(builds, "fourth")
    page.unroute_all()
    needed.click()
    page.wait_for_function("() => document.documentElement.dataset.build === 'fourth'")
    until(lambda: True if me.waiting() == 0 else None)
    commander = Phone(house, "commander")
    commander.pull()
    assert len([row for row in commander.all("report") if row["text"] == "旧版本的话"]) == 1


@pytest.mark.long
def test_a_build_that_does_not_start_is_replaced_and_the_worker_can_be_taken_off(
    house: House, builds: Path, someone: Arrive
) -> None:
    deploy(builds, "wrong", broken=True)
    me = someone("security-4", signed_in=False)
    page = me.page
    page.goto(house.url)
    page.evaluate(
        "navigator.serviceWorker.register('/sw.js').then(() => navigator.serviceWorker.ready).then(() => true)"
    )
    page.reload()
    assert build_of(page) == "wrong"

    # The next good build comes by itself: on a blank page nobody can press a button.
    deploy(builds, "mended")
    page.reload()
    page.wait_for_function("() => document.documentElement.dataset.build === 'mended'", timeout=3 * SLOW)
    me.fill_in()
    me.ready()

    # The worker itself is at fault: switched off, it goes at the next visit, and what was made stays.
    me.offline()
    me.go("#/report")
    page.locator("fieldset label", has_text="人流拥挤").click()
    page.get_by_label("说明").fill("没有网络时写的")
    page.get_by_role("button", name="上报", exact=True).last.click()
    expect(page.get_by_role("heading", name="上报", exact=True)).to_be_hidden()
    assert me.waiting() >= 1
    house.kill("web")
    house.environment["TOCSIN_WORKER_OFF"] = "1"
    house.start("web")
    me.offline(False)
    page.reload()
    page.wait_for_function(
        """async () => !navigator.serviceWorker.controller
             && (await caches.keys()).every((name) => !name.startsWith('tocsin-shell-'))""",
        timeout=SLOW,
    )
    until(lambda: True if me.waiting() == 0 else None)
    commander = Phone(house, "commander")
    commander.pull()
    assert len([row for row in commander.all("report") if row["text"] == "没有网络时写的"]) == 1
