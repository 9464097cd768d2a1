"""Manual mode over HTTP: switches to paper and back, and the back-entry ledger."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from server.api import http
from server.api.fields import Choice, Fact, Int, Moment, Text
from server.domain import continuity, errors, escalation, incidents, plans
from server.domain.people import Standing

blp = http.blueprint("continuity")


class ModeBody(Fact):
    """A tier of the plan that goes to paper or back."""

    tier = Text(80, least=1, required=True)
    to = Choice("manual", "normal", required=True)
    note = Text(500)


class BackEntryBody(Fact):
    """Work done on paper, to be entered again."""

    tier = Text(80, least=1, required=True)
    title = Text(200, least=1, required=True)
    quantity = Int(1, 1_000_000, required=True)
    due = Moment()


class CountBody(Fact):
    """How much was written on paper in all."""

    quantity = Int(0, 1_000_000, required=True)


class CompletionBody(Fact):
    """How much was entered."""

    quantity = Int(1, 1_000_000, required=True)


@http.fact(blp, "/incidents/<incident>/modes/<id>", ModeBody, "Switch to paper or back")
def switch(session: Session, by: Standing, data: dict[str, Any], at: datetime, incident: str, id: str) -> None:
    """Switch a tier to paper or back; going to paper gives its orders."""
    found = incidents.find(session, incident, by, "mode.switch", lock=True)
    plan = plans.rules_of(session, found.revision)
    tiers = {tier.key: tier for tier in plan.manual.tiers} if plan and plan.manual else {}
    tier = tiers.get(data["tier"])
    if plan is None or tier is None:
        raise errors.Refused("tier_unknown", "预案中没有这一手工层级。", "The plan has no such tier.", path="tier")
    if data["to"] == "manual":
        escalation.begin_tier(session, found, plan, tier.key, by=by, id=id, at=at, note=data.get("note"))
    else:
        title = {"zh": tier.title.zh, "en": tier.title.en}
        continuity.switch(
            session, id, found, tier=tier.key, title=title, to="normal", by=by, occurred_at=at, note=data.get("note")
        )


@http.fact(blp, "/incidents/<incident>/back-entries/<id>", BackEntryBody, "Note paper work for back-entry")
def open_back_entry(session: Session, by: Standing, data: dict[str, Any], at: datetime, incident: str, id: str) -> None:
    """Open a line of the back-entry ledger."""
    found = incidents.find(session, incident, by, "back_entry.open")
    continuity.open_entry(
        session,
        id,
        found,
        by,
        tier=data["tier"],
        title=data["title"],
        quantity=data["quantity"],
        due_at=data.get("due"),
        occurred_at=at,
    )


@http.fact(blp, "/back-entries/<back_entry>/counts/<id>", CountBody, "Say how much paper work there is")
def count_back_entry(
    session: Session, by: Standing, data: dict[str, Any], at: datetime, back_entry: str, id: str
) -> dict[str, Any]:
    """Say how much was written on paper for a ledger line; nothing is an answer too."""
    found = _of(session, back_entry, by, "back_entry.open")
    return {"remaining": escalation.count(session, found, back_entry, data["quantity"], by, at).remaining}


@http.fact(blp, "/back-entries/<back_entry>/completions/<id>", CompletionBody, "Enter paper work")
def complete_back_entry(
    session: Session, by: Standing, data: dict[str, Any], at: datetime, back_entry: str, id: str
) -> dict[str, Any]:
    """Enter some of a ledger line, down to zero."""
    found = _of(session, back_entry, by, "back_entry.complete")
    return {"remaining": escalation.enter(session, found, back_entry, data["quantity"], by, at).remaining}


def _of(session: Session, back_entry: str, by: Standing, action: str) -> incidents.Incident:
    """The incident of a ledger line, locked, when `by` may do this in it."""
    line = session.get(continuity.BackEntry, back_entry)
    unknown = errors.NotFound("back_entry_unknown", "没有这项补录。", "There is no such back-entry.")
    if line is None:
        raise unknown
    return incidents.find(session, line.incident, by, action, lock=True, unseen=unknown)
