"""Doors: a few inside, the others in order, and beyond that they are told when to come again."""

import threading

import pytest

from server.api import batch
from server.api.doors import Door
from server.domain.errors import Busy
from tests.cast import Stage
from tests.situation import ticketing


def test_the_next_is_let_in_in_the_order_they_came() -> None:
    door, came = Door(inside=1, waiting=5, seconds=20), list[int]()

    def enter(number: int) -> None:
        with door.inside():
            came.append(number)

    threads = [threading.Thread(target=enter, args=(number,)) for number in range(5)]
    with door.inside():
        for number, thread in enumerate(threads):
            thread.start()
            while len(door) <= number:
                thread.join(0.001)
        with pytest.raises(Busy) as refused, door.inside():
            pass
        assert 2 <= refused.value.retry_after <= 6
        assert came == []
    for thread in threads:
        thread.join()
    assert came == [0, 1, 2, 3, 4]
    assert len(door) == 0


def test_who_waits_too_long_leaves_the_line_and_the_door_goes_on() -> None:
    door = Door(inside=1, waiting=5, seconds=0.01)
    with door.inside():
        with pytest.raises(Busy), door.inside():
            pass
        assert len(door) == 0
    with door.inside():
        pass


def test_a_tap_passes_while_the_door_is_full(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    incident, phone = ticketing(stage), stage["visitors_one"]
    monkeypatch.setattr(batch, "DOOR", door := Door(inside=1, waiting=0, seconds=1))
    for number in range(batch.FEW_ITEMS + 1):
        phone.later(f"/incidents/{incident}/entries", {"text": f"{number}"})
    with door.inside():
        refused = phone.call("POST", "/batch", {"device": phone.device, "items": phone.queue})
        assert (refused.status_code, refused.get_json()["code"]) == (503, "busy")
        assert 2 <= int(refused.headers["Retry-After"]) <= 6
        assert [one["status"] for one in phone.batch(phone.queue[: batch.FEW_ITEMS])["results"]] == [
            "applied"
        ] * batch.FEW_ITEMS
        phone.fact(f"/incidents/{incident}/entries", {"text": "one"})
    assert [one["status"] for one in phone.drain()] == ["duplicate"] * batch.FEW_ITEMS + ["applied"]
