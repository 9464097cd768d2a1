"""Finds the Chromium that the browser walks use; run as a script, it installs one where it may, else says how."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
MAC = (
    Path("/Applications/Chromium.app/Contents/MacOS/Chromium"),
    Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
)
# A browser in a container has no user namespaces, and none of the walks may call home.
FLAGS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
)


def chromium_path() -> str | None:
    """The browser's program: what TOCSIN_TEST_CHROMIUM names, else the first one installed, else None."""
    named = os.environ.get("TOCSIN_TEST_CHROMIUM")
    if named:
        return named
    found = (shutil.which(name) for name in NAMES)
    return next((path for path in found if path), next((str(path) for path in MAC if path.exists()), None))


def main() -> None:
    if chromium_path():
        return
    if shutil.which("apt-get") and os.geteuid() == 0:
        print("Installing Chromium for the browser walks …", flush=True)
        silent = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "chromium"]):
            subprocess.run(command, check=False, env=silent, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    if not chromium_path():
        sys.exit(
            "The browser walks need Chromium or Chrome, and none was found.\n"
            "Install it (Debian, Ubuntu: sudo apt install chromium; macOS: brew install --cask google-chrome)\n"
            "or set TOCSIN_TEST_CHROMIUM to its program."
        )


if __name__ == "__main__":
    main()
