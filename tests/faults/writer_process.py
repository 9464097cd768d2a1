"""One of several processes that write to one SQLite file: `python -m tests.faults.writer_process URL SECONDS`."""

import sys
import threading
import time

from sqlalchemy.orm import Session

from server.config import Config
from server.db import new_id
from server.domain import alerts, places  # noqa: F401 - a place's table needs the others
from server.opening import open_database


def main(url: str, seconds: str) -> None:
    """Add places from four threads and print how many were committed and the errors there were."""
    database = open_database(Config(database_url=url))
    until, done, errors = time.monotonic() + float(seconds), [], []

    def unit(session: Session) -> None:
        session.add(places.Place(id=new_id(), kind="point", title={"zh": "点", "en": "point"}, code=new_id()))

    def work() -> None:
        while time.monotonic() < until:
            try:
                database.write(unit)
                done.append(1)
            except Exception as error:
                errors.append(repr(error))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.stdout.write(f"{len(done)} {' '.join(errors)}")
    database.dispose()


if __name__ == "__main__":
    main(*sys.argv[1:])
