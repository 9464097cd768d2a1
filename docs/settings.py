"""Writes the settings table of the operator's page from the settings themselves: `python -m docs.settings`."""

from pathlib import Path

from server.config import described

PAGE = Path(__file__).resolve().parent / "operator-guide.md"
BEGIN, END = "<!-- settings: python -m docs.settings -->", "<!-- end of settings -->"


def default(text: str) -> str:
    """A default as people read it."""
    return "empty" if text in {"", "()", "."} else {"True": "1", "False": "0"}.get(text, f"`{text}`")


def table() -> str:
    """Every setting with its default and meaning as a Markdown table."""
    rows = [f"| `{name}` | {default(given)} | {meaning} |" for name, given, meaning in described()]
    return "\n".join(["| setting | default | meaning |", "|---|---|---|", *rows])


def main() -> None:
    """Put the current table into the page."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main()
