"""What is shipped holds the server, the built app, the migrations and the plan library, and installs without Node."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(300)


def make(kind: str, folder: Path, out: Path, path: str | None = None) -> Path:
    """Makes a wheel or sdist of `folder` into `out`, with `path` as PATH, and returns the file."""
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(out)],
        cwd=folder, env={**os.environ, **({} if path is None else {"PATH": path})},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    (made,) = out.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return made


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source archive of this clone."""
    return make("sdist", ROOT, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as pip would make it from the source archive, on a machine with no program but Python."""
    unpacked = tmp_path_factory.mktemp("unpacked")
    subprocess.run([sys.executable, "-m", "tarfile", "-e", str(sdist), str(unpacked)], check=True, capture_output=True)
    (folder,) = unpacked.iterdir()
    made = make("wheel", folder, tmp_path_factory.mktemp("wheel"), path=str(unpacked / "nothing"))
    assert not (folder / "pwa/node_modules").exists()
    return made


def test_the_wheel_is_complete(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    ours = {
        str(path.relative_to(ROOT)) for path in (ROOT / "server").rglob("*") if path.is_file() and path.suffix != ".pyc"
    }
    assert ours <= names
    assert {"server/web/index.html", "server/web/sw.js", "server/web/index.html.br"} <= names
    migrations = {f"server/migrations/{path.name}" for path in (ROOT / "migrations").glob("*.py")}
    assert migrations
    assert migrations <= names


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    rooms = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {room for room in rooms if not room.endswith(".dist-info")} == {"server"}


def test_the_source_archive_can_be_built_again(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pwa/package-lock.json", "pwa/.npmrc", "pwa/src/sw.ts", "build_web.py", "LICENSE", "README.md"} <= names
    assert not [name for name in names if name.startswith(("pwa/node_modules", "var/", ".venv"))]
