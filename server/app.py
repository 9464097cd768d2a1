"""The application: the one module that knows all others."""

from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, g
from flask_sqlalchemy import SQLAlchemy
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import Engine
from werkzeug.middleware.proxy_fix import ProxyFix

from server import config as settings
from server.api import (
    alerts,
    allowance,
    batch,
    changes,
    checklists,
    continuity,
    devices,
    documents,
    drills,
    field_reports,
    health,
    http,
    incidents,
    ladders,
    live,
    notices,
    pages,
    people,
    places,
    plans,
    reviews,
    roster,
    session,
    shell,
    supplies,
    tus,
    uploads,
)  # fmt: skip
from server.config import Config
from server.db import Database, Model
from server.delivery.allowed_hosts import push_hosts
from server.delivery.vapid import VAPID_FILE, load_or_make_key, public_key_text
from server.domain import feed, rights
from server.opening import open_database

NOUNS = (
    session.blp, incidents.blp, alerts.blp, alerts.tokens_blp, checklists.blp, field_reports.blp, supplies.blp, notices.blp,
    continuity.blp, reviews.blp, drills.blp, people.blp, places.blp, roster.blp, devices.blp, ladders.blp, plans.blp, batch.blp, changes.blp, live.blp, uploads.blp, health.blp,
)  # fmt: skip


class Application(Flask):
    """Flask with ordinary functions only: at each call it would look anew whether one is a coroutine."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function itself."""
        return func


class OneDatabase(SQLAlchemy):
    """flask-sqlalchemy on the engine of our unit of work, so that extensions meet the same database and tables."""

    def _make_engine(self, bind_key: str | None, options: dict[str, Any], app: Flask) -> Engine:
        return app.extensions["tocsin_database"].engine  # type: ignore[no-any-return]


flask_db = OneDatabase(metadata=Model.metadata)


def create_app(config: Config | None = None, database: Database | None = None) -> Flask:
    """The WSGI application. The database must be migrated. Raises UnsafeSettings or UnsafeDatabase."""
    config = config or settings.load()
    database = database or open_database(config)
    app = Application(__name__, static_folder=None)
    app.config.update(
        API_TITLE="Tocsin", API_VERSION="v1", OPENAPI_VERSION="3.1.0", SECRET_KEY=config.secret(),
        MAX_CONTENT_LENGTH=tus.MOST_CHUNK + 1024, MAX_FORM_PARTS=10, SQLALCHEMY_DATABASE_URI="sqlite://",
        TOCSIN=config,
    )  # fmt: skip
    app.url_map.strict_slashes = False
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions.update(
        tocsin_config=config, tocsin_database=database, tocsin_epoch=database.write(feed.epoch),
        tocsin_vapid_public_key=public_key_text(load_or_make_key(config.data_folder / VAPID_FILE)),
        tocsin_push_hosts=push_hosts(config),
    )  # fmt: skip
    if config.trusted_proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=config.trusted_proxies, x_proto=config.trusted_proxies, x_host=config.trusted_proxies
        )
    flask_db.init_app(app)
    http.api.init_app(app)
    http.install(app)  # after it: the answers to unknown routes and methods are ours
    session.install(app, config)
    live.install(app, database)
    for blueprint in NOUNS:
        http.api.register_blueprint(blueprint)
    app.register_blueprint(documents.documents)
    if config.metrics:
        app.add_url_rule("/metrics", "health.metrics", metrics)
    app.register_blueprint(pages.pages)
    app.register_blueprint(shell.shell)
    app.wsgi_app = shell.Hardened(app.wsgi_app, app.extensions["tocsin_epoch"])  # type: ignore[method-assign]
    allowance.install(app)
    return app


def metrics() -> Any:
    """Figures for a monitoring system; only those who may see the deep health may read them."""
    rights.require(g.standing, "health.see")
    return generate_latest(), 200, {"Content-Type": CONTENT_TYPE_LATEST}


def routes(app: Flask) -> Iterable[tuple[str, str, str]]:
    """Every route as (methods, rule, endpoint), for the tests that compare them with the rights."""
    for rule in app.url_map.iter_rules():
        yield ",".join(sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})), rule.rule, rule.endpoint
