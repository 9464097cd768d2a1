"""The phone's figures on the built app in headless Chromium: `python -m bench.phone` prints a table.

What is slowed four times is the page, by the browser's own throttle; the service worker beside it runs at full speed.
Each figure is the median of ROUNDS runs, with the least and the most in brackets; the scroll is one run.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page, Playwright, sync_playwright

from server.db import new_id
from tests.chromium import FLAGS, chromium_path
from tests.house import House, Phone

ROUNDS = 5
SLOWED = 4
ENTRIES = 2_000
VIEWPORT = {"width": 390, "height": 844}

# Runs before the app: notes when the first alert was painted, and how long each tap took to be shown as taken and as saved.
WATCH = """
window.seen = {};
window.taps = [];
new MutationObserver(() => {
  if (seen.alert === undefined && document.querySelector('article.alert h2'))
    requestAnimationFrame(() => requestAnimationFrame(() => {
      if (seen.alert === undefined) console.debug('painted', seen.alert = performance.now());
    }));
}).observe(document, { childList: true, subtree: true });
addEventListener('click', (event) => {
  const box = event.target.closest?.('[role=checkbox]');
  if (!box) return;
  const before = box.getAttribute('aria-checked');
  const card = box.closest('li');
  const tap = { taken: null, saved: null };
  const wait = new MutationObserver(() => {
    if (box.getAttribute('aria-checked') === before) return;
    tap.taken ??= performance.now() - event.timeStamp;
    if (!card.querySelector('[data-mark=saved]')) return;
    tap.saved = performance.now() - event.timeStamp;
    wait.disconnect();
    taps.push(tap);
  });
  wait.observe(card, { attributes: true, childList: true, subtree: true, characterData: true });
}, true);
"""
# Scrolls to the end in steps of 240 px, one a frame, until nothing more comes; returns each frame's length in ms.
SCROLL = """async () => {
  const frames = [];
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  let before = await frame();
  let still = 0;
  while (still < 30) {
    const at = scrollY;
    scrollBy(0, 240);
    const now = await frame();
    frames.push(now - before);
    before = now;
    still = scrollY === at ? still + 1 : 0;
  }
  const last = [...document.querySelectorAll('ol.timeline > li[aria-posinset]')].at(-1);
  return { frames, shown: Number(last.ariaSetSize), reached: Number(last.ariaPosInSet) };
}"""


def main() -> None:
    """Run everything and print the table in Markdown."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = options.parse_args().rounds
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        house = House(Path(name))
        house.start()
        try:
            prepare(house)
            rows = measure(playwright, house, Path(name) / "profile", rounds)
        finally:
            house.stop()
    print("| figure | ours | goal |\n|---|---:|---:|")
    for figure, ours, goal in rows:
        print(f"| {figure} | {ours} | {goal} |")


def prepare(house: House) -> None:
    """An activated incident with a long timeline."""
    commander, visitor = Phone(house, "commander"), Phone(house, "visitors-1")
    incident = new_id()
    body = {"plan": "scenic-ticketing-failure", "title": "售票系统故障"}
    check(visitor.put(f"/incidents/{incident}", body))
    check(commander.put(f"/incidents/{incident}/decisions/", {"kind": "activate"}))
    for start in range(0, ENTRIES, 50):
        items = []
        for number in range(start, min(start + 50, ENTRIES)):
            id = new_id()
            path = f"/api/v1/incidents/{incident}/entries/{id}"
            items.append(
                {"id": id, "seq": number + 1, "method": "PUT", "path": path, "body": {"text": f"第 {number} 条记事"}}
            )
        batch = {
            "device": commander.device,
            "person": commander.me["person"]["id"],
            "epoch": commander.me["epoch"],
            "items": items,
        }
        status, answer = commander.call("POST", "/batch", batch)
        if status != 200 or any(one["status"] != "applied" for one in answer["results"]):
            sys.exit(f"the timeline could not be filled: {answer}")


def check(answer: tuple[int, Any]) -> None:
    if answer[0] != 201:
        sys.exit(f"refused: {answer}")


def measure(playwright: Playwright, house: House, profile: Path, rounds: int) -> list[tuple[str, str, str]]:
    """The rows of the table."""
    with browser(playwright, profile) as context:
        page = context.pages[0]
        sizes = first_load(page, house)
    starts: list[float] = []
    taps: list[dict[str, float]] = []
    frames: list[float] = []
    shown = 0
    for number in range(rounds):
        with browser(playwright, profile, offline=True) as context:
            page = slowed(context)
            # Nothing is asked of the page before it has painted: each question would cost it time.
            with page.expect_console_message(lambda said: said.text.startswith("painted")):
                page.goto(house.url, wait_until="commit")
            starts.append(page.evaluate("() => window.seen.alert"))
            taps += tap(page)
            if number == rounds - 1:
                page.evaluate(
                    "() => { location.hash = document.querySelector('main a[href*=\"/incidents/\"]').hash + '/timeline' }"
                )
                page.locator("ol.timeline > li").first.wait_for()
                scrolled = page.evaluate(SCROLL)
                frames, shown = scrolled["frames"], scrolled["shown"]
                if scrolled["reached"] != shown:
                    sys.exit(f"the scroll ended at entry {scrolled['reached']} of {shown}")
    late = [frame for frame in frames if frame > 50]
    return [
        ("script of the first load, compressed as sent, kB", f"{sizes / 1000:.1f}", "≤ 120, then 80"),
        ("cold start offline to my alerts, ms", spread(starts), "≤ 1,000, then 500"),
        ("tap to taken, on the screen, ms", spread([one["taken"] for one in taps]), "≤ 50"),
        ("tap to saved on this phone, as the screen says, ms", spread([one["saved"] for one in taps]), "≤ 50"),
        (f"scrolling {shown:,} entries: frames over 50 ms, of all; the longest, ms", f"{len(late)} of {len(frames)}; {max(frames):.0f}", "0"),
    ]  # fmt: skip


@contextmanager
def browser(playwright: Playwright, profile: Path, *, offline: bool = False) -> Iterator[BrowserContext]:
    """A browser of its own on the profile, started from cold."""
    context = playwright.chromium.launch_persistent_context(
        profile, executable_path=chromium_path(), args=[*FLAGS], viewport=VIEWPORT, locale="zh-CN",  # type: ignore[arg-type]
    )  # fmt: skip
    context.set_default_timeout(60_000)
    context.add_init_script(WATCH)
    context.set_offline(offline)
    try:
        yield context
    finally:
        context.close()


def slowed(context: BrowserContext) -> Page:
    """The context's page, slowed."""
    page = context.pages[0]
    context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWED})
    return page


def first_load(page: Page, house: House) -> int:
    """Bytes of script, as sent, that the browser fetched before the first screen stood; then signs in and lets the app settle."""
    sent: dict[str, int] = {}

    def finished(event: dict[str, Any]) -> None:
        if event["requestId"] in scripts:
            sent[event["requestId"]] = event["encodedDataLength"]

    scripts: set[str] = set()
    session = page.context.new_cdp_session(page)
    session.on(
        "Network.responseReceived", lambda event: scripts.add(event["requestId"]) if event["type"] == "Script" else None
    )
    session.on("Network.loadingFinished", finished)
    session.send("Network.enable")
    page.goto(house.url)
    page.get_by_label("用户名").fill("security-1")
    total = sum(sent.values())
    page.get_by_label("密码", exact=True).fill(house.password)
    page.get_by_role("button", name="登录").click()
    page.locator("article.alert").first.wait_for()
    page.evaluate("() => navigator.serviceWorker.ready.then(() => true)")
    page.wait_for_timeout(3_000)
    session.detach()
    return total


def tap(page: Page) -> list[dict[str, float]]:
    """Tick and untick items of a checklist; how long each took to stand on the screen, and to stand there as saved."""
    page.locator("main a[href*='/checklists/']").first.wait_for()
    page.evaluate("() => { location.hash = document.querySelector('main a[href*=\"/checklists/\"]').hash }")
    boxes = page.locator("main ol [role=checkbox]:not([disabled])")
    boxes.first.wait_for()
    for number in range(min(3, boxes.count())):
        boxes.nth(number).click()
        page.wait_for_function("count => window.taps.length === count", arg=number + 1)
    found: list[dict[str, float]] = page.evaluate("() => window.taps")
    page.evaluate("() => history.back()")
    page.locator("article.alert").first.wait_for()
    return found


def spread(figures: list[float]) -> str:
    return f"{statistics.median(figures):,.0f} ({min(figures):,.0f} – {max(figures):,.0f})"


if __name__ == "__main__":
    main()
