"""Which push services this installation may speak to, for the web that takes subscriptions and the worker that sends."""

from server.config import Config
from server.domain.push_endpoints import KNOWN_HOSTS, PushHosts


def push_hosts(config: Config) -> PushHosts:
    """The push services this installation may speak to: the known ones and the operator's."""
    return PushHosts((*KNOWN_HOSTS, *config.push_hosts), frozenset(config.push_allowed_origins))
