"""Whether the web process answers on its port."""

import urllib.error
import urllib.request

from server.config import Config


def answers(config: Config) -> bool:
    """Ask the web process of these settings for a sign of life."""
    host = "127.0.0.1" if config.host in {"0.0.0.0", "::"} else config.host  # noqa: S104 - compared, not bound
    try:
        with urllib.request.urlopen(f"http://{host}:{config.port}/api/v1/health/live", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False
