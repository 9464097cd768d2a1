"""Reads nodes into typed rules: the types say what belongs where, every mistake becomes a finding with its position."""

from __future__ import annotations

import re
import types
from collections.abc import Collection, Mapping
from dataclasses import is_dataclass
from functools import cache
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from server.domain.rules.conditions import Condition
from server.domain.rules.jsonable import plain, required, shape
from server.domain.rules.lengths import TIME_UNITS, Cadence, Length
from server.domain.rules.situations import MeasureRule, Option
from server.domain.rules.words import Clause, Words
from server.planning import phrases
from server.planning.findings import Finding, PlanErrors
from server.planning.loader import Node, full_width_hint
from server.planning.marks import misfit_of
from server.planning.names import Names, child, items, nearest, text

BAD = object()
MAX_FINDINGS = 50
MAX_COMPARISONS = 1_200
_PLACEHOLDER = re.compile(r"^[xX×]+\b|\b[xX×]+\s|[xX×]+(?=[小分天次倍人])|待定|TBD|TODO")
_Local = Literal["number", "choice", "flag"]
_ITEM_MEASURES: Final[Mapping[str, _Local]] = {"number": "number", "choice": "choice"}


class Reader:
    """Reads one plan; gathers `findings` and the `positions` (line, column) of every path."""

    def __init__(self, file: str, names: Names) -> None:
        self.file, self.names = file, names
        self.findings: list[Finding] = []
        self.positions: dict[str, tuple[int, int]] = {}
        self.measures: dict[str, MeasureRule] = {}
        self.local: dict[str, MeasureRule] = {}
        self.local_items: set[str] = set()
        self.clauses: list[Clause | None] = []
        self.comparisons = MAX_COMPARISONS

    def rule(self, cls: Any, node: Node, path: str, first: tuple[str, ...] = ()) -> Any:
        """A rule of type `cls`; fields named in `first` are read before the others. BAD after a finding."""
        self.positions[path] = (node.line, node.column)
        if node.kind != "mapping":
            hint = full_width_hint(node.text)
            if hint:  # every colon full-width makes one long text of a rule, or of a whole plan
                return self.bad(node, path, "full_width", hint[0], hint[1])
            return self.bad(node, path, "not_a_mapping", "这里应是“键: 值”的写法。", "This must be key: value pairs.")
        parts = shape(cls)
        known = {key.text: value for key, value in node.pairs if self.is_known(key, cls, parts, path)}
        given: dict[str, Any] = {}
        self.clauses.append(self.clause_of(cls, known, node, path))
        outer = self.local, self.local_items
        if cls.__name__ == "ChecklistRule":
            self.open_checklist(node)
        for name in (*first, *(name for name in parts if name not in first)):
            field, hint = parts[name]
            if name == "clause" and required(field):
                given[name] = self.clauses[-1] or BAD
            elif name in known:
                given[name] = self.value(hint, known[name], f"{path}.{name}" if path else name)
            elif required(field):
                zh, en = f"缺少“{name}”。", f"{name!r} is missing."
                given[name] = self.bad(node, f"{path}.{name}".strip("."), "missing", zh, en)
            if name == "measures" and given.get(name, BAD) is not BAD:
                self.measures |= {measure.key: measure for measure in given[name]}
        self.local, self.local_items = outer
        self.clauses.pop()
        return BAD if any(value is BAD for value in given.values()) else cls(**given)

    def is_known(self, key: Node, cls: Any, parts: dict[str, Any], path: str) -> bool:
        if key.text in parts:
            return True
        hint = full_width_hint(key.text + ":") or full_width_hint(key.text)
        near = self.near(key.text, parts)
        if " " in key.text.strip():
            zh, en = (
                "花括号里的英文逗号会断开文字，请换写法或加引号。",
                "An English comma inside { } ends the text: reword or quote it.",
            )
            hint = hint or (zh, en)
        zh = f"没有“{key.text}”这个键。" + (f"是不是“{near}”？" if near else "") + (hint[0] if hint else "")
        en = (
            f"There is no key {key.text!r} here."
            + (f" Did you mean {near!r}?" if near else "")
            + (f" {hint[1]}" if hint else "")
        )
        self.bad(key, f"{path}.{key.text}".strip("."), "unknown_key", zh, en, near)
        return False

    def clause_of(self, cls: Any, known: dict[str, Node], node: Node, path: str) -> Clause | None:
        if "clause" in known:
            found = self.clause(known["clause"], f"{path}.clause".strip("."))
            return found if isinstance(found, Clause) else None
        field = shape(cls).get("clause")
        if field and required(field[0]) and len(self.clauses) < 2:
            zh, en = (
                "缺少条款依据“clause”（预案中的编号和大意）。",
                "'clause' is missing: its number in the plan and its gist.",
            )
            self.bad(node, f"{path}.clause".strip("."), "no_clause", zh, en)
        return self.clauses[-1] if self.clauses else None

    def open_checklist(self, node: Node) -> None:
        """Items of a checklist may ask for earlier answers as `item.KEY`."""
        self.local, self.local_items = {}, set()
        for item in items(child(node, "items")):
            key, kind = text(item, "key"), text(item, "kind")
            self.local_items.add(key)
            options = tuple(Option(key=text(one, "key"), title=Words("", "")) for one in items(child(item, "options")))
            known: _Local = _ITEM_MEASURES.get(kind, "flag")
            self.local[f"item.{key}"] = MeasureRule(
                key=f"item.{key}",
                title=Words("", ""),
                kind=known,
                unit=text(item, "unit"),
                options=options,
            )

    def value(self, hint: Any, node: Node, path: str) -> Any:
        """A value of the given type hint."""
        self.positions[path] = (node.line, node.column)
        bare, mark, inner = _taken_apart(hint)
        if inner is not None:
            return self.several(inner, node, path)
        if bare is Words:
            return self.words(node, path)
        if bare is Clause:
            return self.clause(node, path)
        if is_dataclass(bare) and bare not in (Condition, Length, Cadence):
            return self.rule(bare, node, path)
        if node.kind != "scalar":
            return self.bad(
                node, path, "not_a_value", "这里应是一个值，不是列表或映射。", "This must be a single value."
            )
        return self.scalar(bare, mark, node, path)

    def several(self, hint: Any, node: Node, path: str) -> Any:
        if node.kind == "scalar" and not is_dataclass(plain(hint)):
            nodes = [node] if node.text else []
        elif node.kind == "list":
            nodes = node.items
        else:
            return self.bad(
                node, path, "not_a_list", "这里应是列表（每行以“- ”开头）。", "This must be a list (- items)."
            )
        found, seen = [], set()
        for number, one in enumerate(nodes):
            key = text(one, "key")
            if key and key in seen:
                found.append(self.bad(one, path, "duplicate", f"“{key}”重复定义。", f"{key!r} is defined twice."))
            seen.add(key)
            found.append(self.value(hint, one, f"{path}.{key}" if key else f"{path}[{number}]"))
        return BAD if any(one is BAD for one in found) else tuple(found)

    def words(self, node: Node, path: str) -> Any:
        if node.kind == "scalar":
            parts = [part.strip() for part in re.split(r"\s\|\s", node.text)]
            if len(parts) == 2 and all(parts):
                return Words(*parts)
            zh = "文字须有中英文两种，写作“中文 | English”，或 {zh: …, en: …}。"
            return self.bad(node, path, "two_languages", zh, "Write both languages: 中文 | English, or {zh: …, en: …}.")
        return self.rule(Words, node, path)

    def clause(self, node: Node, path: str) -> Any:
        if node.kind == "scalar":
            parts = [part.strip() for part in re.split(r"\s\|\s", node.text)]
            if len(parts) == 3 and all(parts):
                return Clause(parts[0], Words(parts[1], parts[2]))
            zh = "条款写作“编号 | 中文 | English”，或 {ref: …, words: …}。"
            return self.bad(node, path, "clause_form", zh, "Write number | 中文 | English, or {ref: …, words: …}.")
        return self.rule(Clause, node, path)

    def scalar(self, bare: Any, mark: Any, node: Node, path: str) -> Any:
        try:
            if bare is Length:
                return self.length(node.text)
            if bare is Cadence:
                return phrases.cadence(node.text)
            if bare is Condition:
                return phrases.condition(
                    node.text, self.measures | self.local, lambda name: self.names.knows("fact", name)
                )
            if bare in (int, float, (int, float)):
                return self.number(bare, node.text)
        except phrases.PhraseError as error:
            code = "placeholder" if _PLACEHOLDER.search(node.text) else "phrase"
            if error.unknown and code == "phrase":
                near = self.near(error.unknown, {*self.measures, *self.local, *self.names.by_kind["fact"]})
                return self.bad(node, path, "unknown_name", error.zh, error.en, near)
            return self.bad(node, path, code, error.zh, error.en)
        if bare is bool:
            if node.text not in ("true", "false"):
                return self.bad(node, path, "not_true_or_false", "这里只能写 true 或 false。", "Write true or false.")
            return node.text == "true"
        if get_origin(bare) is Literal:
            return self.choice(get_args(bare), node, path)
        misfit = misfit_of(mark, node.text, self.names, self.local_items)
        if misfit is None:
            return node.text
        near = self.near(node.text, misfit.known)
        zh = misfit.zh + (f"是不是“{near}”？" if near else "")
        en = misfit.en + (f" Did you mean {near!r}?" if near else "")
        return self.bad(node, path, misfit.code, zh, en, near)

    def length(self, phrase: str) -> Length:
        found = phrases.length(phrase)
        if found.kind != "measured":
            return found
        measure = self.measures.get(found.measure or "")
        if measure is None or measure.unit not in TIME_UNITS:
            zh = f"“{found.measure}”不是以时间为单位的指标。"
            raise phrases.PhraseError(zh, f"{found.measure!r} is no measure in a unit of time.")
        return Length("measured", seconds=found.seconds, measure=found.measure, unit_seconds=TIME_UNITS[measure.unit])

    def number(self, bare: Any, phrase: str) -> int | float:
        found = phrases.number(phrase)
        if bare is int and (not isinstance(found, int) or found < 1):
            raise phrases.PhraseError(
                f"“{phrase}”应是不小于 1 的整数。", f"{phrase!r} must be a whole number from 1 up."
            )
        return found

    def choice(self, allowed: tuple[str, ...], node: Node, path: str) -> Any:
        if node.text in allowed:
            return node.text
        near, listed = self.near(node.text, allowed), ", ".join(allowed)
        zh = f"“{node.text}”不在可选值之内（{listed}）。"
        return self.bad(node, path, "unknown_word", zh, f"{node.text!r} is not one of {listed}.", near)

    def near(self, word: str, words: Collection[str]) -> str | None:
        """The known word most like this one, as long as looking for such words stays cheap."""
        if len(words) > self.comparisons:
            return None
        self.comparisons -= len(words)
        return nearest(word, words)

    def bad(self, node: Node, path: str, code: str, zh: str, en: str, near: str | None = None) -> Any:
        """Record a finding at a node; returns BAD. Raises PlanErrors when there are enough to see what is wrong."""
        line, column = node.line, node.column
        self.findings.append(
            Finding(code=code, zh=zh, en=en, file=self.file, line=line, column=column, path=path, nearest=near)
        )
        if len(self.findings) >= MAX_FINDINGS:
            raise PlanErrors(self.findings)
        return BAD


@cache
def _taken_apart(hint: Any) -> tuple[Any, Any, Any]:
    """A hint's bare type, its mark, and for a list the hint of its members."""
    bare = plain(hint)
    inner = get_args(bare)[0] if get_origin(bare) is tuple else None
    return bare, _mark(hint), inner


def _mark(hint: Any) -> Any:
    if get_origin(hint) is Annotated:
        return get_args(hint)[1]
    if get_origin(hint) in (Union, types.UnionType):
        return next((mark for mark in map(_mark, get_args(hint)) if mark is not None), None)
    return None
