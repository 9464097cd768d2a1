"""The installed Firefox, pointed at a push service of ours: a real push in a real browser; as a script, installs one."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import BrowserContext, Playwright

NAMES = ("firefox-esr", "firefox")


def firefox_path() -> str | None:
    """Where Firefox is: TOCSIN_TEST_FIREFOX, else firefox-esr or firefox on the path."""
    return os.environ.get("TOCSIN_TEST_FIREFOX") or next(filter(None, map(shutil.which, NAMES)), None)


def preferences(push_url: str) -> dict[str, str | float | bool]:
    """Take pushes from this service over plain WebSocket, and ask nobody about notifications."""
    return {
        "dom.push.enabled": True,
        "dom.push.connection.enabled": True,
        "dom.push.testing.allowInsecureServerURL": True,
        "dom.push.serverURL": push_url,
        "dom.push.retryBaseInterval": 300,
        "permissions.default.desktop-notification": 1,
        "alerts.useSystemBackend": False,
        "dom.webnotifications.requireinteraction.count": 100,
    }


@contextmanager
def running_firefox(playwright: Playwright, push_url: str, profile: Path) -> Iterator[BrowserContext]:
    """A window without a screen, with a profile of its own."""
    path = firefox_path()
    assert path is not None
    context = playwright.firefox.launch_persistent_context(
        profile,
        channel="moz-firefox",
        executable_path=path,
        headless=True,
        firefox_user_prefs=preferences(push_url),
    )
    try:
        yield context
    finally:
        context.close()


def main() -> None:
    """Install Firefox where that may be done without asking, else say how."""
    if firefox_path() is None and shutil.which("apt-get") and os.geteuid() == 0:
        silent = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "firefox-esr"]):
            subprocess.run(command, check=False, env=silent, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    if firefox_path() is None:
        sys.stdout.write(
            "No Firefox: the test of a real push is left out. Install firefox-esr or set TOCSIN_TEST_FIREFOX.\n"
        )


if __name__ == "__main__":
    main()
