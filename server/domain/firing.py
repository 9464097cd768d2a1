"""What is due, part by part: each limit, step of a ladder and inject by itself, and what is done instead when one cannot be done."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from sqlalchemy.orm import Session

from server.clock import iso
from server.domain import alerts, climbing, escalation, injects, limits, steps, timeline
from server.domain.incidents import Incident

MOST = 500
BROKEN = {
    "zh": "时限已到，但预案规定的动作无法执行，请立即人工决定",
    "en": "The limit has passed, but what the plan asks for could not be done; decide by hand now",
}


class Part(NamedTuple):
    """One thing that is due. `run` does it; `instead` ends it when `run` fails for a reason of its own."""

    id: str
    run: Callable[[Session], object]
    instead: Callable[[Session], object]


def limits_due(session: Session) -> list[Part]:
    """Every limit that is due."""
    return [Part(id, partial(_fire, id), partial(fall_back, id)) for id in limits.overdue(session, MOST)]


def steps_due(session: Session) -> list[Part]:
    """Every step of a ladder that is due."""
    return [Part(id, partial(_climb, id), partial(_let_be, id)) for id in steps.overdue(session, MOST)]


def injects_due(session: Session) -> list[Part]:
    """Every inject that is due."""

    def apply(id: str, session: Session) -> int:
        return injects.apply_due(session, 1, id)

    def pass_over(id: str, session: Session) -> None:
        injects.pass_over(session, id)

    return [Part(id, partial(apply, id), partial(pass_over, id)) for id in injects.overdue(session, MOST)]


def fall_back(limit: str, session: Session) -> None:
    """Let a limit pass whose consequence cannot be applied: the timeline says so and the leadership group is told."""
    for one in limits.claim_due(session, 1, limit):
        incident = session.get(Incident, one.incident, with_for_update=True)
        assert incident is not None
        timeline.record(
            session, incident.id, "limit_passed", f"时限已到，规定动作未能执行：{one.title['zh']}",
            f"Limit passed, its consequence could not be applied: {one.title['en']}",
            refs={"limit": one.id, "due_at": iso(one.due_at)},
        )  # fmt: skip
        alerts.issue_to(
            session,
            incident,
            None,
            "leadership",
            one.title,
            BROKEN,
            critical=True,
            audience="everyone",
            clause_=one.clause,
        )


def _fire(limit: str, session: Session) -> None:
    for one in limits.claim_due(session, 1, limit):
        escalation.apply(session, one)


def _climb(step: str, session: Session) -> None:
    for one in steps.claim_due(session, 1, step):
        climbing.follow(session, one)


def _let_be(step: str, session: Session) -> None:
    """Count a step as done that cannot be: the next one is tried at its own time."""
    for one in steps.claim_due(session, 1, step):
        timeline.record(
            session, one.incident, "reminder", "未能再次提醒未回应的人员", "The silent could not be reminded",
            refs={"alert": one.alert}, audience="command",
        )  # fmt: skip
