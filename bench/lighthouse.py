"""Lighthouse on the sign-in page and on the first screen of somebody signed in: `python -m bench.lighthouse` prints a table.

Lighthouse is installed by npm beside the peers, never part of the product; its own settings for a phone (a slow link and a
processor slowed four times) are left as they are. Below the table stands what it found wrong.
"""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from bench.peers import FOLDER
from bench.phone import VIEWPORT
from tests.chromium import FLAGS, chromium_path
from tests.house import House, Phone, free_port

CATEGORIES = ("performance", "accessibility", "best-practices")
PACKAGE = "lighthouse@12"


def main() -> None:
    """Measure both screens and print what was found."""
    program = FOLDER / "node_modules" / ".bin" / "lighthouse"
    if not program.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(FOLDER), PACKAGE], check=True
        )
    with tempfile.TemporaryDirectory() as name:
        house = House(Path(name))
        house.start()
        try:
            visitor = Phone(house, "visitors-1")
            visitor.put("/incidents/", {"plan": "scenic-ticketing-failure", "title": "售票系统故障"})
            found = measured(program, house, Path(name))
        finally:
            house.stop()
    print("| screen | " + " | ".join(CATEGORIES) + " |\n|---|" + "---:|" * len(CATEGORIES))
    for screen, report in found.items():
        print(f"| {screen} | " + " | ".join(f"{report['categories'][one]['score']:.2f}" for one in CATEGORIES) + " |")
    for screen, report in found.items():
        for one in faults(report):
            print(f"- {screen}: {one}")


def measured(program: Path, house: House, folder: Path) -> dict[str, dict[str, Any]]:
    """The report of each screen."""
    port = free_port()
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            folder / "profile", executable_path=chromium_path(), viewport=VIEWPORT, locale="zh-CN",  # type: ignore[arg-type]
            args=[*FLAGS, f"--remote-debugging-port={port}"],
        )  # fmt: skip
        try:
            signed_out = report(program, f"{house.url}/#/sign-in", port, folder)
            sign_in(context.pages[0], house)
            return {"sign-in": signed_out, "now": report(program, f"{house.url}/#/now", port, folder)}
        finally:
            context.close()


def sign_in(page: Page, house: House) -> None:
    """Somebody with an alert waiting signs in, and the app settles."""
    page.goto(house.url)
    page.get_by_label("用户名").fill("it-1")
    page.get_by_label("密码", exact=True).fill(house.password)
    page.get_by_role("button", name="登录").click()
    page.locator("article.alert").first.wait_for()
    page.wait_for_timeout(3_000)


def report(program: Path, url: str, port: int, folder: Path) -> dict[str, Any]:
    """One run of Lighthouse in the browser at this port."""
    out = folder / "report.json"
    subprocess.run(
        [
            str(program), url, f"--port={port}", "--disable-storage-reset", "--quiet", "--output=json",
            f"--output-path={out}", f"--only-categories={','.join(CATEGORIES)}",
        ],
        check=True, env={**os.environ, "CI": "1"},
    )  # fmt: skip
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def faults(report: dict[str, Any]) -> list[str]:
    """What cost points, in Lighthouse's own words."""
    lines = []
    for category in CATEGORIES:
        for part in report["categories"][category]["auditRefs"]:
            audit = report["audits"][part["id"]]
            if part["weight"] and audit["score"] is not None and audit["score"] < 0.9:
                lines.append(f"{category}: {audit['title']} {audit.get('displayValue', '')}".rstrip())
    return lines


if __name__ == "__main__":
    main()
