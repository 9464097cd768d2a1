"""A worker in a process of its own, as `python -m tests.faults.worker_process DATABASE_URL FOLDER PUSH_ORIGIN`."""

import sys
from pathlib import Path

from server.config import Config
from server.db import Database
from server.delivery.chores import Chore
from server.delivery.worker import run_worker
from server.domain import feed, told


def main(url: str, folder: str, origin: str) -> None:
    """Work until told to stop."""
    config, database, chores = at_hand(url, folder, origin)
    run_worker(config, database, chores)
    database.dispose()


def at_hand(url: str, folder: str, origin: str) -> tuple[Config, Database, list[Chore]]:
    """What such a worker works with."""
    config = Config(data_folder=Path(folder), secret_key="s" * 40, push_allowed_origins=(origin,))
    database = Database(url)
    feed.attach(database)
    shown, noted = (told.show_due, told.show), (told.due, told.note)
    return config, database, [Chore("shown", *shown, pause=0.05), Chore("told", *noted, pause=0.05)]


if __name__ == "__main__":
    main(*sys.argv[1:])
