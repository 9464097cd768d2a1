"""Runs migrations on the connection the server hands over, on SQLite and PostgreSQL alike."""

import importlib
import pkgutil

from alembic import context

import server.domain
from server.db import Model

for module in pkgutil.iter_modules(server.domain.__path__, "server.domain."):
    importlib.import_module(module.name)


def run() -> None:
    """Run the migrations in the transaction the connection is in."""
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=Model.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        transactional_ddl=True,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
