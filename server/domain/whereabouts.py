"""Where people were last seen in an incident, so that nobody inside a no-phone zone is asked to take out a phone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import asin, cos, radians, sin, sqrt

from sqlalchemy import ColumnClause, Float, String, column, select, table
from sqlalchemy.orm import Session

from server.clock import iso, now
from server.db import IdText, Instant
from server.domain import incidents, people, places, plans, rules, timeline
from server.domain.people import LEADING
from server.domain.places import Place
from server.domain.rules.safeguards import Zone

EARTH_M = 6_371_000.0
BEFORE = timedelta(hours=1)  # who was seen there an hour before the incident began may still be there
SOURCES = {
    "report": ("现场报告", "field report"),
    "count": ("客流计数", "count"),
    "radio": ("他人代报到位", "reported on scene by somebody else"),
    "outside": ("区外填写检查单", "checklist filled in outside"),
}


@dataclass(frozen=True)
class Sighting:
    """When and by what somebody was seen: at a position (degrees, accuracy in metres), at a place, or in a zone of the plan.

    `zone` is None where position or place say it; "" means outside every zone.
    """

    at: datetime
    source: str
    place: str | None = None
    lat: float | None = None
    lon: float | None = None
    accuracy: float = 0.0
    zone: str | None = None


def inside(session: Session, incident: incidents.Incident, asked: Sequence[str]) -> dict[str, Sighting]:
    """Those of these people who were last seen inside a zone of the plan where no phone may be used, and how that is known."""
    plan = plans.rules_of(session, incident.revision)
    if plan is None or not asked or not any(zone.no_phone for zone in plan.zones):
        return {}
    known = incidents.known(session, incident, plan)
    zones = [zone for zone in rules.zones_in_force(plan, known) if zone.no_phone]
    if not zones:
        return {}
    seen = _last_seen(session, incident, plan, asked)
    centre = _position(session, incident.place, incident.lat, incident.lon)
    above = {one: _line(session, one) for one in {sighting.place for sighting in seen.values() if sighting.place}}
    return {
        person: sighting
        for person, sighting in seen.items()
        if any(_within(session, sighting, zone, incident.place, centre, above) for zone in zones)
    }


def ask_outside(
    session: Session, incident: incidents.Incident, team: str | None, asked: Sequence[str], body: dict[str, str]
) -> tuple[list[str], dict[str, str], dict[str, Sighting]]:
    """Whom to ask instead, what to tell them, and who is left in peace: those last seen where no phone may be used.

    When that leaves nobody, the team's leaders outside are asked, or the leadership group on duty; they pass it on by voice.
    """
    kept_out = inside(session, incident, asked)
    if not kept_out:
        return list(asked), body, {}
    left = [person for person in asked if person not in kept_out]
    if not left and team is not None:
        left = _not_inside(
            session, incident, [who.id for who, post in people.members(session, team) if post in LEADING]
        )
    for group in people.teams_of_kind(session, "leadership") if not left else ():
        if incidents.invited(incident, group.id):
            left += _not_inside(session, incident, [who.id for who in people.on_duty(session, group.id)[0]])
    zh, en = _names(session, kept_out)
    told = {
        "zh": f"{body['zh']}（{zh}在禁用手机区内，请由区外人员当面或以手势传达，不要叫他们用手机）",
        "en": f"{body['en']} ({en} last seen where no phone may be used: pass it on in person, do not call them)",
    }
    return list(dict.fromkeys(left)), told, kept_out


def note(
    session: Session, incident: incidents.Incident, alert: str, team: str | None, kept_out: Mapping[str, Sighting]
) -> None:
    """Say on the timeline who was not asked, and how old the knowledge is that they are inside."""
    for person, sighting in kept_out.items():
        who = session.get(people.Person, person)
        name, (zh, en) = who.name if who else "", said(sighting)
        timeline.record(
            session, incident.id, "no_phone", f"未要求{name}操作手机：最后出现在禁用手机区（{zh}）",
            f"{name} was not asked: last seen where no phone may be used ({en})",
            refs={"alert": alert, "team": team, "person": person, "seen_at": iso(sighting.at)}, audience=team or "command",
        )  # fmt: skip


def _not_inside(session: Session, incident: incidents.Incident, asked: Sequence[str]) -> list[str]:
    kept_out = inside(session, incident, asked)
    return [person for person in asked if person not in kept_out]


def _names(session: Session, persons: Iterable[str]) -> tuple[str, str]:
    found = [who.name for who in (session.get(people.Person, person) for person in persons) if who is not None]
    return "、".join(found), ", ".join(found)


def said(sighting: Sighting) -> tuple[str, str]:
    """By what and how long ago, in both languages."""
    minutes = max(0, round((now() - sighting.at).total_seconds() / 60))
    zh, en = SOURCES[sighting.source]
    return f"{minutes} 分钟前，{zh}", f"{minutes} min ago, {en}"


def _last_seen(
    session: Session, incident: incidents.Incident, plan: rules.Plan, asked: Sequence[str]
) -> dict[str, Sighting]:
    wanted, since = set(asked), incident.started_at - BEFORE
    last: dict[str, Sighting] = {}
    for person, sighting in (*_by_themselves(session, incident.id), *_by_orders(session, incident.id, plan)):
        if person in wanted and since <= sighting.at and (person not in last or last[person].at <= sighting.at):
            last[person] = sighting
    return last


def _by_themselves(session: Session, incident: str) -> Iterable[tuple[str, Sighting]]:
    reported = select(_report).where(_report.c.incident == incident, _report.c.struck_at.is_(None))
    for row in session.execute(reported):
        if row.place is not None or row.lat is not None:
            yield row.by, Sighting(row.occurred_at, "report", row.place, row.lat, row.lon, row.accuracy or 0.0)
    for row in session.execute(select(_tally).where(_tally.c.incident == incident)):
        yield row.by, Sighting(row.occurred_at, "count", row.place)


def _by_orders(session: Session, incident: str, plan: rules.Plan) -> Iterable[tuple[str, Sighting]]:
    """Whoever is reported on scene by somebody else works where the order is; whoever fills in its list from outside does not."""
    zoned = {order.key: order for order in plan.orders if order.zone}
    if not zoned:
        return
    for row in session.execute(_RADIOED.where(_order.c.incident == incident)):
        if row.key in zoned and row.by != row.person:
            yield row.person, Sighting(row.occurred_at, "radio", zone=zoned[row.key].zone)
    for marked in session.execute(_MARKED.where(_order.c.incident == incident)):
        if marked.key in zoned and zoned[marked.key].answer_from == "outside":
            yield marked.by, Sighting(marked.occurred_at, "outside", zone="")


def _within(
    session: Session, sighting: Sighting, zone: Zone, where: str | None, centre: tuple[float, float] | None,
    above: Mapping[str, list[str]],
) -> bool:  # fmt: skip
    if sighting.zone is not None:
        return sighting.zone == zone.key
    spot = _position(session, sighting.place, sighting.lat, sighting.lon)
    if spot is not None and centre is not None and zone.radius_m is not None:
        return _metres(spot, centre) - sighting.accuracy <= zone.radius_m  # in doubt inside
    return where is not None and sighting.place is not None and where in above[sighting.place]


def _position(session: Session, place: str | None, lat: float | None, lon: float | None) -> tuple[float, float] | None:
    if lat is not None and lon is not None:
        return lat, lon
    found = session.get(Place, place) if place else None
    return (found.lat, found.lon) if found is not None and found.lat is not None and found.lon is not None else None


def _line(session: Session, place: str) -> list[str]:
    """A place and those it lies in, from the inside out."""
    line: list[str] = []
    found: places.Place | None = session.get(Place, place)
    while found is not None and found.id not in line:
        line.append(found.id)
        found = session.get(Place, found.parent) if found.parent else None
    return line


def _metres(one: tuple[float, float], other: tuple[float, float]) -> float:
    """The distance on the ground between two points in degrees."""
    (lat, lon), (lat2, lon2) = (tuple(map(radians, point)) for point in (one, other))
    half = sin((lat2 - lat) / 2) ** 2 + cos(lat) * cos(lat2) * sin((lon2 - lon) / 2) ** 2
    return 2 * EARTH_M * asin(sqrt(half))


def _ids(*names: str) -> list[ColumnClause[str]]:
    return [column(name, IdText()) for name in names]


# The nouns that know where somebody was stand above this room; only their columns are read.
_report = table(
    "report", *_ids("incident", "place", "by"), column("lat", Float()), column("lon", Float()),
    column("accuracy", Float()), column("occurred_at", Instant()), column("struck_at", Instant()),
)  # fmt: skip
_tally = table("tally", *_ids("incident", "place", "by"), column("occurred_at", Instant()))
_order = table("order", *_ids("id", "incident", "alert", "checklist"), column("key", String()))
_answer = table("answer", *_ids("alert", "recipient", "by"), column("kind", String()), column("occurred_at", Instant()))
_recipient = table("recipient", *_ids("id", "person"))
_item = table("item", *_ids("id", "checklist"))
_mark = table("mark", *_ids("item", "by"), column("occurred_at", Instant()))
_RADIOED = (
    select(_order.c.key, _recipient.c.person, _answer.c.by, _answer.c.occurred_at)
    .join_from(_order, _answer, _answer.c.alert == _order.c.alert)
    .join(_recipient, _recipient.c.id == _answer.c.recipient)
    .where(_answer.c.kind == "on_scene")
)
_MARKED = (
    select(_order.c.key, _mark.c.by, _mark.c.occurred_at)
    .join_from(_order, _item, _item.c.checklist == _order.c.checklist)
    .join(_mark, _mark.c.item == _item.c.id)
)
