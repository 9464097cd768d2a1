"""The shape of every feed row, for the OpenAPI document and the phone's types."""

from typing import Any

from marshmallow import Schema, fields

from server.api.fields import Body, Choice, Flag, Int, Moment, Number, Scalar, Text, Uuid, Words
from server.domain import alerts, field_reports, limits, notices, people, places, supplies, tallies
from server.domain.activation import KINDS

LONG = 100_000


def has(kind: type[fields.Field[Any]], *given: Any, **more: Any) -> Any:
    """A field every such row has."""
    return kind(*given, required=True, **more)


def may(kind: type[fields.Field[Any]], *given: Any, **more: Any) -> Any:
    """A field every such row has, which may hold nothing."""
    return kind(*given, required=True, allow_none=True, **more)


class Clause(Body):
    """The clause of the plan that something comes from."""

    ref, words = has(Text), has(fields.Nested, Words)


class IncidentLevel(Body):
    """The level set last: its scale, key, name, colour and rank (1 is the gravest)."""

    scale, key, title = has(Text), has(Text), has(fields.Nested, Words)
    colour, rank = may(Text), has(Int)


class Pin(Body):
    """A point of a floor plan, 0 to 1 from its upper left corner."""

    x, y = has(Number), has(Number)


class Spot(Body):
    """Degrees WGS 84, and metres of accuracy where the phone knew them."""

    lat, lon, accuracy = has(Number), has(Number), Number(allow_none=True)


class Row(Body):
    """What every row has."""

    id = has(Uuid)


class FactRow(Row):
    """What every row that comes from a fact has: when it happened, when it was received, and whose it is."""

    occurred_at, received_at, by = has(Moment), has(Moment), may(Uuid)


class Organisation(Row):
    """The organisation."""

    name, timezone, demo, settings = has(fields.Nested, Words), has(Text), has(Flag), has(fields.Dict)


class Person(Row):
    """A colleague, without the telephone number."""

    name, role, active = has(Text), has(Choice, *people.ROLES), has(Flag)
    reachable = has(Text)


class Team(Row):
    """A team."""

    kind, title, rank, active = has(Text), has(fields.Nested, Words), has(Int), has(Flag)


class Membership(Row):
    """A post in a team."""

    person, team, role, rank = has(Uuid), has(Uuid), has(Choice, *people.POSTS), has(Int)


class Duty(FactRow):
    """A stretch on or off duty."""

    person, team, kind, note = has(Uuid), has(Uuid), has(Choice, "on", "off"), may(Text)
    starts_at, ends_at = has(Moment), may(Moment)


class Contact(Row):
    """A telephone number."""

    person, phone = has(Uuid), has(Text)


class Place(Row):
    """A place."""

    parent, kind, title, code = may(Uuid), has(Choice, *places.KINDS), has(fields.Nested, Words), has(Text)
    lat, lon, plan_pin, floor_plan = may(Number), may(Number), may(fields.Nested, Pin), may(fields.Dict)
    capacity = may(Int)


class Plan(Row):
    """A plan with the rules of one revision."""

    key, version, title, category = has(Text), has(Int), has(fields.Nested, Words), has(Text)
    status, revision_status = (has(Choice, "draft", "approved", "retired") for _ in range(2))
    revision, rules = has(Uuid), has(fields.Dict)
    approved_at, approved_by, written_by = may(Moment), may(Uuid), may(Uuid)


class Reading(FactRow):
    """That somebody has read a revision."""

    revision, plan, person = has(Uuid), has(Uuid), has(Uuid)


class SerialRange(Body):
    """Numbered goods from one number to another and what became of them."""

    first, last = has(Int, data_key="from"), has(Int, data_key="to")
    state, request = has(Text), Uuid()


class Supply(Row):
    """Goods in stock."""

    key, title, unit = has(Text), has(fields.Nested, Words), has(fields.Nested, Words)
    place, quantity, minimum, serial = may(Uuid), has(Int), has(Int), has(Flag)
    serials, expires_at = has(fields.List, fields.Nested(SerialRange)), may(Moment)


class Device(Row):
    """A phone of mine."""

    name, subscribed, last_receipt_at, last_seen_at = has(Text), has(Flag), may(Moment), has(Moment)


class Drill(FactRow):
    """A drill."""

    plan, title, scheduled_at, announced = has(Uuid), has(Text), has(Moment), has(Flag)
    scenario, risk_check, status = has(Text), has(Text), has(Choice, "planned", "running", "done")
    incident, observations, weak_points = may(Uuid), may(Text, 8000), has(fields.List, Text())
    score = may(fields.Dict, keys=Choice("met", "late", "unmet"), values=Int())


STATUSES = ("reported", "verified", "warning", "activated", "restored", "ended", "reviewed", "dismissed")


class Incident(FactRow):
    """An incident."""

    title, text, plan, revision = has(Text), may(Text), may(Uuid), may(Uuid)
    plan_version, trigger, status = may(Int), may(Text), has(Choice, *STATUSES)
    level, drill, place, position = may(fields.Nested, IncidentLevel), has(Flag), may(Uuid), may(fields.Nested, Spot)
    started_at, activated_at, restored_at, ended_at = has(Moment), may(Moment), may(Moment), may(Moment)
    version, teams = has(Int), has(fields.List, Uuid())


class Happening(FactRow):
    """A named fact or measured value."""

    incident, key, value, unit, note = has(Uuid), has(Text), may(Scalar), may(Text), may(Text)


class Decision(FactRow):
    """A decision."""

    incident, kind, subject = has(Uuid), has(Choice, *KINDS), may(fields.Dict)
    reason, note = may(Text), may(Text)


class Limit(Row):
    """A time limit; its length is in seconds."""

    incident, key, title, clause = has(Uuid), has(Text), has(fields.Nested, Words), may(fields.Nested, Clause)
    owner_team, consequence = may(Uuid), may(fields.Nested, Words)
    started_at, due_at, length_seconds = has(Moment), has(Moment), has(Int)
    status = has(Choice, limits.RUNNING, limits.MET, limits.PASSED, limits.CANCELLED, limits.PAUSED)
    fired_at, ended_at, paused_at, timer = may(Moment), may(Moment), may(Moment), has(Flag)


class Photo(Body):
    """A picture of a report and whether it has arrived."""

    id, sha256, size, mime = has(Uuid), has(Text), has(Int), has(Text)
    state, width, height = has(Choice, "waiting", "delivered", "refused"), may(Int), may(Int)


class Struck(Body):
    """Why and by whom a report was struck."""

    reason, by, at = has(Text), has(Uuid), has(Moment)


class Report(FactRow):
    """A field report."""

    incident, chain, previous = has(Uuid), has(Choice, *field_reports.CHAIN), may(Uuid)
    type, place, position = has(Choice, *field_reports.TYPES), may(Uuid), may(fields.Nested, Spot)
    text, counts = may(Text), has(fields.Dict, keys=Text(), values=Int())
    answers = has(fields.Dict, keys=Text(), values=Text(), data_key="fields")
    photos, late = has(fields.List, fields.Nested(Photo)), has(Flag)
    struck, seen_at = may(fields.Nested, Struck), may(Moment)


class Tally(FactRow):
    """A count."""

    incident, place, kind = has(Uuid), has(Uuid), has(Choice, *tallies.KINDS)
    count, window_seconds = has(Number), may(Int)


class Proposal(Row):
    """Something put to those who decide."""

    incident, kind, scale, level = has(Uuid), has(Text), may(Text), may(Text)
    title, reason, clause = has(fields.Nested, Words), has(fields.Nested, Words), may(fields.Nested, Clause)
    team, status, made_at = may(Uuid), has(Choice, "open", "taken", "set_aside"), has(Moment)


class Request(FactRow):
    """Goods asked for, with what became of them."""

    incident, supply, quantity, for_team = has(Uuid), has(Uuid), has(Int), has(Uuid)
    to_place, note, state = may(Uuid), may(Text), has(Choice, *supplies.STEPS)
    sent, received, used, void, returned = has(Int), has(Int), has(Int), has(Int), has(Int)
    open, contested = has(Int), has(Flag)


class Movement(FactRow):
    """One step of a request."""

    request, kind, quantity = has(Uuid), has(Choice, *supplies.WORDS), may(Int)
    serial_from, serial_to, carrier, note = may(Int), may(Int), may(Text), may(Text)
    accepted = has(Flag)


class Notice(FactRow):
    """A notice."""

    incident, key, channel = has(Uuid), may(Text), has(Choice, *notices.CHANNELS)
    kind, wording, eta = has(Text), has(fields.Nested, Words), may(Moment)
    previous, state = may(Uuid), has(Choice, "draft", "approved", "published")
    approved_by, approved_at, published_by, published_at = may(Uuid), may(Moment), may(Uuid), may(Moment)
    clause = may(fields.Nested, Clause)


class Mode(FactRow):
    """A switch to paper or back."""

    incident, tier, title = has(Uuid), has(Text), has(fields.Nested, Words)
    to, note = has(Choice, "manual", "normal"), may(Text)


class BackEntry(FactRow):
    """A ledger line of paper work."""

    incident, tier, title, quantity = has(Uuid), has(Text), has(Text), has(Int)
    remaining, due_at = has(Int), may(Moment)


class Section(Body):
    """A section of a review."""

    key, title, text, filled = has(Text), has(fields.Nested, Words), has(Text, LONG), has(Flag)


class Outcome(Body):
    """How a limit ended: seconds over, or (negative) to spare."""

    limit, key, title = has(Uuid), has(Text), has(fields.Nested, Words)
    result, by_seconds = has(Choice, "met", "late", "unmet"), may(Int)


class Action(Body):
    """Something to be done after a review."""

    id, title, owner, due = has(Uuid), has(Text), may(Uuid), may(Moment)
    done_at, by = may(Moment), has(Uuid)


class Review(Row):
    """A review."""

    incident, due_at, status = has(Uuid), may(Moment), has(Choice, "draft", "signed")
    sections, outcomes = has(fields.List, fields.Nested(Section)), has(fields.List, fields.Nested(Outcome))
    figures, clause = has(fields.Dict), may(fields.Nested, Clause)
    actions, made_at = has(fields.List, fields.Nested(Action)), has(Moment)
    signed_by, signed_at = may(Uuid), may(Moment)


class Entry(FactRow):
    """A line of the timeline."""

    incident, seq, kind = has(Uuid), has(Int), has(Text)
    text, refs, hash = has(fields.Nested, Words), has(fields.Dict), has(Text)


class TeamNumbers(Body):
    """How one team's people stand, in numbers; no team for people asked by name."""

    team = may(Uuid)
    asked, told, delivered, opened, answered, silent = (has(Int) for _ in range(6))
    by_answer = has(fields.Dict, keys=Choice(*alerts.ANSWERS), values=Int())


class Board(Row):
    """How an incident's alerts stand."""

    incident, teams = has(Uuid), has(fields.List, fields.Nested(TeamNumbers))


class Order(Row):
    """An order."""

    incident, team, key, kind = has(Uuid), may(Uuid), may(Text), has(Choice, "plan", "manual")
    title, text = has(fields.Nested, Words), has(fields.Dict, keys=Choice("zh", "en"), values=Text())
    critical, read_back, clause = has(Flag), has(Flag), may(fields.Nested, Clause)
    alert, checklist, by = may(Uuid), may(Uuid), may(Uuid)
    issued_at, due_at, status = has(Moment), may(Moment), has(Text)


class Checklist(Row):
    """A checklist."""

    incident, team, key, title = has(Uuid), may(Uuid), has(Text), has(fields.Nested, Words)
    ordered, clause, made_at = has(Flag), may(fields.Nested, Clause), has(Moment)


class Option(Body):
    """A choice of an item."""

    key, title = has(Text), has(fields.Nested, Words)


class Lock(Body):
    """What holds an item back."""

    interlock, words, clause = has(Text), has(fields.Nested, Words), has(fields.Nested, Clause)


class Item(Row):
    """An item of a checklist; `when` is the condition on which it is asked."""

    checklist, incident, key, position = has(Uuid), has(Uuid), has(Text), has(Int)
    kind = has(Choice, "tick", "number", "text", "choice", "photo", "signature")
    title, unit, min, max = has(fields.Nested, Words), may(Text), may(Number), may(Number)
    choices, safety_critical = may(fields.List, fields.Nested(Option)), has(Flag)
    not_applicable, requires, when = has(Flag), has(fields.List, Uuid()), may(fields.Raw)
    locked_until, clause = may(fields.Nested, Lock), may(fields.Nested, Clause)


class Mark(FactRow):
    """A mark on an item."""

    item, value, unit, note = has(Uuid), has(Scalar), may(Text), may(Text)
    reason, photo, based_on = may(Text), may(Uuid), may(Uuid)


class Recipient(Row):
    """What became of an alert for one person."""

    alert, incident, person, team = has(Uuid), has(Uuid), has(Uuid), may(Uuid)
    told_at, delivered_at, opened_at, answered_at = may(Moment), may(Moment), may(Moment), may(Moment)
    answer, answer_id, answer_received_at = may(Choice, *alerts.ANSWERS), may(Uuid), may(Moment)
    eta_minutes, reason, answered_by = may(Int), may(Text), may(Uuid)
    answer_seen_at, channels = may(Moment), has(fields.List, Text())


class Alert(Row):
    """An alert."""

    incident, order, team = has(Uuid), may(Uuid), may(Uuid)
    title = has(fields.Nested, Words)
    body = has(fields.Dict, keys=Choice("zh", "en"), values=Text())
    level, critical, read_back, drill = may(fields.Nested, IncidentLevel), has(Flag), has(Flag), has(Flag)
    answers, clause = has(fields.List, Choice(*alerts.ANSWERS)), may(fields.Nested, Clause)
    place, by, issued_at, expires_at = may(Uuid), may(Uuid), has(Moment), has(Moment)
    status = has(Choice, "open", "ended")


DOCUMENTS: dict[str, type[Schema]] = {
    "organisation": Organisation, "person": Person, "team": Team, "membership": Membership, "duty": Duty, "contact": Contact,
    "place": Place, "plan": Plan, "reading": Reading, "supply": Supply, "device": Device, "drill": Drill, "incident": Incident,
    "fact": Happening, "decision": Decision, "limit": Limit, "report": Report, "tally": Tally, "proposal": Proposal,
    "request": Request, "movement": Movement, "notice": Notice, "mode": Mode, "back_entry": BackEntry, "review": Review,
    "entry": Entry, "board": Board, "order": Order, "checklist": Checklist, "item": Item, "mark": Mark,
    "recipient": Recipient, "alert": Alert,
}  # fmt: skip
