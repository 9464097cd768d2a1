"""The API described: the OpenAPI document made from views and schemas, a page to read it, and the list of problems."""

from typing import Any

from flask import Blueprint, Response, jsonify

from server.api import http
from server.api.rows import DOCUMENTS

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


def escape(text: str) -> str:
    """Text made safe for a page."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


STYLE = (
    "<style>body{font:16px/1.5 system-ui;margin:2rem auto;max-width:60rem;padding:0 1rem;color-scheme:light dark}"
    "section{border-top:1px solid #8884;padding:.5rem 0}h2{font-size:1rem;font-family:ui-monospace,monospace}"
    ".codes{opacity:.7;font-size:.85rem}</style>"
)
