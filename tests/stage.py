"""Fixtures of the stage: one application for each kind of database, a fresh filled database for each test."""

import shutil
from collections.abc import Callable, Generator, Iterator
from functools import cache

import orjson
import pytest
from argon2 import PasswordHasher
from flask import Flask
from sqlalchemy import select

from server.api.live import Hub
from server.api.rows import DOCUMENTS
from server.app import create_app
from server.clock import clock
from server.config import Config
from server.db import Database
from server.domain import incidents, people
from server.domain.feed import Change
from server.opening import open_database
from tests.cast import MORNING, PASSWORD, Cast, Stage, fill
from tests.conftest import KINDS
from tests.postgres import Databases, name_in

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture(scope="session")
def filled(
    make_database: Callable[[str], str], postgres: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[str, Cast]]:
    """A function that makes a database of a kind with the cast in it, as a copy of one filled once."""

    @cache
    def original(kind: str) -> tuple[str, Cast]:
        url = make_database(kind)
        database = open_database(Config(database_url=url))
        clock.hold(MORNING)
        try:
            return url, database.write(lambda session: fill(session, CHEAP.hash(PASSWORD)))
        finally:
            clock.release()
            database.dispose()

    def make(kind: str) -> tuple[str, Cast]:
        url, cast = original(kind)
        if kind == "postgresql":
            return postgres.create(template=name_in(url)), cast
        copy = tmp_path_factory.mktemp("stage") / "tocsin.db"
        shutil.copyfile(url.removeprefix("sqlite:///"), copy)
        return f"sqlite:///{copy}", cast

    return make


@pytest.fixture(scope="session")
def application(
    filled: Callable[[str], tuple[str, Cast]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Flask]]:
    """A function that gives the one application of a kind of database."""
    opened: list[Database] = []

    @cache
    def make(kind: str) -> Flask:
        url, _ = filled(kind)
        config = Config(data_folder=tmp_path_factory.mktemp("data"), database_url=url, secret_key="k" * 40)
        database = open_database(config)
        opened.append(database)
        return create_app(config, database)

    yield make
    for database in opened:
        database.dispose()


def misshapen(database: Database) -> list[str]:
    """Feed rows that are not as the OpenAPI document says."""
    found = []
    with database.read() as session:
        for change in session.scalars(select(Change).where(Change.document.is_not(None))):
            for path, messages in DOCUMENTS[change.type]().validate(orjson.loads(change.document or "{}")).items():
                found.append(f"{change.type} {change.entity}: {path}: {messages}")
    return found


def wrongly_heard(database: Database) -> list[str]:
    """Whoever the live stream would tell of other spaces than they may read."""
    with database.read() as session:
        found = people.standings(session, session.scalars(select(people.Person.id)))
        told = dict(incidents.spaces_of(session, found.values()))
        return [
            one.name
            for id, one in found.items()
            if one != people.standing(session, id) or sorted(told[id]) != incidents.spaces(session, one)
        ]


def opened_at(url: str) -> Database:
    """The open database at an address."""
    return open_database(Config(database_url=url))


def set_stage(
    kind: str,
    filled: Callable[[str], tuple[str, Cast]],
    application: Callable[[str], Flask],
    postgres: Databases | None = None,
    opened: Callable[[str], Database] = opened_at,
) -> Generator[Stage, None, None]:
    """The application on a fresh copy of the filled database, with the clock held at ten in the morning."""
    app = application(kind)
    url, cast = filled(kind)
    database = opened(url)
    app.extensions.update(tocsin_database=database, tocsin_hub=Hub(database))
    app.extensions["tocsin_allowance"].reset()
    clock.hold(MORNING)
    try:
        yield Stage(app, database, cast)
        assert misshapen(database) == []
        assert wrongly_heard(database) == []
    finally:
        app.extensions["tocsin_hub"].close()
        clock.release()
        database.dispose()
        if postgres:
            postgres.drop(url)


@pytest.fixture(params=KINDS)
def stage(
    request: pytest.FixtureRequest,
    filled: Callable[[str], tuple[str, Cast]],
    application: Callable[[str], Flask],
    postgres: Databases,
) -> Iterator[Stage]:
    """A stage of its own for the test, once on each kind of database."""
    yield from set_stage(request.param, filled, application, postgres)


@pytest.fixture(params=KINDS, scope="module")
def shared_stage(
    request: pytest.FixtureRequest,
    filled: Callable[[str], tuple[str, Cast]],
    application: Callable[[str], Flask],
    postgres: Databases,
) -> Iterator[Stage]:
    """A stage all tests of a module share, once on each kind of database: for what must change nothing."""
    yield from set_stage(request.param, filled, application, postgres)


__all__ = ["application", "filled", "shared_stage", "stage"]
