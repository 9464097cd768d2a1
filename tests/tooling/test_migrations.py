"""Migrations make exactly the tables of the model, on both databases, from nothing and from every step, and back."""

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from server import migrating, shape
from server.config import Config
from server.db import Database, Model

KEPT_BY_ALEMBIC = {"alembic_version"}


def test_one_line_of_revisions() -> None:
    script = ScriptDirectory.from_config(migrating.settings())
    assert len(script.get_heads()) == 1
    assert len(script.get_bases()) == 1


def test_upgrading_makes_what_the_model_says(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    try:
        migrating.upgrade(database)
        at, newest = migrating.current(database)
        assert at == newest
        with database.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, Model.metadata) == []
        assert set(inspect(database.engine).get_table_names()) == {*Model.metadata.tables, *KEPT_BY_ALEMBIC}
    finally:
        database.dispose()


def test_a_database_that_is_not_there_or_empty_is_not_current(tmp_path: Path) -> None:
    path = tmp_path / "tocsin.db"
    assert not shape.is_current(Config(database_url=f"sqlite:///{path}"))
    assert not path.exists(), "looking makes no file"
    path.touch()
    assert not shape.is_current(Config(database_url=f"sqlite:///{path}"))
    assert not shape.is_current(Config(database_url="postgresql://127.0.0.1:1/none"))


def test_upgrading_again_changes_nothing(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    try:
        migrating.upgrade(database)
        before = inspect(database.engine).get_table_names()
        migrating.upgrade(database)
        assert inspect(database.engine).get_table_names() == before
    finally:
        database.dispose()


def test_goes_back_and_forth_over_every_step(empty_database_url: str) -> None:
    revisions = [one.revision for one in ScriptDirectory.from_config(migrating.settings()).walk_revisions()]
    database = Database(empty_database_url)
    try:
        for revision in reversed(revisions):
            migrating.upgrade(database, revision)
            assert migrating.current(database)[0] == revision
            # told at every start by one row, without loading what migrates
            assert shape.is_current(Config(database_url=empty_database_url)) == (revision == revisions[0])
        for revision in [*revisions[1:], "base"]:
            migrating.downgrade(database, revision)
        assert set(inspect(database.engine).get_table_names()) <= KEPT_BY_ALEMBIC
    finally:
        database.dispose()
