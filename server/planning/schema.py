"""The JSON Schema of the plan language for editors, made from the same types the compiler reads."""

from __future__ import annotations

import types
from dataclasses import is_dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from server.domain.rules.conditions import Condition
from server.domain.rules.jsonable import plain, required, shape
from server.domain.rules.lengths import Cadence, Length
from server.domain.rules.plans import Plan
from server.domain.rules.words import Clause, Key, Words
from server.planning.marks import DOTTED_KEY, KEY

_TEXT: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 10_000}
_PHRASES: dict[Any, str] = {
    Length: "15 min, 2 h, 2 d, end of day, next day, at once, measured NAME less 5 min",
    Cadence: "daily 04:00, weekly friday, monthly, quarterly, yearly, every 6 months, each shift, on occasion",
    Condition: "NAME >= 50 % and not NAME; NAME is OPTION",
}


def json_schema() -> dict[str, Any]:
    """The schema (draft 7, which every editor knows) of one plan file. It knows keys, words and forms; names are the compiler's business."""
    definitions: dict[str, Any] = {}
    root = _rule(Plan, definitions)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Tocsin plan",
        **root,
        "definitions": definitions,
    }


def _rule(cls: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    parts = shape(cls)
    needed = [name for name, (field, _) in parts.items() if required(field) and (name != "clause" or cls is Plan)]
    return {
        "type": "object",
        "description": (cls.__doc__ or "").strip(),
        "properties": {name: _value(hint, definitions) for name, (_, hint) in parts.items()},
        "required": needed,
        "additionalProperties": False,
    }


def _value(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    bare: Any = plain(hint)
    if get_origin(bare) is tuple:
        return _several(get_args(bare)[0], definitions)
    if bare in (Words, Clause):
        return _words(bare)
    if bare in _PHRASES:
        return {**_TEXT, "description": _PHRASES[bare]}
    if is_dataclass(bare) and isinstance(bare, type):
        if bare.__name__ not in definitions:
            definitions[bare.__name__] = {}
            definitions[bare.__name__] = _rule(bare, definitions)
        return {"$ref": f"#/definitions/{bare.__name__}"}
    if get_origin(bare) is Literal:
        return {"enum": list(get_args(bare))}
    if bare is bool:
        return {"type": "boolean"}
    if bare is int:
        return {"type": "integer", "minimum": 1}
    if bare in (float, (int, float)):
        return {"type": "number"}
    key = _key(hint)
    return {**_TEXT, "pattern": f"^{(DOTTED_KEY if key.dotted else KEY).pattern}$"} if key else dict(_TEXT)


def _several(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    listed = {"type": "array", "items": _value(hint, definitions), "maxItems": 500}
    if is_dataclass(plain(hint)):
        return listed
    return {"anyOf": [listed, _value(hint, definitions)]}


def _words(bare: Any) -> dict[str, Any]:
    names = ("zh", "en") if bare is Words else ("ref", "words")
    inner = {"zh": _TEXT, "en": _TEXT, "ref": _TEXT, "words": {"anyOf": [_TEXT, {"type": "object"}]}}
    whole = {
        "type": "object",
        "properties": {name: inner[name] for name in names},
        "required": list(names),
        "additionalProperties": False,
    }
    form = r"^\S.* \| .*\S$" if bare is Words else r"^\S.* \| .* \| .*\S$"
    example = "中文 | English" if bare is Words else "000-21 §4.1 | 中文 | English"
    return {"anyOf": [{"type": "string", "pattern": form, "description": example}, whole]}


def _key(hint: Any) -> Key | None:
    if get_origin(hint) is Annotated:
        return next((mark for mark in get_args(hint)[1:] if isinstance(mark, Key)), None)
    if get_origin(hint) in (Union, types.UnionType):
        return next((mark for mark in map(_key, get_args(hint)) if mark), None)
    return None
