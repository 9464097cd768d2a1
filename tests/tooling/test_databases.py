"""The databases that tests get are real, empty and apart from each other."""

from collections.abc import Callable

import pytest
from sqlalchemy import inspect, text

from server.db import Database, Model


def test_has_every_table_of_the_model(database: Database) -> None:
    assert set(inspect(database.engine).get_table_names()) == set(Model.metadata.tables)


def test_refuses_what_only_a_real_database_would(database: Database) -> None:
    version = "SELECT sqlite_version()" if database.is_sqlite else "SHOW server_version"
    with database.read() as session:
        major = int(str(session.scalar(text(version))).split(".")[0])
    assert major == 3 if database.is_sqlite else major >= 14


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_two_databases_share_nothing(make_database: Callable[[str], str], kind: str) -> None:
    first, second = Database(make_database(kind)), Database(make_database(kind))
    try:
        first.write(lambda session: session.execute(text("CREATE TABLE only_here (id INTEGER)")).close())
        assert inspect(first.engine).has_table("only_here")
        assert not inspect(second.engine).has_table("only_here")
    finally:
        first.dispose()
        second.dispose()


def test_starts_without_a_table(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    try:
        assert inspect(database.engine).get_table_names() == []
    finally:
        database.dispose()
