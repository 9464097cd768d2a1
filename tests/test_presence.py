"""A worker's word that it is there: seen by others, gone with its process, given again after the database was away."""

import os
import signal

from sqlalchemy import text

from server.db import Database
from server.presence import Presence, anybody


def test_nobody_is_there_until_a_worker_says_so_and_after_it_leaves(database: Database) -> None:
    assert not anybody(database)
    first, second = Presence(database), Presence(database)
    assert first.hold()
    assert second.hold()
    assert anybody(database)
    first.release()
    assert anybody(database)
    second.release()
    assert not anybody(database)


def test_the_word_goes_with_the_process_that_is_killed(database_url: str) -> None:
    said, saying = os.pipe()
    child = os.fork()
    if not child:
        Presence(Database(database_url)).hold()
        os.write(saying, b"x")
        signal.pause()
    database = Database(database_url)
    try:
        assert os.read(said, 1)
        assert anybody(database)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(said)
        os.close(saying)
    for _ in range(100):
        if not anybody(database):
            break
    assert not anybody(database)
    database.dispose()


def test_a_lost_connection_takes_the_word_and_the_next_look_gives_it_again(database: Database) -> None:
    presence = Presence(database)
    presence.hold()
    if not database.is_sqlite:
        with database.read() as session:
            session.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        assert not presence.hold()
        assert not anybody(database)
    assert presence.hold()
    assert anybody(database)
    presence.release()
