"""Plan text to a tree of nodes with positions, refusing in milliseconds everything a plan has no need of."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

import yaml

from server.planning.findings import Finding, PlanErrors

MAX_BYTES: Final = 64 * 1024
MAX_DEPTH: Final = 12
MAX_NODES: Final = 5_000
MAX_TEXT: Final = 10_000

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_FULL_WIDTH = re.compile(
    "^[ ]*(?:- )?[\\w.-]{1,40}(：)"  # a key with a full-width colon
    "|^[^:：\\n]*:[ ]*([｛［“‘＂＇])"  # a value in full-width brackets or quotes
    "|^[ ]*(\u3000|－|＃)",  # a line indented, listed or commented out full-width
    re.MULTILINE,
)
_BOMS: Final = ((b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"), (b"\x00\x00\xfe\xff", "UTF-32"))


@dataclass
class Node:
    """One value of the text: a scalar (`text`), a list (`items`) or a mapping (`pairs`), and where it starts, from 1."""

    line: int
    column: int
    kind: str = "scalar"
    text: str = ""
    items: list[Node] = field(default_factory=list)
    pairs: list[tuple[Node, Node]] = field(default_factory=list)


def load(source: str | bytes, file: str) -> Node:
    """The tree of one plan document. Raises PlanErrors.

    Everything is a string to this loader; numbers, yes/no and lengths get their type from the rule they stand in.
    Refused: other encodings than UTF-8, more than 64 kB, 5,000 nodes or 12 levels, control characters, several
    documents, directives, anchors, aliases, merge keys, tags, duplicate and complex keys.
    """
    text = _decode(source, file)
    reader = _Reader(file)
    try:
        for event in yaml.parse(text, Loader=yaml.CBaseLoader):
            reader.take(event)
    except yaml.MarkedYAMLError as error:
        raise PlanErrors([_syntax(error, text, file)]) from None
    except yaml.YAMLError:
        raise PlanErrors([_finding(file, "syntax", 0, 0, "文本无法读取。", "The text cannot be read.")]) from None
    if reader.root is None or (reader.root.kind == "scalar" and not reader.root.text):
        raise PlanErrors([_finding(file, "empty", 0, 0, "文件里没有预案。", "There is no plan in the file.")])
    return reader.root


def full_width_hint(text: str) -> tuple[str, str] | None:
    """A hint in both languages when a piece of text holds full-width punctuation where YAML needs half-width."""
    found = _FULL_WIDTH.search(text)
    if not found:
        return None
    sign = next(group for group in found.groups() if group)
    mark = "全角空格" if sign == "\u3000" else f"全角标点“{sign}”"
    return (
        f"这里有{mark}，键名后的冒号、逗号、引号、括号和缩进须用半角（英文输入法）。",
        f"Full-width punctuation ({sign!r}): the plan language takes half-width colons, commas, quotes and brackets.",
    )


class _Reader:
    """Builds the tree from parser events without recursion, and refuses on the way."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.root: Node | None = None
        self.open: list[tuple[Node, Node | None]] = []  # a container and, in a mapping, the key waiting for its value
        self.seen: list[set[str]] = []
        self.count = 0
        self.documents = 0

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if event.version or event.tags:
                self.refuse(event, "directive", "不允许使用 % 指令。", "Directives (%) are not allowed.")
            if self.documents > 1:
                self.refuse(event, "several_documents", "一个文件只能有一份预案。", "One file holds one plan.")
        elif isinstance(event, yaml.AliasEvent):
            self.refuse(event, "alias", "不允许使用别名（*）。", "Aliases (*) are not allowed.")
        elif isinstance(event, yaml.NodeEvent):
            self.node(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self.open.pop()
            self.seen.pop()

    def node(self, event: yaml.NodeEvent) -> None:
        if event.anchor:
            self.refuse(event, "anchor", "不允许使用锚点（&）。", "Anchors (&) are not allowed.")
        if getattr(event, "tag", None):
            self.refuse(event, "tag", "不允许使用标签（!）。", "Tags (!) are not allowed.")
        self.count += 1
        if self.count > MAX_NODES:
            self.refuse(event, "too_many", f"内容超过 {MAX_NODES} 个节点。", f"More than {MAX_NODES} values.")
        node = Node(*_place(event))
        if isinstance(event, yaml.ScalarEvent):
            node.text = event.value
            if _FORBIDDEN.search(node.text):
                self.refuse(event, "control", "文字里有控制字符。", "The text holds control characters.")
            if len(node.text) > MAX_TEXT:
                self.refuse(
                    event, "text_too_long", f"一段文字超过 {MAX_TEXT} 字。", f"A text is over {MAX_TEXT} characters."
                )
        else:
            node.kind = "mapping" if isinstance(event, yaml.MappingStartEvent) else "list"
            if len(self.open) >= MAX_DEPTH:
                self.refuse(event, "too_deep", f"嵌套超过 {MAX_DEPTH} 层。", f"Nested deeper than {MAX_DEPTH}.")
        self.place(event, node)
        if node.kind != "scalar":
            self.open.append((node, None))
            self.seen.append(set())

    def place(self, event: yaml.NodeEvent, node: Node) -> None:
        if not self.open:
            self.root = node
            return
        parent, key = self.open[-1]
        if parent.kind == "list":
            parent.items.append(node)
        elif key is not None:
            parent.pairs.append((key, node))
            self.open[-1] = (parent, None)
        else:
            self.key(event, node)
            self.open[-1] = (parent, node)

    def key(self, event: yaml.NodeEvent, node: Node) -> None:
        if node.kind != "scalar":
            self.refuse(event, "complex_key", "键名必须是一个词。", "A key must be a single word.")
        if node.text == "<<":
            self.refuse(event, "merge", "不允许使用合并键（<<）。", "Merge keys (<<) are not allowed.")
        if node.text in self.seen[-1]:
            zh, en = f"键“{node.text}”重复。", f"The key {node.text!r} stands twice."
            self.refuse(event, "duplicate_key", zh, en)
        self.seen[-1].add(node.text)

    def refuse(self, event: yaml.Event, code: str, zh: str, en: str) -> None:
        line, column = _place(event)
        raise PlanErrors([_finding(self.file, code, line, column, zh, en)])


def _place(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (0, 0)


def _decode(source: str | bytes, file: str) -> str:
    size = len(source) if isinstance(source, bytes) else len(source.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise PlanErrors([_finding(file, "too_large", 0, 0, "文件超过 64 kB。", "The file is over 64 kB.")])
    if isinstance(source, bytes):
        source = _from_bytes(source, file)
    text = source.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    found = _FORBIDDEN.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        column = found.start() - text.rfind("\n", 0, found.start())
        zh = f"有不允许的控制字符（U+{ord(found.group()):04X}）。"
        en = f"A control character (U+{ord(found.group()):04X}) is not allowed."
        raise PlanErrors([_finding(file, "control", line, column, zh, en)])
    return text


def _from_bytes(source: bytes, file: str) -> str:
    try:
        return source.decode("utf-8")
    except UnicodeDecodeError:
        guess = next((name for bom, name in _BOMS if source.startswith(bom)), None) or _guess(source)
        zh, en = (
            f"文件编码不是 UTF-8，看起来是 {guess}。请另存为 UTF-8。",
            f"Not UTF-8; it looks like {guess}. Save as UTF-8.",
        )
        raise PlanErrors([_finding(file, "encoding", 0, 0, zh, en)]) from None


def _guess(source: bytes) -> str:
    for name in ("GBK", "GB18030"):
        try:
            source.decode(name)
        except UnicodeDecodeError:
            continue
        return name
    return "?"


def _syntax(error: yaml.MarkedYAMLError, text: str, file: str) -> Finding:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    lines = text.split("\n")
    near = "\n".join(lines[max(0, line - 2) : line])
    problem = " ".join(part for part in (error.context, error.problem) if part)
    hint = full_width_hint(near)
    if hint:
        return _finding(file, "full_width", line, column, hint[0], hint[1])
    if "mapping values" in problem:
        zh = "这里多了一个“: ”（冒号加空格），或缩进有误。文字里要用冒号加空格时，请加引号。"
        en = "A ': ' (colon and space) too many here, or a wrong indent. A text that holds one needs quotes."
        return _finding(file, "syntax", line, column, zh, en)
    if "\t" in near:
        zh, en = "缩进用了制表符（Tab），请改用空格。", "Indented with a tab; use spaces."
        return _finding(file, "tab", line, column, zh, en)
    return _finding(file, "syntax", line, column, f"写法有误，无法解析（{problem}）。", f"Cannot be read: {problem}.")


def _finding(file: str, code: str, line: int, column: int, zh: str, en: str) -> Finding:
    return Finding(code=code, file=file, line=line, column=column, zh=zh, en=en)
