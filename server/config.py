"""Every setting of Tocsin: its name in the environment, its default, its meaning; refuses to start unsafe."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from urllib.parse import urlsplit

from server.clock import TEST_CLOCK


class UnsafeSettings(RuntimeError):
    """The settings would make this installation unsafe or cannot work; the text lists every reason."""


@dataclass(frozen=True)
class Setting:
    """How a setting is called outside and what it means."""

    name: str
    meaning: str


def setting(name: str, default: object, meaning: str):  # type: ignore[no-untyped-def]
    """A dataclass field read from the environment variable `name`."""
    return field(default=default, metadata={"setting": Setting(name, meaning)})


@dataclass(frozen=True)
class Config:
    """All settings, read once at start. Durations are in seconds, sizes in bytes."""

    data_folder: Path = setting("TOCSIN_DATA", Path("var"), "Folder for the database, keys and photos.")
    database_url: str = setting(
        "DATABASE_URL", "", "postgresql://… or sqlite:///…; empty means SQLite in the data folder."
    )
    port: int = setting("PORT", 8463, "Port the web process listens on.")
    host: str = setting("TOCSIN_HOST", "127.0.0.1", "Address the web process listens on.")
    public_url: str = setting("TOCSIN_URL", "", "Address people open, e.g. https://tocsin.example.org.")
    production: bool = setting("TOCSIN_PRODUCTION", False, "1 refuses every unsafe setting at start.")
    secret_key: str = setting(
        "TOCSIN_SECRET_KEY", "", "Signs one-purpose tokens; empty means one kept in the data folder."
    )
    trusted_proxies: int = setting(
        "TOCSIN_TRUSTED_PROXIES", 0, "Number of reverse proxies in front of the web process."
    )
    web_workers: int = setting("TOCSIN_WEB_WORKERS", 2, "Number of web processes.")
    web_requests: int = setting(
        "TOCSIN_WEB_REQUESTS", 0, "Requests after which a web process gives way to a fresh one; 0 means never."
    )
    session_days: int = setting("TOCSIN_SESSION_DAYS", 30, "Days a sign-in lasts without use.")
    vapid_subject: str = setting(
        "TOCSIN_VAPID_SUBJECT", "mailto:operator@tocsin.example", "Contact for push services, mailto: or https:."
    )
    push_hosts: tuple[str, ...] = setting(
        "TOCSIN_PUSH_HOSTS", (), "More push service hosts, comma separated (exact or .suffix)."
    )
    push_allowed_origins: tuple[str, ...] = setting(
        "TOCSIN_PUSH_TEST_ORIGINS", (), "Origins of local push services, for tests only; refused in production."
    )
    channels_file: str = setting(
        "TOCSIN_CHANNELS",
        "",
        "TOML file with robots, SMS, voice and mail; only its owner may read it. Empty: push alone.",
    )
    dry_run: bool = setting(
        "TOCSIN_DRY_RUN", False, "1 sends nothing, pushes included; everything is recorded as if it had been."
    )
    photo_limit: int = setting("TOCSIN_PHOTO_LIMIT", 15 * 1024 * 1024, "Largest photo accepted, bytes.")
    demo: bool = setting("TOCSIN_DEMO", False, "1 seeds the demo organisation at start when the database is empty.")
    web_folder: Path = setting(
        "TOCSIN_WEB", Path(), "Folder with another build of the app to serve; empty means the one that came along."
    )
    worker_off: bool = setting(
        "TOCSIN_WORKER_OFF",
        False,
        "1 takes the service worker off every phone at its next visit; nothing unsent is lost.",
    )
    metrics: bool = setting("TOCSIN_METRICS", True, "Serve /metrics to the local machine.")

    @property
    def url(self) -> str:
        """The database address in use."""
        return self.database_url or f"sqlite:///{self.data_folder.resolve() / 'tocsin.db'}"

    @property
    def photos_folder(self) -> Path:
        """Where photos and pieces of them are kept."""
        return self.data_folder / "photos"

    @property
    def floor_plans_folder(self) -> Path:
        """Where the pictures of floor plans are kept."""
        return self.photos_folder / "floor-plans"

    @property
    def origin(self) -> str:
        """The address people open, without a trailing slash."""
        return (self.public_url or f"http://localhost:{self.port}").rstrip("/")

    @property
    def secure_cookies(self) -> bool:
        """Whether cookies carry the Secure mark."""
        return self.origin.startswith("https://")

    def secret(self) -> str:
        """The signing secret; made once and kept in the data folder when none is set."""
        if self.secret_key:
            return self.secret_key
        path = self.data_folder / "secret.key"
        self.data_folder.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_text().strip()
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(48))
        return path.read_text().strip()

    def faults(self) -> list[str]:
        """Reasons why this installation must not start in production; empty when it is safe."""
        found = []
        if urlsplit(self.origin).scheme != "https":
            found.append("TOCSIN_URL must be an https address")
        if self.push_allowed_origins:
            found.append("TOCSIN_PUSH_TEST_ORIGINS must be empty")
        if self.vapid_subject.endswith("tocsin.example"):
            found.append("TOCSIN_VAPID_SUBJECT must be a real mailto: or https: contact")
        if self.secret_key and len(self.secret_key) < 32:
            found.append("TOCSIN_SECRET_KEY must have at least 32 characters")
        if self.demo:
            found.append("TOCSIN_DEMO must be off")
        return found


def _parse(name: str, raw: str, default: object) -> object:
    if isinstance(default, bool):
        if raw.lower() not in {"0", "1", "true", "false", "yes", "no", ""}:
            raise UnsafeSettings(f"{name} must be 0 or 1")
        return raw.lower() in {"1", "true", "yes"}
    if isinstance(default, int):
        try:
            return int(raw)
        except ValueError:
            raise UnsafeSettings(f"{name} must be a whole number") from None
    if isinstance(default, tuple):
        return tuple(part.strip() for part in raw.split(",") if part.strip())
    if isinstance(default, Path):
        return Path(raw)
    return raw


def load(environment: Mapping[str, str] | None = None) -> Config:
    """Read the settings from the environment.

    Raises UnsafeSettings when a value cannot be read, a name is misspelt, or production is asked for with unsafe values.
    """
    environment = os.environ if environment is None else environment
    known = {f.metadata["setting"].name: f for f in fields(Config)}
    unknown = [name for name in environment if name.startswith("TOCSIN_") and name not in known and "TEST" not in name]
    if unknown:
        raise UnsafeSettings("unknown settings: " + ", ".join(sorted(unknown)))
    values = {f.name: _parse(name, environment[name], f.default) for name, f in known.items() if name in environment}
    if TEST_CLOCK in environment and values.get("production"):
        raise UnsafeSettings(f"refusing to start in production: {TEST_CLOCK} moves the clock")
    config = Config(**values)  # type: ignore[arg-type]
    if config.production and (faults := config.faults()):
        raise UnsafeSettings("refusing to start in production: " + "; ".join(faults))
    return config


def described() -> list[tuple[str, str, str]]:
    """Every setting as (name, default, meaning), in order, for the operator's page."""
    return [(f.metadata["setting"].name, str(f.default), f.metadata["setting"].meaning) for f in fields(Config)]
