"""The library on disk: the plans that come with Tocsin, by key, category and source."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from server.domain.rules import Plan
from server.planning.compiler import compile_plan

FOLDER = Path(__file__).resolve().parent / "library"


@dataclass(frozen=True)
class Book:
    """One plan of the library: its file's name, its text as written, and what it compiles to."""

    file: str
    text: str
    plan: Plan


@lru_cache(maxsize=1)
def books() -> tuple[Book, ...]:
    """Every plan of the library, by file name."""
    found = []
    for path in sorted(FOLDER.glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        found.append(Book(path.name, text, compile_plan(text, path.name)))
    return tuple(found)


def find(key: str) -> Book | None:
    """The library's plan with this key, source number or file name, or None."""
    return next((book for book in books() if key in (book.plan.key, book.plan.source, book.file)), None)
