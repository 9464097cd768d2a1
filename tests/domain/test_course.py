"""The course of an incident: levels that act, clocks that wait for a measure or begin anew, routes by the hour, locked decisions."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from server.clock import clock, now
from server.domain import people, plans
from server.domain.errors import Conflict
from server.domain.incidents import Incident
from server.domain.people import Person
from server.planning.compiler import compile_plan
from tests.cast import MORNING, Stage
from tests.planning.plan_texts import changed
from tests.running import Course

TEXT = changed(
    ("key: hall-queue", "key: course-under-test"),
    ("facts:\n", "facts:\n  - {key: smoke.seen, title: 冒烟 | Smoke, recorded_by: [counter]}\n"),
    (
        "  - {key: gas.lel,",
        "  - {key: ups.minutes, title: 续航 | Battery, kind: number, unit: min}\n  - {key: gas.lel,",
    ),
    (
        "scales:\n",
        "  - {key: smoke, title: 冒烟 | Smoke, words: 冒烟。 | Smoke., on: smoke.seen, mode: warning, clause: 1 | 冒烟预警。 | Smoke.}\nscales:\n",
    ),
    ("rank: 1, when: queue.people >= 60, action: 增开全部窗口。 | Open all., activation: decided}",
     "rank: 1, when: queue.people >= 60, action: 增开全部窗口。 | Open all., activation: automatic}\n"
     "      - {key: full, title: 偏满 | Full, rank: 2, when: queue.people >= 40, action: 增开。 | Open more., activation: decided}"),
    ("rank: 2, when: queue.people >= 30", "rank: 3, when: queue.people >= 30"),
    ("checklists:\n", """\
  - key: say-so
    team: counter
    phase: response
    title: 说明情况 | Say so
    text: 向顾客说明情况。 | Tell the customers.
    within: 5 min
    clause: 1 | 说明情况。 | Say so.
checklists:
"""),
    ("limits:\n", """\
limits:
  - key: battery
    title: 关机 | Shut down
    owner: counter
    starts: [power.lost]
    length: measured ups.minutes less 5 min
    ends: [power.restored]
    then:
      - {alert: [leadership], words: 关机。 | Shut down.}
    clause: D20 | 电池耗尽前关机。 | Before the battery ends.
  - key: outage
    title: 恢复 | Restore
    owner: counter
    starts: [service.interrupted]
    length: 15 min
    ends: [service.restored, response.ended]
    then:
      - {alert: [leadership], words: 未恢复。 | Not restored.}
    clause: D04 | 十五分钟。 | Fifteen minutes.
"""),
) + """\
routes:
  - {key: by-day, title: 白天 | Day, to: [counter], words: 白天。 | Day., clause: R1 | 白天。 | By day.}
  - {key: at-night, title: 夜间 | Night, hours: night, to: [leadership], words: 夜间。 | Night., clause: R2 | 夜间。 | At night.}
  - {key: on-holidays, title: 节假日 | Holidays, hours: holiday, to: [leadership], words: 假日。 | Holiday., clause: R3 | 假日。 | On holidays.}
interlocks:
  - {key: gas, title: 浓度 | Gas, locks: [decision.end], needs: gas.lel <= 25 %, words: 浓度降到 25% 以下才能结束。 | Only at 25 % or less., clause: T02 | 四分之一。 | A quarter.}
"""  # fmt: skip


@pytest.fixture
def stage(stage: Stage) -> Stage:
    """The stage with the plan of these tests in use."""

    def keep(session: Session) -> None:
        revision, _ = plans.keep(session, compile_plan(TEXT), TEXT, stage.cast.people["commander"])
        second = session.get(Person, stage.cast.people["second"])
        assert second is not None
        plans.put_in_use(session, revision, second.id)

    stage.database.write(keep)
    return stage


def begin(stage: Stage) -> Course:
    return Course(stage, "course-under-test")


def state(course: Course) -> tuple[str, dict[str, Any]]:
    with course.stage.database.read() as session:
        found = session.get(Incident, course.id)
        assert found is not None
        return found.status, found.levels


def statuses(course: Course, key: str) -> list[str]:
    return [one.status for one in sorted(course.due(key), key=lambda one: one.started_at)]


def test_what_a_level_does_to_the_plan(stage: Stage) -> None:
    course = begin(stage)
    course.tell("queue.people", 30)
    assert state(course) == ("reported", {})  # proposed, not set
    course.tell("level.queue.busy")
    assert state(course) == ("warning", {"queue": "busy"})
    course.tell("level.queue.full")
    assert state(course) == ("warning", {"queue": "full"})
    assert course.made("ask", "activate")
    course.tell("queue.people", 60)  # automatic: nobody has to decide
    assert state(course) == ("activated", {"queue": "heavy"})
    course.tell("queue.people", 31)
    assert state(course) == ("activated", {"queue": "heavy"})  # down again only by a person


def test_a_trigger_that_comes_later_still_warns(stage: Stage) -> None:
    course = begin(stage)
    assert state(course)[0] == "reported"
    course.tell("smoke.seen")
    assert state(course)[0] == "warning"


def test_d20_a_clock_waits_for_its_measure_and_counts_from_its_start(stage: Stage) -> None:
    course = begin(stage)
    course.tell("ups.minutes", 30)  # known before: the clock starts with the fact
    course.tell("power.lost")
    assert [one.due_at for one in course.due("battery")] == [now() + timedelta(minutes=25)]
    later, lost = begin(stage), now()
    later.tell("power.lost")
    stage.move(minutes=3)
    later.tell("ups.minutes", 40)
    assert [(one.started_at, one.due_at) for one in later.due("battery")] == [(lost, lost + timedelta(minutes=35))]
    back = begin(stage)
    back.tell("power.lost")
    stage.move(minutes=1)
    back.tell("power.restored")
    back.tell("ups.minutes", 40)
    assert back.due("battery") == []


def test_a_second_outage_is_counted_anew_and_a_second_report_of_the_same_is_not(stage: Stage) -> None:
    course = begin(stage)
    course.tell("service.interrupted")
    stage.move(minutes=15)
    assert statuses(course, "outage") == ["passed"]
    course.tell("service.interrupted")  # somebody else tells of the same outage
    stage.move(minutes=20)
    assert statuses(course, "outage") == ["passed"]
    course.tell("service.restored")
    stage.move(minutes=1)
    course.tell("service.interrupted")
    assert statuses(course, "outage") == ["passed", "running"]
    stage.move(minutes=15)
    assert statuses(course, "outage") == ["passed", "passed"]


def test_no_reason_opens_a_locked_end_and_the_end_meets_what_it_ends(stage: Stage) -> None:
    course = begin(stage)
    course.tell("plan.activated")
    course.tell("service.interrupted")
    for reading in (None, 25.1):
        if reading is not None:
            course.tell("gas.lel", reading)
        with pytest.raises(Conflict) as refused:
            course.tell("response.ended")
        assert refused.value.code == "interlocked"
        assert "25" in refused.value.zh
    course.tell("gas.lel", 25)
    course.tell("response.ended")
    assert state(course)[0] == "ended"
    assert statuses(course, "outage") == ["met"]
    assert statuses(course, "eased") == ["cancelled"]


def test_an_order_with_a_time_and_no_list_gets_the_one_item_that_says_it_is_done(stage: Stage) -> None:
    course = begin(stage)
    course.tell("plan.activated")
    phone = stage["commander"]  # nobody here staffs a counter: the leadership group acts
    phone.sync()
    order = phone.one("order", key="say-so", incident=course.id)
    item = phone.one("item", checklist=order["checklist"])
    assert item["title"]["en"] == "Done"
    assert statuses(course, "order-say-so") == ["running"]
    stage.move(minutes=4)
    phone.fact(f"/items/{item['id']}/marks", {"value": "done"})
    phone.sync()
    assert phone.one("order", id=order["id"])["status"] == "done"
    assert statuses(course, "order-say-so") == ["met"]


@pytest.mark.parametrize(
    ("hours", "holiday", "team"), [(0, False, "counter"), (10, False, "leadership"), (0, True, "leadership")]
)
def test_the_route_of_the_hour_replaces_the_one_made_for_always(
    stage: Stage, hours: int, holiday: bool, team: str
) -> None:
    clock.hold(MORNING + timedelta(hours=hours))

    def keep(session: Session) -> None:
        own = people.organisation(session)
        own.settings = {**own.settings, "holidays": [date(2026, 11, 23).isoformat()] if holiday else []}

    stage.database.write(keep)
    words = {"counter": "白天。", "leadership": "假日。" if holiday else "夜间。"}
    stage["commander"].sync()
    course = begin(stage)
    stage["commander"].sync()
    told = [alert["body"]["zh"] for alert in stage["commander"].all("alert") if alert["incident"] == course.id]
    assert told == [words[team]]
