"""Alerts as Common Alerting Protocol 1.2 messages, for systems outside; a drill is an exercise in every one of them."""

from datetime import datetime
from xml.etree.ElementTree import Element, SubElement, tostring
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from server.domain import people, places
from server.domain.alerts import Alert
from server.domain.incidents import Incident
from server.exports.after_action import plain

SPACE = "urn:oasis:names:tc:emergency:cap:1.2"
CATEGORIES = {
    "fire": "Fire", "medical": "Health", "gas": "CBRNE", "heating": "Infra", "network": "Infra", "information_system": "Infra",
    "ticketing": "Infra", "conference": "Infra", "security": "Security", "transport": "Transport", "crowd": "Safety",
}  # fmt: skip
SEVERITY = {"red": "Extreme", "orange": "Severe", "yellow": "Moderate", "blue": "Minor"}
LANGUAGES = (("zh", "zh-CN"), ("en", "en-US"))


def message(session: Session, alert: Alert, incident: Incident, category: str, host: str) -> bytes:
    """One alert as a CAP 1.2 document (UTF-8), private to those it names; `host` tells this server from others."""
    house = people.organisation(session)
    zone = ZoneInfo(house.timezone)
    team = session.get(people.Team, alert.team) if alert.team else None
    root = Element("alert", xmlns=SPACE)

    def add(under: Element, name: str, text: str) -> None:
        SubElement(under, name).text = plain(text)

    add(root, "identifier", f"tocsin-{alert.id}")
    add(root, "sender", f"tocsin@{host}")
    add(root, "sent", _time(alert.issued_at, zone))
    add(root, "status", "Exercise" if alert.drill else "Actual")
    add(root, "msgType", "Alert")
    add(root, "scope", "Private")
    add(root, "addresses", f'"{(team.title["zh"] if team else house.name["zh"])}"')
    if alert.drill:
        add(root, "note", "演练 / Drill")
    add(root, "incidents", incident.id)
    where = session.get(places.Place, alert.place or incident.place) if alert.place or incident.place else None
    for language, tag in LANGUAGES:
        mark = ({"zh": "【演练】", "en": "[Drill] "}[language]) if alert.drill else ""
        info = SubElement(root, "info")
        add(info, "language", tag)
        add(info, "category", CATEGORIES.get(category, "Other"))
        add(info, "event", f"{mark}{incident.title}")
        add(info, "responseType", "Execute" if alert.order else "Monitor")
        add(info, "urgency", "Immediate" if alert.critical else "Expected")
        add(info, "severity", SEVERITY.get((alert.level or {}).get("colour") or "", "Unknown"))
        add(info, "certainty", "Observed")
        add(info, "expires", _time(alert.expires_at, zone))
        add(info, "senderName", house.name[language])
        add(info, "headline", f"{mark}{alert.title[language]}")
        add(info, "description", f"{mark}{alert.body[language]}")
        if alert.clause:
            add(info, "instruction", alert.clause["words"][language])
        area = SubElement(info, "area")
        add(area, "areaDesc", where.title[language] if where else house.name[language])
        if incident.lat is not None and incident.lon is not None:
            add(area, "circle", f"{incident.lat},{incident.lon} 0")
    body: bytes = tostring(root, encoding="utf-8")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + body


def _time(at: datetime, zone: ZoneInfo) -> str:
    """A moment as CAP wants it: whole seconds with the offset, never Z."""
    return at.astimezone(zone).replace(microsecond=0).isoformat()
