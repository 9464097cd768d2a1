"""Reporting: raising incidents, recording facts, and filing what people see into the course of an incident."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from server.db import new_id
from server.domain import alerts, course, field_reports, incidents, places, plans, rules, tallies, timeline
from server.domain.errors import Refused
from server.domain.incidents import Incident
from server.domain.people import Standing
from server.domain.rules.facts import FACTS


def raise_incident(
    session: Session, id: str, title: str, by: Standing, *, occurred_at: datetime, **what: Any
) -> Incident:
    """Raise an incident and let its plan begin: limits run, routes are told, the plan proposes, warns or starts by itself.

    Without a plan the leadership group is told at once.
    """
    incident = incidents.report(session, id, title, by, occurred_at=occurred_at, **what)
    plan = plans.rules_of(session, incident.revision)
    for team in by.posts:
        incidents.join(session, incident, team)
    if plan is None:
        alerts.issue_to(
            session,
            incident,
            None,
            "leadership",
            {"zh": "新事件报告", "en": "New incident reported"},
            {"zh": title, "en": title},
            critical=True,
        )
        return incident
    course.happen(session, incident, "incident.reported", occurred_at=occurred_at, by=by.id)
    trigger = next(
        (one for one in plan.triggers if one.key == incident.trigger), plan.triggers[0] if plan.triggers else None
    )
    if trigger is not None:
        if trigger.on != "incident.reported":
            course.happen(session, incident, trigger.on, occurred_at=occurred_at, by=by.id)
        if rules.holds(trigger.when, incidents.known(session, incident, plan)) is not False:
            course.set_off(session, incident, plan, trigger, occurred_at)
    return incident


def record_fact(
    session: Session, id: str, incident: Incident, by: Standing, *, key: str, occurred_at: datetime, value: Any = None,
    unit: str | None = None, note: str | None = None,
) -> incidents.Happening:  # fmt: skip
    """Record a named fact or a measured value. Raises Refused for one that is neither general nor in the plan."""
    title = check_fact(plans.rules_of(session, incident.revision), key, value, unit)
    shown = "" if value is None else f"：{value}{' ' + unit if unit else ''}"
    timeline.record(
        session, incident.id, "fact", f"{by.name}：{title.zh}{shown}", f"{by.name}: {title.en}{shown.replace('：', ': ')}", by=by.id,
        occurred_at=occurred_at, refs={"fact": id},
    )  # fmt: skip
    return course.happen(
        session, incident, key, occurred_at=occurred_at, by=by.id, value=value, unit=unit, note=note, id=id
    )


def inject_fact(
    session: Session, incident: Incident, *, key: str, occurred_at: datetime, value: Any = None, unit: str | None = None,
    note: str | None = None,
) -> incidents.Happening:  # fmt: skip
    """Let a fact of a drill's script happen, told by nobody. Raises Refused as `record_fact` does."""
    title = check_fact(plans.rules_of(session, incident.revision), key, value, unit)
    shown = "" if value is None else f"：{value}{' ' + unit if unit else ''}"
    more = f"（{note}）" if note else "", f" ({note})" if note else ""
    timeline.record(
        session, incident.id, "inject", f"情景注入：{title.zh}{shown}{more[0]}",
        f"Injected: {title.en}{shown.replace('：', ': ')}{more[1]}", occurred_at=occurred_at,
    )  # fmt: skip
    return course.happen(session, incident, key, occurred_at=occurred_at, value=value, unit=unit, note=note)


def check_fact(plan: rules.Plan | None, key: str, value: Any, unit: str | None) -> rules.Words:
    """What people call a fact or measure. Raises Refused when the plan knows no such one or the value does not fit it."""
    title = _title_of(plan, key)
    if title is None:
        raise Refused(
            "fact_unknown", "预案中没有这个事实或测量值。", "The plan knows no such fact or measure.", path="key"
        )
    measure = next((one for one in plan.measures if one.key == key), None) if plan else None
    if measure is not None:
        _check_measure(measure, value, unit)
    return title


def _title_of(plan: rules.Plan | None, key: str) -> rules.Words | None:
    if plan is not None:
        named: list[Any] = [
            *plan.facts,
            *plan.measures,
            *(one for scale in plan.scales for level in scale.levels for one in level.alternatives),
        ]
        for rule in named:
            if rule.key == key:
                return getattr(rule, "title", None) or getattr(rule, "words", None)
        for condition in plan.end.conditions if plan.end else ():
            if condition.key == key:
                return condition.words
    return FACTS.get(key)


def _check_measure(measure: Any, value: Any, unit: str | None) -> None:
    """Raise Refused when a value does not fit its measure's kind, unit or options."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = {
        "number": number, "flag": isinstance(value, bool), "choice": value in {one.key for one in measure.options}, "elapsed": False,
    }[measure.kind]  # fmt: skip
    if not fits:
        raise Refused("value_unfit", "数值与测量项不符。", "The value does not fit this measure.", path="value")
    if number and unit is not None and measure.unit and unit != measure.unit:
        raise Refused("unit_unfit", f"单位应为 {measure.unit}。", f"The unit must be {measure.unit}.", path="unit")


def file_report(
    session: Session, id: str, incident: Incident, by: Standing, *, fulfils: str | None = None, **what: Any
) -> field_reports.Report:
    """File a field report; one that `fulfils` a report of the plan must fill its fields and ends its clock."""
    plan = plans.rules_of(session, incident.revision)
    if fulfils is not None:
        rule = next((one for one in plan.reports if one.key == fulfils), None) if plan else None
        if rule is None:
            raise Refused("report_unknown", "预案中没有这种报告。", "The plan asks for no such report.", path="fulfils")
        given = what.get("fields") or {}
        missing = [one for one in rule.fields if one.required and not str(given.get(one.key, "")).strip()]
        if missing:
            zh, en = "、".join(one.title.zh for one in missing), ", ".join(one.title.en for one in missing)
            raise Refused("fields_missing", f"缺少：{zh}", f"Missing: {en}", path="fields")
    report = field_reports.file(session, id, incident, by, **what)
    if fulfils is not None:
        course.happen(session, incident, f"report.{fulfils}.sent", occurred_at=report.occurred_at, by=by.id)
    return report


def file_alone(session: Session, id: str, by: Standing, *, occurred_at: datetime, **what: Any) -> field_reports.Report:
    """File a report that belongs to no incident yet: it raises one, and the leadership group is told."""
    zh, _ = field_reports.TYPES[what["type"]]
    where = session.get(places.Place, what["place"]) if what.get("place") else None
    title = f"{zh} · {where.title['zh']}" if where else zh
    position = what.get("position") or {}
    incident = raise_incident(
        session, new_id(), title, by, occurred_at=occurred_at, place=what.get("place"), lat=position.get("lat"), lon=position.get("lon"),
        text=what.get("text"),
    )  # fmt: skip
    return file_report(session, id, incident, by, occurred_at=occurred_at, **what)


def tally(session: Session, id: str, incident: Incident, by: Standing, **what: Any) -> tallies.Tally:
    """Record a count; where the plan measures the crowd as a share of capacity the level is worked out anew."""
    made = tallies.count(session, id, incident, by, **what)
    plan = plans.rules_of(session, incident.revision)
    where = session.get(places.Place, made.place)
    measured = {one.key for one in plan.measures} if plan else set()
    if where is not None and where.capacity and "crowd.capacity_percent" in measured:
        share = round(100 * tallies.present(session, incident.id, made.place) / where.capacity, 1)
        course.happen(
            session, incident, "crowd.capacity_percent", occurred_at=made.occurred_at, by=by.id, value=share, unit="%"
        )
    return made
