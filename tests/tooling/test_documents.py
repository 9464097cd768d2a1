"""What the documents promise holds: links lead somewhere, settings and commands are the real ones, and they speak of the product."""

import re
import subprocess
from pathlib import Path
from urllib.parse import unquote

import pytest
from PIL import Image

from docs import settings as page
from server.cli import COMMANDS
from server.config import described
from server.plan_commands import plan

ROOT = Path(__file__).parents[2]
SKIPPED = {"node_modules", ".venv", "var", "dist", "build", "test-results", ".pytest_cache", "web"}
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
# Homes and work folders of the machine it was written on, and words about how it was made instead of what it is.
MACHINE = re.compile(r"(?<![\w.])/(?:work|home|root|Users|tmp)/|\bC:\\|\blocalhost:\d|\.internal\b")
MAKING = re.compile(
    r"\b(?:AI|LLM|GPT|agents?|assistants?|prompts?|language models?|chatbots?|co-authored|as asked|per the brief)\b"
    r"|人工智能|大模型|智能体|提示词",
    re.IGNORECASE,
)
MOST_DECISION_LINES, MOST_PICTURE_BYTES = 20, 300_000


def documents() -> list[Path]:
    """Every Markdown page of the repository, relative to its root."""
    found = (path.relative_to(ROOT) for path in ROOT.rglob("*.md"))
    return sorted(path for path in found if not SKIPPED & set(path.parts))


def text_of(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def anchors(path: Path) -> set[str]:
    """The addresses of a page's headings, as code hosts make them."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", FENCE.sub("", text_of(path)), re.MULTILINE):
        bare = re.sub(r"[^\w\- ]", "", LINK.sub(lambda link: link[0].split("]")[0], heading).lower())
        found.add(bare.strip().replace(" ", "-"))
    return found


def broken_links(path: Path) -> list[str]:
    """The relative links of a page that lead nowhere."""
    found = []
    for link in LINK.findall(FENCE.sub("", text_of(path))):
        if re.match(r"[a-z][a-z0-9+.-]*:", link):
            continue
        file, _, anchor = unquote(link).partition("#")
        target = (ROOT / path).parent / file if file else ROOT / path
        if not target.exists() or (anchor and anchor not in anchors(target.resolve().relative_to(ROOT))):
            found.append(link)
    return found


def commands(text: str, program: str) -> set[str]:
    """The words that follow `program` where a page shows commands."""
    shown = "\n".join([*FENCE.findall(text), *re.findall(r"`([^`\n]+)`", text)])
    return set(re.findall(rf"(?<![\w-]){program} ([a-z][a-z-]*)", shown))


def test_finds_the_documents() -> None:
    assert {Path("README.md"), Path("README.zh-CN.md"), Path("docs/operator-guide.md")} <= set(documents())


@pytest.mark.parametrize("path", documents(), ids=str)
def test_links_lead_somewhere(path: Path) -> None:
    assert broken_links(path) == []


@pytest.mark.parametrize("path", documents(), ids=str)
def test_speaks_of_the_product_alone(path: Path) -> None:
    text = text_of(path)
    assert [found[0] for found in MACHINE.finditer(text)] == []
    assert [found[0] for found in MAKING.finditer(text)] == []


@pytest.mark.parametrize("path", documents(), ids=str)
def test_commands_exist(path: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):(?!=)", text_of(Path("Makefile")), re.MULTILINE))
    text = text_of(path)
    assert commands(text, "make") <= targets
    assert commands(text, "tocsin") <= set(COMMANDS)
    assert commands(text, "tocsin plan") <= set(plan.commands)


def test_the_two_commands_are_shown() -> None:
    for readme in ("README.md", "README.zh-CN.md"):
        assert {"run", "test"} <= commands(text_of(Path(readme)), "make")


def test_the_readmes_count_the_plans() -> None:
    count = len(list((ROOT / "server" / "planning" / "library").glob("*.yaml")))
    assert f" {count} plans are included" in text_of(Path("README.md"))
    assert f"随附 {count} 份预案" in text_of(Path("README.zh-CN.md"))


def test_the_settings_table_is_current() -> None:
    """Mended by `python -m docs.settings`."""
    shown = page.PAGE.read_text(encoding="utf-8").split(page.BEGIN)[1].split(page.END)[0].strip()
    assert shown == page.table()


def test_the_chinese_settings_table_names_the_same() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.+?) \| \S", text_of(Path("docs/operator-guide.zh-CN.md")), re.MULTILINE)
    assert rows == [(name, page.default(given).replace("empty", "空")) for name, given, _ in described()]


def test_both_languages_have_the_same_sections() -> None:
    for name in ("README", "docs/user-guide", "docs/operator-guide"):
        marks = [
            re.findall(r"^#+", FENCE.sub("", text_of(Path(f"{name}{end}"))), re.MULTILINE)
            for end in (".md", ".zh-CN.md")
        ]
        assert marks[0] == marks[1], name


def test_decisions_are_short_and_listed() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    index = text_of(Path("docs/decisions/README.md"))
    assert [int(path.name[:4]) for path in pages] == list(range(1, len(pages) + 1))
    for path in pages:
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= MOST_DECISION_LINES, path.name
        assert all(f"**{part}.**" in text for part in ("Context", "Decision", "Price")), path.name
        assert f"({path.name})" in index, path.name


def test_pictures_are_small_and_whole() -> None:
    pictures = sorted((ROOT / "docs" / "pictures").glob("*.webp"))
    assert len(pictures) == 2
    for path in pictures:
        assert path.stat().st_size < MOST_PICTURE_BYTES, path.name
        with Image.open(path) as picture:
            picture.verify()


def test_the_checks_find_what_they_look_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page full of faults is caught by each check."""
    (tmp_path / "bad.md").write_text(
        "# A b\n[x](gone.md) [y](#a-b) [z](#nowhere)\nRun `make gold`; see /home/me/x, an AI wrote it.\n"
    )
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    bad = Path("bad.md")
    assert broken_links(bad) == ["gone.md", "#nowhere"]
    assert commands(text_of(bad), "make") == {"gold"}
    assert MACHINE.search(text_of(bad))
    assert MAKING.search(text_of(bad))


def test_no_document_is_left_out_of_version_control() -> None:
    """A page that is linked but not committed works only for its author."""
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a clone")
    linked = {
        (ROOT / path).parent.joinpath(unquote(link.split("#")[0])).resolve()
        for path in documents()
        for link in LINK.findall(text_of(path))
        if ".md" in link
    }
    known = {ROOT / name for name in listed.stdout.splitlines()}
    assert {path for path in linked if path.exists()} <= known
