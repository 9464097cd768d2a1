"""The feed's epoch: a restored database begins another life, and phones hear of it."""

from pathlib import Path

from server import config as settings
from server import migrating
from server.app import create_app
from server.domain import feed
from server.opening import open_database
from tests.cast import Stage


def test_a_restored_database_has_another_epoch(tmp_path: Path) -> None:
    config = settings.load({"TOCSIN_DATA": str(tmp_path)})
    database = open_database(config)
    migrating.upgrade(database)
    first = database.write(feed.epoch)
    assert database.write(feed.epoch) == first
    second = database.write(feed.begin_epoch)
    assert database.write(feed.epoch) == second != first
    answer = create_app(config, database).test_client().get("/api/v1/health/live")
    assert answer.headers["X-Tocsin-Epoch"] == second
    database.dispose()


def test_a_phone_of_the_earlier_life_is_told(stage: Stage) -> None:
    answer = stage["security_one"].batch([], expect=409, epoch="01900000-0000-7000-8000-000000000000")
    assert answer["code"] == "epoch_changed"
