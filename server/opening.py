"""Opening the configured database for a command, or saying in one sentence why that cannot be done."""

import click
from sqlalchemy.exc import SQLAlchemyError

from server.app import open_database
from server.config import Config
from server.db import Database
from server.engines import UnsafeDatabase


def opened(config: Config) -> Database:
    """The open database. Raises ClickException when it cannot be reached or may not be used."""
    try:
        return open_database(config)
    except (UnsafeDatabase, SQLAlchemyError) as error:
        raise click.ClickException(str(error)) from None
