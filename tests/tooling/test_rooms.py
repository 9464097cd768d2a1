"""Files stay short, say what they are for, and carry a name from the trade; the tools check who imports whom."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST_LINES = 400
SOURCES = {".py", ".ts", ".svelte"}
DICTIONARIES = {Path("pwa/src/i18n/en.ts"), Path("pwa/src/i18n/zh.ts"), Path("pwa/src/types/api.ts")}
EMPTY_WORDS = {
    "utils",
    "util",
    "helpers",
    "helper",
    "manager",
    "managers",
    "service",
    "services",
    "base",
    "common",
    "misc",
}


def sources(*folders: str) -> list[Path]:
    """Every source below these folders, relative to the root."""
    found = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in SOURCES]
    return sorted(path.relative_to(ROOT) for path in found)


def lines(path: Path) -> list[str]:
    return (ROOT / path).read_text(encoding="utf-8").splitlines()


def test_finds_the_sources() -> None:
    assert Path("server/db.py") in sources("server")
    assert sources("pwa/src")


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    lengths = {str(path): len(lines(path)) for path in sources("server", "pwa/src") if path not in DICTIONARIES}
    assert {path: length for path, length in lengths.items() if length > MOST_LINES} == {}


def test_no_file_has_a_name_that_says_nothing() -> None:
    empty = [
        str(path)
        for path in sources("server", "pwa/src")
        if any(EMPTY_WORDS & set(re.split(r"[^a-z]+", part.lower())) for part in path.with_suffix("").parts)
    ]
    assert empty == []


def test_every_file_opens_with_what_it_is_for() -> None:
    opens = {".py": ('"""', "#!"), ".ts": ("/**", "//"), ".svelte": ("<!--",)}
    silent = [
        str(path)
        for path in sources("server", "tests", "bench", "pwa/src")
        if lines(path) and not path.name.endswith(".test.ts") and not lines(path)[0].startswith(opens[path.suffix])
    ]
    assert silent == []


@pytest.mark.parametrize("room", ["server"])
def test_no_import_hides_from_the_checks(room: str) -> None:
    """An import for type checkers alone, or one made by name at run time, would slip past the direction of imports."""
    hiding = []
    for path in sources(room):
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Name) and node.id in {"TYPE_CHECKING", "__import__"}:
                hiding.append(f"{path}:{node.lineno}")
            if isinstance(node, ast.Attribute) and node.attr in {"TYPE_CHECKING", "import_module"}:
                hiding.append(f"{path}:{node.lineno}")
    assert hiding == []
