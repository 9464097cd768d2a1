"""Rules to plain JSON values and back, driven by the types themselves so that the two can never drift apart."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints


@cache
def shape(cls: type) -> dict[str, tuple[Field[Any], Any]]:
    """Each field of a rule type with its type hint, marks included, in order."""
    hints = get_type_hints(cls, include_extras=True)
    return {field.name: (field, hints[field.name]) for field in fields(cls)}


def required(field: Field[Any]) -> bool:
    """Whether a rule cannot be without this field."""
    return field.default is MISSING and field.default_factory is MISSING


@cache
def plain(hint: Any) -> Any:
    """A hint without its marks and without `| None`."""
    if get_origin(hint) is Annotated:
        return plain(get_args(hint)[0])
    if get_origin(hint) in (Union, types.UnionType):
        parts = [part for part in get_args(hint) if part is not type(None)]
        return plain(parts[0]) if len(parts) == 1 else tuple(parts)
    return hint


def to_jsonable(value: object) -> object:
    """A rule as JSON values; fields that hold their default are left out."""
    if is_dataclass(value) and not isinstance(value, type):
        found: dict[str, object] = {}
        for name, (field, _hint) in shape(type(value)).items():
            part = getattr(value, name)
            if required(field) or part != field.default:
                found[name] = to_jsonable(part)
        return found
    if isinstance(value, tuple):
        return [to_jsonable(part) for part in value]
    return value


def from_jsonable(hint: Any, value: object, path: str) -> object:
    """The value of type `hint` that `to_jsonable` wrote. Raises ValueError with the path of the first mistake."""
    hint = plain(hint)
    if is_dataclass(hint):
        return _rule(hint, value, path)
    if get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise ValueError(f"{path}: not a list")
        part = get_args(hint)[0]
        return tuple(from_jsonable(part, item, f"{path}[{number}]") for number, item in enumerate(value))
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise ValueError(f"{path}: {value!r} is not one of {get_args(hint)}")
        return value
    allowed = hint if isinstance(hint, tuple) else (hint,)
    if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
        raise ValueError(f"{path}: {type(value).__name__} is not what belongs here")
    return value


def _rule(hint: Any, value: object, path: str) -> object:
    if not isinstance(value, Mapping):
        raise ValueError(f"{path}: not an object")
    parts = shape(hint)
    unknown = set(value) - set(parts)
    if unknown:
        raise ValueError(f"{path}: unknown {', '.join(sorted(unknown))}")
    given = {}
    for name, (field, part) in parts.items():
        if name in value:
            given[name] = from_jsonable(part, value[name], f"{path}.{name}")
        elif required(field):
            raise ValueError(f"{path}: {name} is missing")
    return hint(**given)
