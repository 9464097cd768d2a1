"""Where a plan's times fall by the organisation's own clock and calendar."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from server.domain import incidents, people, rules
from server.domain.incidents import Incident
from server.domain.rules import lengths
from server.domain.rules.guidance import Hours


def due(
    session: Session, incident: Incident, plan: rules.Plan, within: rules.Length | None, at: datetime
) -> datetime | None:
    """When an order has to be carried out; None where the plan gives no time or hangs it on what nobody measured yet."""
    if within is None:
        return None
    zone = ZoneInfo(plan.timezone or people.organisation(session).timezone)
    try:
        until = lengths.due(within, at, zone, incidents.known(session, incident, plan))
    except rules.LengthUnknown:
        return None
    return at + incidents.pace(incident, until - at)


def hours(session: Session, plan: rules.Plan, at: datetime) -> Hours:
    """Whether it is working hours, night or a holiday for this organisation."""
    organisation = people.organisation(session)
    days = {date.fromisoformat(day) for day in organisation.settings.get("holidays", ())}
    return rules.hours_at(at, plan.timezone or organisation.timezone, days)
