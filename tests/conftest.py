"""What every test may ask for: an empty database of each kind, a browser, and a failure when an error was logged unasked."""

import importlib
import logging
import os
import pkgutil
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis
import pytest

import server.domain
from server.db import Database, Model
from server.engines import open_engine
from tests.chromium import FLAGS, chromium_path
from tests.postgres import Databases, name_in

KINDS = ("sqlite", "postgresql")
pytest_plugins = ("tests.stage",)

for module in pkgutil.iter_modules(server.domain.__path__, "server.domain."):
    importlib.import_module(module.name)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Databases]:
    """PostgreSQL databases, on the server TOCSIN_TEST_PG_URL names, else on one started for these tests."""
    databases = Databases(os.environ.get("TOCSIN_TEST_PG_URL"))
    yield databases
    databases.close()


@pytest.fixture(scope="session")
def make_empty_database(postgres: Databases, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """A function that makes a database of a kind, without any table, and returns its address."""

    def make(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path_factory.mktemp('database') / 'tocsin.db'}"
        return postgres.create()

    return make


@pytest.fixture(scope="session")
def make_database(make_empty_database: Callable[[str], str], postgres: Databases) -> Callable[[str], str]:
    """A function that makes a database of a kind with every table and no row, as a copy of one made once."""

    @cache
    def original(kind: str) -> str:
        url = make_empty_database(kind)
        engine = open_engine(url)
        try:
            Model.metadata.create_all(engine)
        finally:
            engine.dispose()
        return url

    def make(kind: str) -> str:
        if kind == "postgresql":
            return postgres.create(template=name_in(original(kind)))
        copy = make_empty_database(kind)
        shutil.copyfile(original(kind).removeprefix("sqlite:///"), copy.removeprefix("sqlite:///"))
        return copy

    return make


@pytest.fixture(params=KINDS)
def database_url(
    request: pytest.FixtureRequest, make_database: Callable[[str], str], postgres: Databases
) -> Iterator[str]:
    """The address of a fresh database with every table, once on each kind of database."""
    url = make_database(request.param)
    yield url
    postgres.drop(url)


@pytest.fixture(params=KINDS)
def empty_database_url(request: pytest.FixtureRequest, make_empty_database: Callable[[str], str]) -> str:
    """The address of a fresh database without tables, once on each kind of database: what migrations start from."""
    return make_empty_database(request.param)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A fresh open database, once on each kind."""
    opened = Database(database_url)
    yield opened
    opened.dispose()


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """The installed Chromium instead of one that Playwright would download."""
    path = chromium_path()
    if path is None:
        pytest.fail("no Chromium found; `python -m tests.chromium` says what to install")
    return {**browser_type_launch_args, "executable_path": path, "args": [*FLAGS]}


class _Errors(logging.Handler):
    """Keeps what was logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        # Tocsin answers no request with aiohttp: this is a test's stand-in for another service that saw us hang up.
        if record.name == "aiohttp.server":
            return
        self.lines.append(f"{record.name}: {record.getMessage()}")


@pytest.fixture(autouse=True)
def _no_unexpected_error_logs(request: pytest.FixtureRequest) -> Iterator[None]:
    handler, root = _Errors(), logging.getLogger()
    root.addHandler(handler)
    yield
    root.removeHandler(handler)
    if handler.lines and not request.node.get_closest_marker("expects_error_logs"):
        pytest.fail("logged as an error:\n" + "\n".join(handler.lines))


def pytest_configure(config: pytest.Config) -> None:
    """Settings of the person who runs the tests do not reach them; generated cases may be slow, and repeat in CI."""
    hypothesis.settings.register_profile("tocsin", deadline=None, derandomize="CI" in os.environ)
    hypothesis.settings.load_profile("tocsin")
    for name in [name for name in os.environ if name.startswith("TOCSIN_") and "TEST" not in name]:
        del os.environ[name]
    os.environ.pop("DATABASE_URL", None)
    os.environ["TOCSIN_DATA"] = str(Path(os.environ.get("TMPDIR", "/tmp")) / "tocsin-tests-must-not-write-here")
