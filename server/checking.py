"""What is wrong with this installation: settings, keys, database, app, and whether it answers."""

import shutil

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from server import migrating
from server.answering import answers
from server.api.shell import WEB
from server.config import Config
from server.db import Database
from server.delivery.vapid import VAPID_FILE
from server.engines import UnsafeDatabase

LEAST_FREE = 512 * 1024 * 1024


def findings(config: Config) -> list[tuple[str, str]]:
    """What was found, as (grade, sentence) with grade ok, note or wrong."""
    found = [("wrong" if config.production else "note", fault) for fault in config.faults()]
    key = config.data_folder / VAPID_FILE
    if not key.is_file():
        found.append(("note", "the push key is not made yet; it is made at the first start"))
    elif key.stat().st_mode & 0o077:
        found.append(("wrong", f"the push key {key} can be read by others"))
    else:
        found.append(("ok", "the push key is in place"))
    if (WEB / "index.html").is_file():
        found.append(("ok", "the app is built"))
    else:
        found.append(("wrong", "the app is not built; run make build"))
    config.data_folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(config.data_folder).free
    found.append(("ok" if free > LEAST_FREE else "wrong", f"{free // 2**20} MB are free in the data folder"))
    found += _database(config)
    found.append(("ok", "the web process answers") if answers(config) else ("note", "the web process does not answer"))
    return found


def _database(config: Config) -> list[tuple[str, str]]:
    try:
        database = Database(config.url)
        at, newest = migrating.current(database)
        found = [
            ("ok", "the database is up to date")
            if at == newest
            else ("wrong", f"the database is at {at}, not {newest}; run tocsin migrate")
        ]
        if database.is_sqlite:
            with database.engine.connect() as connection:
                said = connection.execute(text("PRAGMA quick_check(1)")).scalar()
            found.append(
                ("ok", "the database file is sound")
                if said == "ok"
                else ("wrong", f"the database file is damaged: {said}")
            )
        database.dispose()
    except (SQLAlchemyError, UnsafeDatabase) as error:
        return [("wrong", f"the database cannot be used: {error}")]
    return found
