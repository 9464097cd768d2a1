"""The web process: gunicorn with gevent workers that close their streams at once when asked to stop."""

from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.util import import_app
from gunicorn.workers.ggevent import GeventWorker

from server.config import Config

CONNECTIONS = 12_000  # streams stay open; gevent's default of 1,000 would starve everything else


class Worker(GeventWorker):  # type: ignore[misc]
    """A gevent worker that ends its streams first, so that a restart does not wait for them."""

    def run(self) -> None:
        """Serve until told to leave, then give the database's connections back."""
        try:
            super().run()
        finally:
            database = getattr(getattr(self, "wsgi", None), "extensions", {}).get("tocsin_database")
            if database is not None:
                database.dispose()

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Close the streams, then leave as gunicorn does."""
        hub = getattr(getattr(self, "wsgi", None), "extensions", {}).get("tocsin_hub")  # none yet while it loads
        if hub is not None:
            hub.close()
        super().handle_exit(sig, frame)


class Web(BaseApplication):  # type: ignore[misc]
    """gunicorn, set up by our own settings instead of a file."""

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__()

    def load_config(self) -> None:
        """Hand our settings to gunicorn."""
        config = self.config
        chosen = {
            "bind": f"{config.host}:{config.port}", "workers": config.web_workers, "worker_class": "server.web.Worker",
            "worker_connections": CONNECTIONS, "graceful_timeout": 5, "timeout": 60, "keepalive": 30, "accesslog": None,
            "loglevel": "warning", "limit_request_line": 4094, "limit_request_fields": 60, "forwarded_allow_ips": "127.0.0.1",
            "proc_name": "tocsin-web", "control_socket_disable": True,
        }  # fmt: skip
        for name, value in chosen.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Make the application inside each worker, after gevent has taken over the blocking calls."""
        return import_app("server.app:create_app()")
