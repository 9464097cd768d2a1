"""Opening the configured database, for a process or, with a sentence when that cannot be done, for a command."""

from pathlib import Path

import click
from sqlalchemy.exc import SQLAlchemyError

from server.config import Config
from server.db import Database
from server.domain import feed, timeline
from server.engines import UnsafeDatabase


def open_database(config: Config) -> Database:
    """Open the organisation's database so that every unit of work seals its timeline and raises its feed."""
    if config.url.startswith("sqlite:///"):
        Path(config.url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    database = Database(config.url)
    timeline.attach(database)
    feed.attach(database)
    return database


def opened(config: Config) -> Database:
    """The open database. Raises ClickException when it cannot be reached or may not be used."""
    try:
        return open_database(config)
    except (UnsafeDatabase, SQLAlchemyError) as error:
        raise click.ClickException(str(error)) from None
