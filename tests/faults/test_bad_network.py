"""P16: a network that is slow, far away, loses much and is gone for moments: everything arrives, and once."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.clock import now
from tests.faults.runner.checker import judge
from tests.faults.runner.link import Link
from tests.faults.runner.phones import FieldPhone
from tests.house import House
from tests.pictures import jpeg

pytestmark = [pytest.mark.faults, pytest.mark.long, pytest.mark.timeout(400)]
SECONDS = 20.0


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    (tmp_path / "house").mkdir()
    opened = House(tmp_path / "house")
    opened.start()
    yield opened
    opened.stop()


def test_p16_through_loss_delay_and_outages_everything_arrives_once(house: House, tmp_path: Path) -> None:
    link = Link(house.port, 400, 2_000, lost=0.4)
    logs = tmp_path / "phones"
    crew = [
        FieldPhone(logs / name, house.port, name, house.password, name) for name in ("visitors-1", "commander", "it-1")
    ]
    for phone in crew:
        phone.pull()
        phone.wire.hang_up()
        phone.wire.port = link.port
    stopping = threading.Event()
    playing = [threading.Thread(target=phone.play, args=(stopping, jpeg(200, 120), 3.0)) for phone in crew]
    for thread in playing:
        thread.start()
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        time.sleep(4)
        link.cut(1)
    stopping.set()
    for thread in playing:
        thread.join(60)
    assert sum(phone.counts["lost"] for phone in crew) > 0, "the network was bad"
    for phone in crew:
        phone.drain(120)
        assert (phone.queue.waiting, phone.photos) == ({}, {})
    worker = house.processes.pop("worker")
    worker.terminate()
    assert worker.wait(20) == 0
    for phone in crew:
        phone.wire.hang_up()
        phone.wire.port = house.port
        phone.finish()
    link.close()
    house.stop()
    verdict = judge(logs, f"sqlite:///{house.folder / 'tocsin.db'}", house.folder / "photos", now())
    assert verdict.wrong == []
    assert verdict.figures["applied"] > 10, verdict.figures
