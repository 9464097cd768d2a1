"""The calendar: when the drills and the quiet-day duties that the plans ask for are due next."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ForeignKey, Index, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.clock import iso, now
from server.db import Id, Key, Model
from server.domain import people, plans, rights, rules
from server.domain.checklists import clause, words
from server.domain.drills import Drill
from server.domain.errors import Refused
from server.domain.people import Standing
from server.domain.rules.statutes import STATUTES


class DutyRound(Model):
    """That a duty of quiet days which a plan asks for was done once."""

    __tablename__ = "duty_round"
    id: Mapped[Key]
    plan: Mapped[Id] = mapped_column(ForeignKey("plan.id"))
    duty: Mapped[str] = mapped_column(String(80))
    note: Mapped[str | None]
    by: Mapped[Id] = mapped_column(ForeignKey("person.id"))
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime]
    __table_args__ = (Index(None, "plan", "duty", "occurred_at"),)


def coming(session: Session) -> list[dict[str, Any]]:
    """Every drill and duty of the plans in use, and the drills the law asks for: done last and due when; the next due first.

    What was never done counts from the approval of the plan. What no calendar can date comes last, without `due_at`.
    """
    at = now()
    found: list[dict[str, Any]] = []
    used: list[tuple[plans.Plan, datetime]] = []
    query = select(plans.Plan, plans.Revision).join(plans.Revision, plans.Revision.id == plans.Plan.approved)
    for plan, revision in session.execute(query.where(plans.Plan.status == plans.APPROVED)):
        rulebook = plans.rules_of(session, revision.id)
        if rulebook is None:
            continue
        since = revision.approved_at or revision.created_at
        used.append((plan, since))
        zone = ZoneInfo(rulebook.timezone or people.organisation(session).timezone)
        drilled, done = _drilled(session, plan.id), _done(session, plan.id)
        asked: list[tuple[str, Any, str, datetime | None]] = [
            *(("drill", one, one.owner, drilled.get(one.key)) for one in rulebook.drills),
            *(("duty", one, one.team, done.get(one.key)) for one in rulebook.duties),
        ]
        for kind, rule, team, last in asked:
            due = rules.comes_round(rule.every, last or since, zone)
            found.append(
                {
                    "plan": plan.key, "plan_title": plan.title, "kind": kind, "key": rule.key, "title": words(rule.title),
                    "teams": plans.teams_for(session, rulebook, team), "every": rules.to_jsonable(rule.every),
                    "last_at": iso(last), "due_at": iso(due), "overdue": due is not None and due <= at,
                    "clause": clause(rule.clause),
                }
            )  # fmt: skip
    found += _by_law(session, used, at)
    return sorted(found, key=lambda one: (one["due_at"] is None, one["due_at"] or "", one["plan"], one["key"]))


def _by_law(session: Session, used: list[tuple[plans.Plan, datetime]], at: datetime) -> list[dict[str, Any]]:
    """The drills the law asks of an organisation with such plans; any drill of one of them fulfils it."""
    zone, found = ZoneInfo(people.organisation(session).timezone), []
    for statute in STATUTES:
        concerned = [(plan, since) for plan, since in used if plan.category in statute.categories]
        if not concerned:
            continue
        ids = [plan.id for plan, _ in concerned]
        last = session.scalar(select(func.max(Drill.started_at)).where(Drill.plan.in_(ids), Drill.status == "done"))
        due = rules.comes_round(statute.every, last or min(since for _, since in concerned), zone)
        found.append(
            {
                "plan": concerned[0][0].key, "plan_title": concerned[0][0].title, "kind": "law", "key": statute.key,
                "title": words(statute.title), "teams": [], "every": rules.to_jsonable(statute.every), "last_at": iso(last),
                "due_at": iso(due), "overdue": due is not None and due <= at, "clause": clause(statute.clause),
            }
        )  # fmt: skip
    return found


def complete(
    session: Session, id: str, plan: str, duty: str, by: Standing, note: str | None, occurred_at: datetime
) -> None:
    """Record that a quiet-day duty was done. Raises Refused when the plan asks for no such duty."""
    revision = plans.in_use(session, plan)
    rulebook = plans.rules_of(session, revision.id)
    rule = next((one for one in rulebook.duties if one.key == duty), None) if rulebook else None
    if rule is None:
        raise Refused("duty_unknown", "预案中没有这项日常职责。", "The plan asks for no such duty.", path="duty")
    teams = plans.teams_for(session, rulebook, rule.team)
    rights.require(by, "duty.done", team=next((team for team in teams if team in by.posts), None))
    session.add(
        DutyRound(id=id, plan=revision.plan, duty=duty, note=note, by=by.id, occurred_at=occurred_at, received_at=now())
    )


def _drilled(session: Session, plan: str) -> dict[str, datetime]:
    """When each drill rule of a plan was drilled last."""
    query = select(Drill.rule, func.max(Drill.started_at)).where(
        Drill.plan == plan, Drill.status == "done", Drill.rule.is_not(None)
    )
    return {rule: at for rule, at in session.execute(query.group_by(Drill.rule)) if rule and at}


def _done(session: Session, plan: str) -> dict[str, datetime]:
    """When each quiet-day duty of a plan was done last."""
    query = select(DutyRound.duty, func.max(DutyRound.occurred_at)).where(DutyRound.plan == plan)
    return {row[0]: row[1] for row in session.execute(query.group_by(DutyRound.duty))}
