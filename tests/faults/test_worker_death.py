"""A limit fires exactly once, however often the worker is killed around it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house import House, Phone

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]
INCIDENTS = 12


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    opened = House(tmp_path)
    yield opened
    opened.stop()
    assert opened.complaints() == []


def test_limits_fire_once_through_kills(house: House) -> None:
    house.start()
    visitors, commander = Phone(house, "visitors-1"), Phone(house, "commander")
    for number in range(INCIDENTS):
        status, answer = visitors.put(
            "/incidents/", {"plan": "scenic-ticketing-failure", "title": f"窗口无法出票 {number}"}
        )
        assert status == 201, answer
    house.kill("worker")
    house.move(15 * 60)
    for pause in (0.9, 0.95, 1.0, 1.05, 1.1, 1.2):  # around the moment the worker is up and at work
        house.start("worker")
        time.sleep(pause)
        house.kill("worker")
    house.start("worker")
    until = time.monotonic() + 30
    while time.monotonic() < until:
        commander.pull()
        passed = [
            limit for limit in commander.all("limit") if limit["key"] == "restore" and limit["status"] == "passed"
        ]
        if len(passed) == INCIDENTS:
            break
        time.sleep(0.2)
    assert len(passed) == INCIDENTS
    time.sleep(1)
    commander.pull()
    fired = [
        entry for entry in commander.all("entry") if entry["kind"] == "limit_passed" and "15" in entry["text"]["zh"]
    ]
    leadership = next(team["id"] for team in commander.all("team") if team["kind"] == "leadership")
    told = [alert for alert in commander.all("alert") if alert["team"] == leadership]
    by_incident: dict[str, int] = {}
    for entry in fired:
        by_incident[entry["incident"]] = by_incident.get(entry["incident"], 0) + 1
    assert sorted(by_incident.values()) == [1] * INCIDENTS
    titles: dict[tuple[str, str], int] = {}
    for alert in told:
        key = (alert["incident"], alert["title"]["zh"])
        titles[key] = titles.get(key, 0) + 1
    assert titles
    assert set(titles.values()) == {1}
    for incident in by_incident:
        assert commander.call("GET", f"/incidents/{incident}/verification")[1]["intact"]
