"""What an incident keeps shut until the plan's condition holds: items, orders and decisions behind an interlock."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.domain import checklists, incidents, rules
from server.domain.checklists import clause, words
from server.domain.incidents import Incident


def locks(session: Session, incident: Incident, plan: rules.Plan) -> dict[str, Any]:
    """What may not be done yet, by its target, with the interlock that holds it and its clause."""
    held = rules.locked_items(plan, incidents.known(session, incident, plan))
    return {
        lock.target: {"interlock": lock.interlock, "words": words(lock.words), "clause": clause(lock.clause)}
        for lock in held
    }


def unlock(session: Session, incident: Incident, plan: rules.Plan) -> None:
    """Open the items whose interlock is now satisfied, and close those whose condition has gone."""
    if not plan.interlocks:
        return
    held = locks(session, incident, plan)
    query = (
        select(checklists.Item, checklists.Checklist.key)
        .join(checklists.Checklist)
        .where(checklists.Item.incident == incident.id)
    )
    for item, listing in session.execute(query):
        lock = held.get(f"item.{listing}.{item.key}")
        if item.locked != lock:
            item.locked = lock
