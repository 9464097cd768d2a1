"""Ladders: which one an alert climbs, the plan's or the organisation's, and the steps that follow from it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from server.clock import now
from server.domain import incidents, messages, people, plans, rules, steps
from server.domain.rules import ladders as kinds

ETA_GRACE = timedelta(minutes=5)
LINE = ("leader", "deputy")
MOVING = ("received", "on_my_way")
"""Answers after which somebody still has to arrive."""


def chosen(session: Session, incident: incidents.Incident, key: str | None = None) -> rules.LadderRule:
    """The ladder of that key in the incident's plan, else the plan's for every alert, else the organisation's."""
    plan = plans.rules_of(session, incident.revision)
    found = plan.ladder(key) if plan is not None else None
    return found or kinds.from_settings(people.settings(session).get("ladder"))


def begin(
    session: Session, incident: incidents.Incident, alert: str, team: str | None, key: str | None = None
) -> tuple[str, ...]:
    """Plan the steps of an alert that goes out now; returns the channels of the step without waiting time.

    People answer in their own time, so that these steps keep theirs in a drill that runs faster.
    """
    ladder, at = chosen(session, incident, key), now()
    first: tuple[str, ...] = ("push",)
    planned: list[tuple[steps.Kind, datetime, dict[str, Any]]] = []
    for step in ladder.steps:
        if step.after.seconds == 0:
            first += tuple(channel for channel in step.by if channel not in first)
        if step.after.seconds > 0 and step.by or step.call_list:
            rule = {"unless": step.unless, "by": list(step.by), "call_list": step.call_list}
            planned.append(("tell", at + timedelta(seconds=step.after.seconds), rule))
    if team is not None and (line := _succession(session, incident, team, ladder)) is not None:
        order, after = line
        planned.append(("succession", at + timedelta(seconds=after), {"order": list(order), "after": after}))
    steps.add(session, incident.id, alert, planned)
    return first


def _succession(
    session: Session, incident: incidents.Incident, team: str, ladder: rules.LadderRule
) -> tuple[Sequence[str], int] | None:
    """Who follows whom in a team and after how many seconds: as the plan says, else as the ladder does."""
    plan, ours = plans.rules_of(session, incident.revision), session.get(people.Team, team)
    for rule in plan.teams if plan is not None and ours is not None else ():
        if ours is not None and rule.kind == ours.kind and rule.succession is not None:
            return rule.succession.order, rule.succession.after.seconds
    deputy = next((step for step in ladder.steps if step.deputy), None)
    return (LINE, deputy.after.seconds) if deputy is not None else None


def ask_for(
    session: Session,
    incident: incidents.Incident,
    alerts: Sequence[str],
    quorum: rules.Quorum,
    following: Sequence[str],
) -> None:
    """Watch that enough of those asked by these alerts answer in time; `following` are the teams asked next, in order."""
    within = incidents.pace(incident, timedelta(seconds=quorum.within.seconds))
    rule = {
        "need": quorum.need, "answers": list(quorum.answers), "within": within.total_seconds(), "next": list(following),
        "alerts": list(alerts),
    }  # fmt: skip
    steps.add(session, incident.id, alerts[0], [("quorum", now() + within, rule)])


def expected(ladder: rules.LadderRule, answer: str | None, at: datetime, eta_minutes: int | None) -> datetime | None:
    """When somebody who answered so at that time must be on the scene; None where nothing says so."""
    if answer == "on_my_way" and ladder.after_on_my_way is not None:
        if eta_minutes is not None:
            return at + timedelta(minutes=eta_minutes) + ETA_GRACE
        return at + timedelta(seconds=ladder.after_on_my_way.seconds)
    if answer == "received" and ladder.after_received is not None:
        return at + timedelta(seconds=ladder.after_received.seconds)
    return None


def say(
    session: Session, incident: str, team: str | None, said: dict[str, str], count: int, kind: str, channel: str,
    chats: dict[str, list[str]], *, expires_at: datetime, priority: int,
) -> bool:  # fmt: skip
    """Say in the chats that are for this team's kind or for everybody what so many are asked, or have not answered; the
    names of people stay out of them. Returns whether there was such a chat."""
    about, ours = session.get(incidents.Incident, incident), session.get(people.Team, team) if team else None
    if about is None:
        return False
    known = {"zh": f"{count} 人", "en": f"{count} people"}
    who = ours.title if ours else known
    many = known if kind == "alert" else {"zh": f"{count} 人未回执", "en": f"{count} silent"}
    line = {one: f"{who[one]}（{many[one]}）{said[one]}" for one in ("zh", "en")}
    level = about.level["title"] if isinstance(about.level, dict) else {}
    title = {one: f"{level.get(one, '')} {about.title}".strip() for one in ("zh", "en")}
    found = [name for name, teams in chats.items() if not teams or ours is not None and ours.kind in teams]
    for name in found:
        messages.post(session, channel, name, incident, kind, title, line, expires_at=expires_at, priority=priority)
    return bool(found)
