"""Bringing the database to the current shape, one process at a time."""

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from server.db import Database
from server.shape import MIGRATIONS

LOCK = 8463_2026


def settings(connection: Connection | None = None) -> AlembicConfig:
    """Alembic's settings for our migrations, on an open connection where one is given."""
    config = AlembicConfig()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def upgrade(database: Database, to: str = "head") -> None:
    """Apply the migrations that are missing; a second process waits for the first."""
    with database.exclusive() as connection:
        if not database.is_sqlite:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
        command.upgrade(settings(connection), to)


def downgrade(database: Database, to: str = "base") -> None:
    """Take migrations back."""
    with database.exclusive() as connection:
        command.downgrade(settings(connection), to)


def current(database: Database) -> tuple[str | None, str | None]:
    """The revision the database is at and the newest there is."""
    with database.engine.connect() as connection:
        at = MigrationContext.configure(connection).get_current_revision()
    return at, ScriptDirectory.from_config(settings()).get_current_head()
