"""The browser for the walks is found where people have it, installed where that is allowed, and asked for otherwise."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import chromium


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without a browser, whose only folder of programs is the one returned."""
    monkeypatch.delenv("TOCSIN_TEST_CHROMIUM", raising=False)
    monkeypatch.setattr(chromium, "MAC", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def program(path: Path) -> Path:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_takes_the_browser_that_is_named(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(bare / "chromium")
    monkeypatch.setenv("TOCSIN_TEST_CHROMIUM", "/somewhere/else")
    assert chromium.chromium_path() == "/somewhere/else"


@pytest.mark.parametrize("name", chromium.NAMES)
def test_finds_an_installed_browser(bare: Path, name: str) -> None:
    assert chromium.chromium_path() is None
    made = program(bare / name)
    assert chromium.chromium_path() == str(made)


def test_says_what_to_install_where_it_may_not(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(bare / "apt-get")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SystemExit, match="apt install chromium"):
        chromium.main()


def test_installs_it_where_it_may(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(bare / "apt-get")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    asked: list[list[str]] = []

    def run(command: list[str], **_: object) -> None:
        asked.append(command)
        if "install" in command:
            program(bare / "chromium")

    monkeypatch.setattr(subprocess, "run", run)
    chromium.main()
    assert [command[1] for command in asked] == ["update", "install"]
    assert shutil.which("chromium")
