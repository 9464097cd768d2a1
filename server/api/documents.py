"""The API described: the OpenAPI document made from views and schemas, a page to read it, and the list of problems."""

import ast
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, jsonify

import server
from server.api import http
from server.api.rows import DOCUMENTS
from server.domain import errors

RAISED = {kind.__name__ for kind, _ in http.STATUS} | {"problem", "__init__"}
CODE = re.compile(r"[a-z][a-z0-9_]+")
documents = Blueprint("documents", __name__)


def describe_rows() -> dict[str, Any]:
    """The OpenAPI document, with the shape of every feed row."""
    spec = http.api.spec
    for kind, schema in DOCUMENTS.items():
        name = "".join(part.title() for part in kind.split("_")) + "Row"
        if name not in spec.components.schemas:
            spec.components.schema(name, schema=schema)
    return spec.to_dict()  # type: ignore[no-any-return]


@documents.get("/openapi.json")
def openapi() -> Response:
    """The OpenAPI document."""
    return jsonify(describe_rows())


@documents.get("/docs")
def page() -> Response:
    """The API as a page to read."""
    spec = describe_rows()
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>Tocsin API</title>",
        STYLE,
        "<main><h1>Tocsin API</h1>",
    ]
    parts.append(
        "<p>The machine-readable form is <a href=/openapi.json>openapi.json</a>. Refusals are <code>application/problem+json</code>.</p>"
    )
    for path, verbs in sorted(spec["paths"].items()):
        for verb, operation in verbs.items():
            if verb == "parameters":
                continue
            said = escape(operation.get("summary") or "")
            told = escape(operation.get("description") or "")
            codes = ", ".join(escape(code) for code in operation.get("responses", {}))
            parts.append(
                f"<section><h2><b>{verb.upper()}</b> {escape(path)}</h2><p>{said} {told}</p><p class=codes>{codes}</p></section>"
            )
    parts.append("</main></html>")
    return Response("\n".join(parts), content_type="text/html; charset=utf-8")


@documents.get("/docs/problems")
def problems() -> Response:
    """Every code a refusal may carry, with its sentence in both languages; where a problem's type points."""
    rows = "".join(
        f"<section id={escape(code)}><h2>{escape(code)}</h2><p>{escape(zh)}</p><p>{escape(en)}</p></section>"
        for code, (zh, en) in sorted(refusals().items())
    )
    head = "<!doctype html><html lang=en><meta charset=utf-8><title>Tocsin: refusals</title>"
    return Response(
        f"{head}{STYLE}<main><h1>Refusals</h1>{rows}</main></html>", content_type="text/html; charset=utf-8"
    )


@lru_cache(maxsize=1)
def refusals() -> dict[str, tuple[str, str]]:
    """The code of every refusal with its sentences, read from where they are raised; a part filled in later shows as …."""
    found = {code: (zh, en) for code, zh, en in http.HTTP_CODES.values()}
    found |= {one.code: (one.zh, one.en) for one in (errors.Forbidden(),)}
    for path in sorted(Path(server.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and len(node.args) >= 3 and _called(node) in RAISED:
                texts = [_literal(one) for one in node.args]
                start = 1 if texts[0] is None else 0  # problem(status, code, …) names its status first
                code, zh, en = (*texts[start : start + 3], None, None)[:3]
                if code and zh and en and CODE.fullmatch(code) and not zh.isascii():
                    found.setdefault(code, (zh, en))
    return found


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _literal(node: ast.expr) -> str | None:
    """The text of a literal; of one with parts filled in, … for each of them."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(_literal(part) or "…" for part in node.values)
    return None


def escape(text: str) -> str:
    """Text made safe for a page."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


STYLE = (
    "<style>body{font:16px/1.5 system-ui;margin:2rem auto;max-width:60rem;padding:0 1rem;color-scheme:light dark}"
    "section{border-top:1px solid #8884;padding:.5rem 0}h2{font-size:1rem;font-family:ui-monospace,monospace}"
    ".codes{opacity:.7;font-size:.85rem}</style>"
)
