"""The lock files install the same things on every machine, wherever its packages come from."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-build.lock", "requirements-dev.lock")
PIN = re.compile(r"^([a-z0-9._-]+)==(\S+)", re.MULTILINE)


def pins(name: str) -> dict[str, set[str]]:
    """The versions that a lock pins of each package; some have another version for another Python."""
    found: dict[str, set[str]] = {}
    for package, version in PIN.findall((ROOT / name).read_text()):
        found.setdefault(package, set()).add(version)
    return found


def wanted(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=;! ]", requirement)[0].lower() for requirement in requirements}


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.mark.parametrize("name", LOCKS)
def test_names_no_address_and_no_folder(name: str) -> None:
    text = (ROOT / name).read_text()
    assert re.findall(r"\w+://\S+|^\s*-(?!-hash=)\S.*|@ \S+", text, re.MULTILINE) == []
    assert not re.search(r"(^|\s)(/|~/|\./)\w", text)


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_has_hashes(name: str) -> None:
    entries = re.split(r"\n(?=[a-z0-9])", (ROOT / name).read_text().strip())
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_holds_what_the_project_asks_for() -> None:
    settings = project()
    groups = settings["dependency-groups"]
    assert wanted(settings["project"]["dependencies"]) <= pins("requirements.lock").keys()
    assert wanted(groups["build"]) <= pins("requirements-build.lock").keys()
    assert wanted([*groups["build"], *groups["test"]]) <= pins("requirements-dev.lock").keys()


@pytest.mark.parametrize("name", LOCKS[:2])
def test_the_locks_agree(name: str) -> None:
    everything = pins("requirements-dev.lock")
    assert {
        package for package, versions in pins(name).items() if not versions <= everything.get(package, set())
    } == set()


def test_the_app_is_locked_without_addresses_and_for_every_platform() -> None:
    packages = json.loads((ROOT / "pwa/package-lock.json").read_text())["packages"]
    assert [name for name, entry in packages.items() if "resolved" in entry] == []
    assert [name for name, entry in packages.items() if name and not entry.get("integrity")] == []
    missing = [
        (name, other)
        for name, entry in packages.items()
        for other in entry.get("optionalDependencies", {})
        if name and f"node_modules/{other}" not in packages and f"{name}/node_modules/{other}" not in packages
    ]
    assert missing == []


def test_the_app_names_exact_versions() -> None:
    package = json.loads((ROOT / "pwa/package.json").read_text())
    asked = {**package["dependencies"], **package["devDependencies"]}
    assert {name: version for name, version in asked.items() if not re.fullmatch(r"\d+\.\d+\.\d+", version)} == {}
