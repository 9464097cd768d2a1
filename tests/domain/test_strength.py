"""A shift that is too small is seen at once, told after ten minutes, and gone when enough have come."""

from datetime import timedelta

from sqlalchemy import select

from server.clock import clock, iso, now
from server.db import new_id
from server.domain import strength
from server.domain.devices import Device, subscribe
from server.domain.outbox import Delivery
from server.domain.strength import Shortfall
from tests.cast import Phone, Stage


def wants(stage: Stage, **least: int) -> None:
    team = {"kind": "security", "title": {"zh": "安保组", "en": "Security"}, "strength": least}
    stage["admin"].put(f"/teams/{stage.cast.teams['security']}", team, 204)


def duty(by: Phone, stage: Stage, kind: str, hours: float | None = None, person: str = "") -> None:
    end = iso(now() + timedelta(hours=hours)) if hours else None
    body = {"person": stage.cast.people[person or by.name], "team": stage.cast.teams["security"], "kind": kind}
    by.fact("/duties", {**body, "starts_at": iso(now()), "ends_at": end})


def work(stage: Stage) -> int:
    """Do what the worker does when the roster has moved."""
    with stage.database.read() as session:
        due = strength.next_due(session) is not None
    done = stage.database.write(strength.check)
    assert bool(done) == due
    return done


def seen(phone: Phone) -> list[tuple[str, int, int]]:
    phone.sync()
    return [(one["post"], one["present"], one["wanted"]) for one in phone.all("shortfall")]


def test_a_shift_falls_short_and_is_made_up(stage: Stage) -> None:
    leader, commander, member = stage["security_lead"], stage["commander"], stage["security_one"]
    wants(stage, any=2, leader=1)
    assert work(stage) == 2
    assert sorted(seen(commander)) == [("any", 0, 2), ("leader", 0, 1)] == sorted(seen(leader))
    assert seen(member) == seen(stage["it_lead"]) == []
    duty(leader, stage, "on", 8)
    assert work(stage) == 2
    assert seen(commander) == [("any", 1, 2)]
    duty(member, stage, "on", 8)
    work(stage)
    assert seen(commander) == seen(leader) == []
    stage.move(hours=8)
    assert work(stage) == 2, "the shift is over and nobody has taken over"
    assert len(seen(leader)) == 2


def test_leaders_and_commanders_are_warned_once_when_it_lasts(stage: Stage) -> None:
    def phones(session: object) -> None:
        for number, name in enumerate(("security_lead", "commander", "security_one", "it_lead")):
            device = session.get(Device, stage.cast.devices[name])  # type: ignore[attr-defined]
            url = f"https://push.example/{number}"
            subscribe(session, device, url, "https://push.example", b"\4" * 65, b"0" * 16, "key")  # type: ignore[arg-type]

    stage.database.write(phones)
    wants(stage, any=1)
    work(stage)
    clock.move(9 * 60)
    assert work(stage) == 0, "a hand-over takes a moment"
    clock.move(60)
    assert work(stage) == 1
    assert work(stage) == 0
    with stage.database.read() as session:
        sent = list(session.scalars(select(Delivery).where(Delivery.kind == "roster")))
    assert {one.person for one in sent} == {stage.cast.people["security_lead"], stage.cast.people["commander"]}
    assert sent[0].content["body"]["zh"] == "安保组：人员在岗 0 人，至少须 1 人。"
    duty(stage["security_one"], stage, "on")
    work(stage)
    duty(stage["security_one"], stage, "off")
    work(stage)
    with stage.database.read() as session:
        row = session.scalars(select(Shortfall)).one()
    assert (row.warned, row.since) == (False, now()), "another shortfall is told anew"


def test_unknown_posts_and_numbers_out_of_bounds_are_refused_with_the_field(stage: Stage) -> None:
    team = {"kind": "security", "title": {"zh": "a", "en": "a"}}
    for least in ({"boss": 1}, {"any": 0}, {"any": 1001}, {"any": 1.5}, {"any": "2"}, {"any": None}, [1], "x"):
        answer = stage["admin"].put(f"/teams/{new_id()}", {**team, "strength": least}, 422)
        assert answer["errors"][0]["path"].startswith("strength"), answer
