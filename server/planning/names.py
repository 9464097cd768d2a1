"""Every name a plan text defines, gathered before its rules are read, so that rules may refer forwards and backwards."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from server.domain.rules.facts import FACTS, MADE_FACTS
from server.planning.loader import Node

KINDS = {
    "teams": "team", "posts": "post", "facts": "own_fact", "measures": "measure", "orders": "order", "limits": "limit",
    "checklists": "checklist", "phases": "phase", "routes": "route", "scales": "scale", "zones": "zone",
    "notices": "notice", "reports": "report", "supplies": "supply", "interlocks": "interlock",
    "ladders": "ladder",
}  # fmt: skip
DECISIONS = ("activate", "level", "fallback", "evacuate", "manual", "restore", "end")


class Names:
    """The names by kind, and what counts as a fact."""

    def __init__(self, root: Node) -> None:
        self.by_kind: dict[str, set[str]] = {kind: set() for kind in (*KINDS.values(), "level", "tier", "lock")}
        for name, node in pairs(root):
            if name in KINDS:
                self.by_kind[KINDS[name]] |= set(keys(node))
        for scale in items(child(root, "scales")):
            self.by_kind["level"] |= {f"{text(scale, 'key')}.{key}" for key in keys(child(scale, "levels"))}
        self.by_kind["tier"] |= set(keys(child(child(root, "manual"), "tiers")))
        for checklist in items(child(root, "checklists")):
            found = keys(child(checklist, "items"))
            self.by_kind["lock"] |= {f"item.{text(checklist, 'key')}.{key}" for key in found}
        self.by_kind["lock"] |= {f"order.{key}" for key in self.by_kind["order"]}
        self.by_kind["lock"] |= {f"decision.{key}" for key in DECISIONS}
        implied = {f"tier-{key}" for key in self.by_kind["tier"]} | {"review"}
        implied |= {f"report-{key}" for key in self.by_kind["report"]}
        implied |= {f"back-entry-{key}" for key in keys(child(child(root, "manual"), "back_entry"))}
        self.limits = self.by_kind["limit"] | implied
        self.by_kind["fact"] = set(FACTS) | self.by_kind["own_fact"] | {f"level.{key}" for key in self.by_kind["level"]}
        for first, (kind, endings) in MADE_FACTS.items():
            middles = self.limits if kind == "limit" else self.by_kind[kind]
            self.by_kind["fact"] |= {f"{first}.{key}.{ending}" for key in middles for ending in endings}

    def knows(self, kind: str, name: str) -> bool:
        """Whether the plan (or the common vocabulary) has that name."""
        return name in self.by_kind[kind]


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The word of `words` most like `word`, if any is like it at all."""
    own, letters = _pairs_of(word[:80]), set(word[:80])
    likely = sorted(words, key=lambda one: (-len(own & _pairs_of(one)), -len(letters & set(one)), one))[:8]
    found = difflib.get_close_matches(word[:80], likely, n=1, cutoff=0.5)
    return found[0] if found else None


def _pairs_of(word: str) -> set[str]:
    return {word[at : at + 2] for at in range(len(word) - 1)}


def pairs(node: Node | None) -> list[tuple[str, Node]]:
    """The keys and values of a mapping; nothing for anything else."""
    return [(key.text, value) for key, value in node.pairs] if node is not None else []


def child(node: Node | None, name: str) -> Node | None:
    """The value under a key, if the node is a mapping that has it."""
    if node is not None:
        for key, value in node.pairs:
            if key.text == name:
                return value
    return None


def items(node: Node | None) -> list[Node]:
    """The members of a list; nothing for anything else."""
    return node.items if node is not None else []


def text(node: Node, name: str) -> str:
    """The scalar under a key, or nothing."""
    found = child(node, name)
    return found.text if found is not None else ""


def keys(node: Node | None) -> list[str]:
    """The `key` of each member of a list."""
    return [text(member, "key") for member in items(node)]
