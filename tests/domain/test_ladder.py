"""The ladder: each step at its time to the silent alone, nothing to whoever has answered, and enough people or the next group."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from server.clock import iso, now
from server.db import new_id
from server.domain import calling, climbing, messages, outbox, people, plans, rolls, steps
from server.domain.alerts import Recipient
from server.domain.devices import Device, subscribe
from server.domain.outbox import Delivery
from server.domain.people import Membership
from server.domain.steps import Step
from server.planning.compiler import compile_plan
from tests.cast import PLAN_FILES, TICKETING, Stage, as_version
from tests.situation import ticketing
from tests.stage import set_stage

WAYS = {"sms": True, "voice": True, "email": True, "robot": {"ops": [], "guards": ["security"], "it": ["it"]}}
GUARDS = ("security_lead", "security_one", "security_two")
LADDER = """
ladders:
  - key: quick
    title: 快速阶梯 | Quick ladder
    steps:
      - {after: 20 s, unless: delivered, by: sms}
      - {after: 1 min, by: [push, voice], call_list: true}
    after_received: 10 min
    clause: 000-21 §9 | 本单位设定。 | Set here.
"""


def set_up(stage: Stage, ways: dict[str, Any] | None = None) -> None:
    """The guards take pushes, one of them has a mailbox, and these channels are there."""

    def unit(session: Any) -> None:
        people.set_setting(session, "channels", WAYS if ways is None else ways)
        for name in GUARDS:
            device, address = session.get(Device, stage.cast.devices[name]), f"https://push.example/{name}"
            subscribe(session, device, address, "https://push.example", b"\4" * 65, b"0" * 16, "key")
        person = session.get(people.Person, stage.cast.people["security_two"])
        person.mailbox = "two@example.org"

    stage.database.write(unit)


def order(stage: Stage, incident: str | None = None, **more: Any) -> str:
    """An order by hand to all of security; returns its alert."""
    body = {"incident": incident or ticketing(stage), "team": stage.cast.teams["security"], "title": "到售票厅维持秩序"}
    key = stage["commander"].fact("/orders", {"audience": "on_duty", **body, **more})
    stage["commander"].sync()
    return str(stage["commander"].one("order", id=key)["alert"])


def queued(stage: Stage, alert: str) -> list[tuple[str, str, str]]:
    """(name, channel, state) of what was queued for the people of an alert."""
    names = {id: name for name, id in stage.cast.people.items()}
    query = select(Delivery.person, Delivery.channel, Delivery.state).where(Delivery.subject == alert)
    with stage.database.read() as session:
        return sorted((names[str(person)], channel, state) for person, channel, state in session.execute(query))


def by(stage: Stage, alert: str, channel: str) -> list[str]:
    return [name for name, one, state in queued(stage, alert) if one == channel and state != "cancelled"]


def posts(stage: Stage, incident: str) -> dict[str, list[str]]:
    """The lines of each post about an incident, by robot, in the order they were queued."""
    query = (
        select(Delivery).where(Delivery.subject == incident, Delivery.channel == "robot").order_by(Delivery.created_at)
    )
    with stage.database.read() as session:
        found: dict[str, list[str]] = {}
        for one in session.scalars(query):
            found.setdefault(one.content["address"]["robot"], []).append(one.content["body"]["zh"])
        return found


def entries(stage: Stage, incident: str, kind: str) -> list[dict[str, Any]]:
    found = stage["commander"].get(f"/incidents/{incident}/timeline")["entries"]
    return [one for one in found if one["kind"] == kind]


def incident_of(stage: Stage, alert: str) -> str:
    stage["commander"].sync()
    return str(stage["commander"].one("alert", id=alert)["incident"])


def answer(stage: Stage, alert: str, name: str, kind: str, **more: Any) -> None:
    stage[name].fact(f"/alerts/{alert}/answers", {"kind": kind, **more})


def titles(stage: Stage, name: str) -> list[str]:
    """The titles of the alerts somebody has been sent, oldest first."""
    stage[name].sync()
    return [one["title"]["zh"] for one in sorted(stage[name].all("alert"), key=lambda one: one["issued_at"])]


def test_push_and_one_post_then_a_text_to_whoever_it_did_not_reach_then_the_names_to_call(stage: Stage) -> None:
    set_up(stage)
    alert = order(stage)
    incident = incident_of(stage, alert)
    assert by(stage, alert, "push") == list(GUARDS)
    stage["security_lead"].fact(f"/alerts/{alert}/receipts", {"kind": "delivered", "channel": "push"})
    stage.move(seconds=29)
    assert by(stage, alert, "sms") == by(stage, alert, "email") == []
    stage.move(seconds=1)
    assert by(stage, alert, "sms") == ["security_one", "security_two"]
    assert by(stage, alert, "email") == ["security_two"]
    assert entries(stage, incident, "call_list") == []
    answer(stage, alert, "security_one", "received")
    stage.move(seconds=90)
    calls = entries(stage, incident, "call_list")
    assert [one["text"]["zh"] for one in calls if one["refs"]["alert"] == alert] == [
        "请电话联系：security_lead、security_two"
    ]
    stage.move(minutes=3)
    assert by(stage, alert, "voice") == ["security_lead", "security_two"]
    stage.move(hours=2)
    assert by(stage, alert, "sms") == ["security_two"], "the one who answered was taken back, nobody got a second text"
    with stage.database.read() as session:
        left = session.scalars(select(Step.status).where(Step.alert == alert, Step.kind == "tell")).all()
    assert set(left) == {"done"}


def test_a_chat_gets_one_post_for_each_incident_and_step(stage: Stage) -> None:
    set_up(stage)
    incident = ticketing(stage)
    stage["commander"].fact(f"/incidents/{incident}/decisions", {"kind": "activate"})
    found = posts(stage, incident)
    assert {name: len(texts) for name, texts in found.items()} == {"ops": 1, "guards": 1, "it": 1}
    assert found["ops"][0].count("\n") >= 5
    assert "security（3 人）" in found["guards"][0]
    assert "it（" not in found["guards"][0]
    assert not any(name in text for texts in found.values() for text in texts for name in stage.cast.people)


def test_what_is_not_set_up_is_not_queued(stage: Stage) -> None:
    set_up(stage, {})
    alert = order(stage)
    stage.move(minutes=30)
    assert {channel for _, channel, _ in queued(stage, alert)} == {"push"}
    assert posts(stage, incident_of(stage, alert)) == {}


def test_a_drill_never_leaves_by_a_real_channel(stage: Stage) -> None:
    set_up(stage)
    drill = stage["commander"].fact("/drills", {
        "plan": TICKETING, "title": "演练", "scheduled_at": iso(now()), "scenario": "断网", "risk_check": "已评估",
    })  # fmt: skip
    incident = new_id()
    stage["commander"].fact(f"/drills/{drill}/starts", {"incident": incident})
    order(stage, incident)
    stage.move(minutes=30)
    with stage.database.read() as session:
        assert set(session.scalars(select(Delivery.channel))) == {"push"}


def test_the_end_takes_back_what_waits_and_no_step_follows(stage: Stage) -> None:
    set_up(stage)
    alert = order(stage)
    stage.move(seconds=30)
    stage["commander"].fact(
        f"/incidents/{incident_of(stage, alert)}/decisions",
        {"kind": "stand_down", "team": stage.cast.teams["security"], "reason": "已恢复"},
    )
    before = queued(stage, alert)
    assert {state for _, _, state in before} == {"cancelled"}
    stage.move(hours=1)
    assert queued(stage, alert) == before


def test_who_goes_off_duty_is_asked_no_more_and_who_comes_on_is(stage: Stage) -> None:
    set_up(stage)
    alert = order(stage)
    duty = {"person": stage.cast.people["security_one"], "team": stage.cast.teams["security"], "starts_at": iso(now())}
    stage["security_lead"].fact("/duties", {**duty, "kind": "off"})
    assert [state for name, _, state in queued(stage, alert) if name == "security_one"] == ["cancelled"]
    stage.move(minutes=20)
    assert {state for name, _, state in queued(stage, alert) if name == "security_one"} == {"cancelled"}
    stage["commander"].sync()
    board = next(
        row for row in stage["commander"].all("board")[0]["teams"] if row["team"] == stage.cast.teams["security"]
    )
    assert (board["asked"], board["silent"]) == (3, 2)
    stage["security_lead"].fact("/duties", {**duty, "kind": "on", "starts_at": iso(now())})
    assert "push" in {one for name, one, state in queued(stage, alert) if (name, state) == ("security_one", "pending")}


def deputised(stage: Stage, *names: str, team: str = "security", role: str = "deputy") -> None:
    def unit(session: Any) -> None:
        for rank, name in enumerate(names):
            where = (Membership.person == stage.cast.people[name]) & (Membership.team == stage.cast.teams[team])
            post = session.scalar(select(Membership).where(where))
            post.role, post.rank = role, rank

    stage.database.write(unit)


def test_deputies_act_one_after_the_other_and_the_leadership_hears_when_none_does(stage: Stage) -> None:
    deputised(stage, "security_one", "security_two")
    deputised(stage, "commander", team="leadership", role="leader")
    deputised(stage, "second", team="leadership")
    order(stage)
    stage.move(seconds=119)
    assert len(titles(stage, "security_one")) == 1
    stage.move(seconds=1)
    assert titles(stage, "security_one")[1:] == ["组长security_lead未回应，由security_one负责"]
    assert len(titles(stage, "security_two")) == 1
    stage.move(minutes=2)
    assert titles(stage, "security_two")[1:] == ["组长security_lead未回应，由security_two负责"]
    stage.move(minutes=2)
    assert "security无人负责，请指定" in titles(stage, "commander")
    # silent as well, the group is reminded of that one question, which goes on naming whom it is about
    incident = stage["commander"].one("incident")["id"]
    before = len(entries(stage, incident, "reminder"))
    for _ in range(8):
        stage.move(minutes=1)
    nobody = [one for one in titles(stage, "commander") if "无人负责" in one]
    assert nobody == ["security无人负责，请指定"]
    assert len(entries(stage, incident, "reminder")) > before


def test_a_leader_who_cannot_come_is_succeeded_at_once_and_one_who_acts_ends_it(stage: Stage) -> None:
    deputised(stage, "security_one", "security_two")
    alert = order(stage)
    answer(stage, alert, "security_lead", "cannot", reason="在外")
    stage.move(seconds=1)
    assert len(titles(stage, "security_one")) == 2
    answer(stage, alert, "security_one", "on_my_way")
    stage.move(minutes=10)
    assert len(titles(stage, "security_two")) == 1


@pytest.fixture
def quorate(stage: Stage) -> str:
    """An incident under a plan whose order to security asks for two within three minutes, else logistics; its alert."""
    text = as_version(PLAN_FILES[0], 2)
    text = text.replace(
        "  - key: keep-order\n    team",
        "  - key: keep-order\n    ladder: quick\n    quorum: {need: 2, within: 3 min, next: [logistics]}\n    team",
    )

    def unit(session: Any) -> None:
        compiled = compile_plan(text + LADDER)
        revision, _ = plans.keep(session, compiled, text, stage.cast.people["commander"])
        plans.put_in_use(session, revision, stage.cast.people["second"])

    stage.database.write(unit)
    set_up(stage)
    incident = ticketing(stage, activate=True)
    stage["commander"].sync()
    return str(stage["commander"].one("order", key="keep-order", incident=incident)["alert"])


def asked_of_logistics(stage: Stage, alert: str) -> int:
    stage["commander"].sync()
    title = stage["commander"].one("alert", id=alert)["title"]
    team = stage.cast.teams["logistics"]
    return sum(one["team"] == team and one["title"] == title for one in stage["commander"].all("alert"))


def test_too_few_within_the_time_and_the_next_group_is_asked_once(stage: Stage, quorate: str) -> None:
    answer(stage, quorate, "security_one", "on_my_way")
    stage.move(seconds=179)
    assert asked_of_logistics(stage, quorate) == 0
    stage.move(seconds=1)
    assert asked_of_logistics(stage, quorate) == 1
    incident = incident_of(stage, quorate)
    assert "需 2 人，仅 1 人响应，已通知logistics" in [
        one["text"]["zh"] for one in entries(stage, incident, "strength_short")
    ]
    stage.move(minutes=3)
    assert asked_of_logistics(stage, quorate) == 1
    assert "人手不足：" in "".join(titles(stage, "commander"))


def test_enough_in_time_ask_nobody_else_until_the_number_falls(stage: Stage, quorate: str) -> None:
    answer(stage, quorate, "security_one", "received")
    answer(stage, quorate, "security_two", "on_my_way", eta_minutes=300)
    stage.move(minutes=30)
    assert asked_of_logistics(stage, quorate) == 0
    incident = incident_of(stage, quorate)
    assert len(entries(stage, incident, "strength_reached")) == 1
    answer(stage, quorate, "security_one", "cannot", reason="受伤")
    stage.move(seconds=1)
    assert asked_of_logistics(stage, quorate) == 1
    assert len(entries(stage, incident, "strength_lost")) == 1


def test_an_order_by_hand_asks_the_next_group_too_when_too_few_answer_in_time(stage: Stage) -> None:
    set_up(stage)
    quorum: dict[str, Any] = {"need": 2, "within_minutes": 3, "next": [stage.cast.teams["logistics"]]}
    alert = order(stage, quorum=quorum)
    answer(stage, alert, "security_one", "received")
    stage.move(seconds=179)
    assert asked_of_logistics(stage, alert) == 0
    stage.move(seconds=1)
    assert asked_of_logistics(stage, alert) == 1
    stage["commander"].sync()
    asked = [one["order"] for one in stage["commander"].all("alert") if one["team"] == quorum["next"][0]]
    assert stage["commander"].one("alert", id=alert)["order"] in asked
    body = {"incident": incident_of(stage, alert), "team": stage.cast.teams["security"], "title": "到岗"}
    wrong: Any
    for wrong in ({**quorum, "need": 0}, {"need": 2}, {**quorum, "next": [stage.cast.teams["security"]]}, 2):
        said = stage["commander"].put(f"/orders/{new_id()}", {**body, "quorum": wrong}, 422)
        assert "quorum" in str(said), said
    lead = stage["security_lead"].put(f"/orders/{new_id()}", {**body, "quorum": quorum}, 403)
    assert lead["code"] == "forbidden", "a leader does not call out another team"


def test_out_of_reach_is_not_waited_for(stage: Stage, quorate: str) -> None:
    answer(stage, quorate, "security_one", "cannot", reason="在外")
    stage.move(seconds=1)
    assert asked_of_logistics(stage, quorate) == 0
    answer(stage, quorate, "security_two", "cannot", reason="在外")
    stage.move(seconds=1)
    assert asked_of_logistics(stage, quorate) == 1


def test_the_plans_ladder_has_its_own_times_and_names_who_said_received_and_never_came(
    stage: Stage, quorate: str
) -> None:
    stage.move(seconds=19)
    assert by(stage, quorate, "sms") == []
    stage.move(seconds=1)
    assert by(stage, quorate, "sms") == list(GUARDS)
    for name in ("security_one", "security_two"):
        answer(stage, quorate, name, "received")
    answer(stage, quorate, "security_two", "on_scene")
    before = queued(stage, quorate)
    stage.move(minutes=10)
    assert titles(stage, "security_lead")[-1] == "已回执但未到位：security_one"
    again = [one for one in queued(stage, quorate) if one not in before]
    assert {name for name, _, _ in again} == {"security_lead"}, "who has answered is not written to again"
    stage.move(hours=1)
    assert titles(stage, "security_lead").count("已回执但未到位：security_one") == 1


def test_a_push_service_that_is_away_lets_the_texts_go_at_once_and_only_once(stage: Stage) -> None:
    set_up(stage)
    alert = order(stage)
    query = select(Recipient.id).where(Recipient.alert == alert, Recipient.person == stage.cast.people["security_one"])
    with stage.database.read() as session:
        rows = list(session.scalars(query))
    for _ in range(2):
        stage.database.write(lambda session: climbing.push_failed(session, rows))
    assert by(stage, alert, "sms") == ["security_one"]
    assert len(entries(stage, incident_of(stage, alert), "push_failed")) == 1
    stage.move(minutes=1)
    assert by(stage, alert, "sms") == list(GUARDS)


def test_the_organisations_own_ladder_counts_from_the_next_alert_on(stage: Stage) -> None:
    set_up(stage)
    first = order(stage)
    own = {"steps": [{"after_seconds": 5, "by": ["voice"]}, {"after_seconds": 60, "unless": "opened", "by": ["push"]}]}
    stage["admin"].put("/organisation/ladder", own, 204)
    assert stage["admin"].get("/organisation/ladder")["ladder"]["steps"][0]["by"] == ["voice"]
    second = order(stage)
    stage.move(seconds=5)
    assert (by(stage, first, "voice"), by(stage, second, "voice")) == ([], list(GUARDS))
    backwards = {"steps": [{"after_seconds": 60, "by": ["sms"]}, {"after_seconds": 5, "by": ["sms"]}]}
    assert stage["admin"].put("/organisation/ladder", backwards, 422)["code"] == "steps_unordered"
    nothing = {"steps": [{"after_seconds": 60}]}
    assert stage["admin"].put("/organisation/ladder", nothing, 422)["code"] == "step_empty"
    wrong: dict[str, Any]
    for wrong in ({"steps": []}, {"steps": [{"after_seconds": -1, "by": ["sms"]}]}, {"steps": [{"by": ["pigeon"]}]}):
        stage["admin"].put("/organisation/ladder", wrong, 422)


MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("move"), st.integers(1, 400)),
        st.tuples(st.just("answer"), st.sampled_from(GUARDS), st.sampled_from(["received", "on_my_way", "cannot"])),
        st.tuples(st.just("receipt"), st.sampled_from(GUARDS)),
        st.tuples(st.just("send"), st.integers(1, 4)),
        st.tuples(st.just("off"), st.sampled_from(GUARDS)),
        st.tuples(st.just("failed"), st.sampled_from(GUARDS)),
    ),
    min_size=4,
    max_size=14,
)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_after_an_answer_nothing_more_is_sent_to_that_person_for_that_alert(
    kind: str, filled: Any, application: Any
) -> None:
    """Whatever the order of answers, receipts, steps, sending, duty and failing services."""

    @settings(max_examples=8, suppress_health_check=list(HealthCheck))
    @given(MOVES, st.sampled_from([1, 500]))
    def whatever_happens(moves: list[tuple[Any, ...]], part: int) -> None:
        scene = set_stage(kind, filled, application)
        stage = next(scene)
        patch = pytest.MonkeyPatch()
        patch.setattr(rolls, "PART", part)  # people called one by one, or all of them at once
        try:
            set_up(stage)
            alert = order(stage)
            answered: set[str] = set()
            for what, *rest in moves:
                if what == "move":
                    stage.move(seconds=rest[0])
                elif what == "answer":
                    answer(stage, alert, rest[0], rest[1], **({"reason": "在外"} if rest[1] == "cannot" else {}))
                    answered.add(rest[0])
                elif what == "receipt":
                    stage[rest[0]].fact(f"/alerts/{alert}/receipts", {"kind": "delivered", "channel": "push"})
                elif what == "off":
                    body = {"person": stage.cast.people[rest[0]], "team": stage.cast.teams["security"], "kind": "off"}
                    stage["security_lead"].fact("/duties", {**body, "starts_at": iso(now())})
                elif what == "failed":
                    fail(stage, alert, rest[0])
                sent = take(stage, alert, rest[0] if what == "send" else 0)
                assert not sent & answered
            stage.move(hours=1)
            assert not take(stage, alert, 500) & answered
        finally:
            patch.undo()
            scene.close()

    whatever_happens()


def fail(stage: Stage, alert: str, name: str) -> None:
    where = (Recipient.alert == alert) & (Recipient.person == stage.cast.people[name])

    def unit(session: Any) -> None:
        climbing.push_failed(session, list(session.scalars(select(Recipient.id).where(where))))

    stage.database.write(unit)


def take(stage: Stage, alert: str, most: int) -> set[str]:
    """What a sender does: claim up to so many and say they were sent; the names they went to for this alert."""
    if most == 0:
        return set()
    names = {id: name for name, id in stage.cast.people.items()}

    def turn(session: Any) -> list[outbox.Claimed]:
        hands = outbox.Hands("sender")
        calling.call_next(session, hands)
        rows = hands.rows + outbox.claim(session, hands.owner, most)
        return rows + outbox.claim_beside(session, hands.owner, rows, messages.GATHER)

    rows = stage.database.write(turn)
    done = [outbox.Settled(row.id, row.attempt, outbox.SENT, "accepted") for row in rows]
    stage.database.write(lambda session: outbox.settle(session, done))
    return {names[row.person] for row in rows if row.person is not None and row.subject == alert}


def test_a_step_two_look_at_is_done_once(stage: Stage) -> None:
    set_up(stage)
    alert = order(stage)
    stage.move(seconds=29)
    with stage.database.read() as session:
        assert steps.overdue(session, 10) == []
        assert steps.next_due(session) is not None
    stage.move(seconds=1)
    for _ in range(2):
        assert stage.database.write(climbing.climb_due) == 0
    assert by(stage, alert, "sms") == list(GUARDS)
