"""The built app: its page, worker, manifest and hashed assets, sent pre-compressed where there is such a form."""

from collections.abc import Iterable
from functools import lru_cache
from mimetypes import guess_type
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Blueprint, Response, current_app, request, send_file
from werkzeug.security import safe_join

from server.clock import iso, now
from server.domain.errors import NotFound

WEB = Path(__file__).resolve().parent.parent / "web"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = (
    ("Content-Security-Policy", POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(self), geolocation=(self), microphone=()"),
)
API_HEADERS = (*HEADERS, ("Cache-Control", "no-store"))
NAMES = frozenset(name.lower() for name, _ in API_HEADERS)
shell = Blueprint("shell", __name__)
MISSING = (
    "<!doctype html><meta charset=utf-8><title>Tocsin</title><p>The app is not built yet: run <code>make build</code>."
)
# Pages that the removed worker had served are loaded again; what waits in their store is not touched.
GONE = """self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil((async () => {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith('tocsin-')).map((name) => caches.delete(name)));
  const pages = await self.clients.matchAll({ type: 'window' });
  await self.registration.unregister();
  for (const page of pages) await page.navigate('/').catch(() => null);
})()));
"""


@shell.get("/")
def index() -> Response:
    """The app's page."""
    if not (_folder() / "index.html").is_file():
        return Response(MISSING, 503, content_type="text/html; charset=utf-8")
    return _send("index.html", fresh=True)


@shell.get("/sw.js")
def worker() -> Response:
    """The service worker, never cached by the network; when it is switched off, one that removes itself."""
    if current_app.config["TOCSIN"].worker_off:
        return Response(GONE, content_type="text/javascript; charset=utf-8", headers={"Cache-Control": "no-cache"})
    return _send("sw.js", fresh=True)


@shell.get("/manifest.webmanifest")
def manifest() -> Response:
    """The manifest."""
    return _send("manifest.webmanifest", fresh=True)


@shell.get("/<path:filename>")
def asset(filename: str) -> Response:
    """A file of the built app."""
    return _send(filename, fresh=not filename.startswith("assets/"))


def _folder() -> Path:
    chosen: Path = current_app.config["TOCSIN"].web_folder
    return WEB if chosen == Path() else chosen


def _send(name: str, *, fresh: bool) -> Response:
    found = safe_join(str(_folder()), name)
    if found is None or not Path(found).is_file() or name.endswith((".br", ".gz")):
        raise NotFound()
    path, encoding = Path(found), None
    for ending, coding in ((".br", "br"), (".gz", "gzip")):
        if request.accept_encodings.find(coding) != -1 and Path(found + ending).is_file():
            path, encoding = Path(found + ending), coding
            break
    kind = (
        "application/manifest+json"
        if name.endswith(".webmanifest")
        else guess_type(name)[0] or "application/octet-stream"
    )
    response: Response = send_file(path, mimetype=kind, conditional=True, max_age=0 if fresh else 31_536_000)
    if encoding:
        response.headers["Content-Encoding"] = encoding
    response.headers["Vary"] = "Accept-Encoding"
    response.headers["Cache-Control"] = "no-cache" if fresh else "public, max-age=31536000, immutable"
    if name == "sw.js":
        response.headers["Service-Worker-Allowed"] = "/"
    return response


@lru_cache(maxsize=1)
def built() -> bool:
    """Whether the app has been built."""
    return (WEB / "index.html").is_file()


class Hardened:
    """Puts the time, the epoch and the security headers that it does not have on every answer: dearer through Flask."""

    def __init__(self, app: WSGIApplication, epoch: str) -> None:
        self.app, self.epoch = app, epoch

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer as the application does, with the headers added where its answer begins."""
        own = API_HEADERS if environ.get("PATH_INFO", "").startswith("/api/") else HEADERS

        def begin(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            given = {name.lower() for name, _ in headers} & NAMES
            added = own if not given else [one for one in own if one[0].lower() not in given]
            marks = (("X-Tocsin-Time", iso(now()) or ""), ("X-Tocsin-Epoch", self.epoch))
            return start_response(status, [*headers, *marks, *added], *more)

        return self.app(environ, begin)
