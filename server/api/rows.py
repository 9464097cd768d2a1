"""The shape of every feed row: for the OpenAPI document, the phone's types, and a test that holds real rows against it."""

from collections.abc import Callable
from typing import Any

from marshmallow import RAISE, Schema, fields, validate

from server.domain import (
    activation,
    alerts,
    field_reports,
    notices,
    people,
    places,
    reachability,
    strength,
    supplies,
    tallies,
)

NOTICES = ("warning", "notice", "update", "correction", "all_clear", "press")
Made = Callable[..., fields.Field[Any]]
STATUSES = ("reported", "verified", "warning", "activated", "restored", "ended", "reviewed", "dismissed")


class Row(Schema):
    """The root of every row: nothing unnamed may be in it."""

    class Meta:
        unknown = RAISE


def text(**more: Any) -> fields.Field[Any]:
    """Any text."""
    return fields.String(required=True, **more)


def id_(**more: Any) -> fields.Field[Any]:
    """An id."""
    return fields.String(required=True, metadata={"format": "uuid"}, **more)


def at(**more: Any) -> fields.Field[Any]:
    """An instant in UTC."""
    return fields.String(required=True, metadata={"format": "date-time"}, **more)


def whole(**more: Any) -> fields.Field[Any]:
    """A whole number."""
    return fields.Integer(required=True, strict=True, **more)


def number(**more: Any) -> fields.Field[Any]:
    """A number."""
    return fields.Float(required=True, **more)


def flag(**more: Any) -> fields.Field[Any]:
    """true or false."""
    return fields.Boolean(required=True, **more)


def anything(**more: Any) -> fields.Field[Any]:
    """A value whose shape depends on others."""
    return fields.Raw(required=True, **more)


def scalar(**more: Any) -> fields.Field[Any]:
    """A text, a number or true/false."""
    kinds = [{"type": "string"}, {"type": "number"}, {"type": "boolean"}]
    return fields.Raw(
        required=True, metadata={"anyOf": [*kinds, *([{"type": "null"}] if more.get("allow_none") else [])]}, **more
    )


def word_or_number(**more: Any) -> fields.Field[Any]:
    """A text or a number."""
    return fields.Raw(required=True, metadata={"anyOf": [{"type": "string"}, {"type": "number"}]}, **more)


def one_of(*words: str) -> Made:
    """One of a few words."""
    return lambda **more: fields.String(required=True, validate=validate.OneOf(words), **more)


def none_or(made: Made) -> fields.Field[Any]:
    """The same, or null."""
    return made(allow_none=True)


def maybe(made: Made) -> fields.Field[Any]:
    """The same, or not there."""
    found = made()
    found.required = False
    return found


def many(made: Made) -> Made:
    """A list of these."""
    return lambda **more: fields.List(made(), required=True, **more)


def by_key(made: Made) -> Made:
    """A mapping from names to these."""
    return lambda **more: fields.Dict(keys=fields.String(), values=made(), required=True, **more)


def part(name: str, **shape: Made | fields.Field[Any]) -> Made:
    """A value with fields of its own; `name` is what it is called in the OpenAPI document."""
    schema = _schema(name, shape)
    return lambda **more: fields.Nested(schema, required=True, **more)


def _schema(name: str, shape: dict[str, Made | fields.Field[Any]]) -> type[Schema]:
    made = {key: one if isinstance(one, fields.Field) else one() for key, one in shape.items()}
    return type(name, (Row,), made)


words = part("WordsRow", zh=text, en=text)
clause = part("ClauseRow", ref=text, words=words)
position = part("PositionRow", lat=number, lon=number, accuracy=none_or(number))
point = part("PointRow", lat=number, lon=number)
level = part(
    "LevelRow",
    scale=text,
    key=text,
    title=words,
    colour=none_or(one_of("red", "orange", "yellow", "blue")),
    rank=whole,
)
shape = part(
    "FloorShapeRow", kind=one_of("path", "rect", "water"), d=maybe(text), x=maybe(number), y=maybe(number), w=maybe(number),
    h=maybe(number), label=maybe(words),
)  # fmt: skip
NUMBERS: dict[str, Made | fields.Field[Any]] = {"from": whole, "to": whole, "state": text, "request": maybe(id_)}
serials = part("SerialsRow", **NUMBERS)
choice = part("ChoiceRow", key=text, title=words)
FACT: dict[str, Made | fields.Field[Any]] = {"by": id_, "occurred_at": at, "received_at": at}
SHAPES: dict[str, dict[str, Made | fields.Field[Any]]] = {
    "organisation": {"id": id_, "name": words, "timezone": text, "demo": flag, "settings": by_key(anything)},
    "person": {"id": id_, "name": text, "role": one_of(*people.ROLES), "active": flag, "reachable": text},
    "team": {"id": id_, "kind": text, "title": words, "rank": whole, "active": flag, "strength": by_key(whole)},
    "reachability": {
        "id": id_, "person": id_, "channel": text, "word": one_of("reachable", "unproven", "dead"),
        "why": one_of(*reachability.WHYS), "since": at, "proven_at": none_or(at),
    },
    "shortfall": {
        "id": id_, "team": id_, "post": one_of(*people.POSTS, strength.ANY), "wanted": whole, "present": whole, "since": at,
    },
    "membership": {"id": id_, "person": id_, "team": id_, "role": one_of(*people.POSTS), "rank": whole},
    "duty": {
        "id": id_, "person": id_, "team": id_, "kind": one_of("on", "off"), "note": none_or(text), "starts_at": at,
        "ends_at": none_or(at), **FACT, "by": none_or(id_),
    },
    "contact": {"id": id_, "person": id_, "phone": text},
    "place": {
        "id": id_, "parent": none_or(id_), "kind": one_of(*places.KINDS), "title": words, "code": text, "lat": none_or(number),
        "lon": none_or(number), "plan_pin": none_or(part("PinRow", x=number, y=number)),
        "floor_plan": none_or(part("FloorPlanRow", width=number, height=number, shapes=many(shape), picture=maybe(id_))),
        "capacity": none_or(whole),
    },
    "plan": {
        "id": id_, "key": text, "version": whole, "title": words, "category": text,
        "status": one_of("draft", "approved", "retired"), "revision": id_, "revision_status": text, "rules": by_key(anything),
        "approved_at": none_or(at), "approved_by": none_or(id_), "approved_because": none_or(text),"written_by": none_or(id_),
    },
    "reading": {"id": id_, "revision": id_, "plan": id_, "person": id_, **FACT},
    "supply": {
        "id": id_, "key": text, "title": words, "unit": words, "place": none_or(id_), "quantity": whole, "minimum": whole,
        "serial": flag, "serials": many(serials), "expires_at": none_or(at),
    },
    "device": {
        "id": id_, "name": text, "subscribed": flag, "last_receipt_at": none_or(at), "last_seen_at": at,
    },
    "incident": {
        "id": id_, "title": text, "text": none_or(text), "plan": none_or(id_), "revision": none_or(id_),
        "plan_version": none_or(whole), "trigger": none_or(text), "status": one_of(*STATUSES), "level": none_or(level),
        "drill": flag, "speed": whole, "place": none_or(id_), "position": none_or(point), "started_at": at, "activated_at": none_or(at),
        "restored_at": none_or(at), "ended_at": none_or(at), "version": whole, "teams": many(id_), **FACT,
    },
    "fact": {
        "id": id_, "incident": id_, "key": text, "value": none_or(scalar), "unit": none_or(text), "note": none_or(text), **FACT,
        "by": none_or(id_),
    },
    "decision": {
        "id": id_, "incident": id_, "kind": one_of(*activation.KINDS), "subject": none_or(by_key(scalar)),
        "reason": none_or(text), "note": none_or(text), **FACT,
    },
    "proposal": {
        "id": id_, "incident": id_, "kind": text, "scale": none_or(text), "level": none_or(text), "title": words, "reason": words,
        "clause": none_or(clause), "team": none_or(id_), "status": one_of("open", "taken", "set_aside"), "made_at": at,
    },
    "limit": {
        "id": id_, "incident": id_, "key": text, "title": words, "clause": none_or(clause), "owner_team": none_or(id_),
        "consequence": none_or(words), "started_at": at, "due_at": at, "length_seconds": whole,
        "status": one_of("running", "met", "passed", "cancelled", "paused"), "fired_at": none_or(at), "ended_at": none_or(at),
        "paused_at": none_or(at), "timer": flag,
    },
    "order": {
        "id": id_, "incident": id_, "team": none_or(id_), "key": none_or(text), "kind": one_of("plan", "manual"), "title": words,
        "text": words, "critical": flag, "read_back": flag, "clause": none_or(clause), "alert": id_,
        "checklist": none_or(id_), "by": none_or(id_), "issued_at": at, "due_at": none_or(at), "status": text,
    },
    "alert": {
        "id": id_, "incident": id_, "order": none_or(id_), "team": none_or(id_), "title": words, "body": words,
        "level": none_or(level), "critical": flag, "read_back": flag, "drill": flag, "answers": many(one_of(*alerts.ANSWERS)),
        "clause": none_or(clause), "place": none_or(id_), "by": none_or(id_), "issued_at": at, "expires_at": at,
        "status": one_of("open", "ended"),
    },
    "recipient": {
        "id": id_, "alert": id_, "incident": id_, "person": id_, "team": none_or(id_), "told_at": none_or(at),
        "delivered_at": none_or(at), "opened_at": none_or(at), "answered_at": none_or(at),
        "answer": none_or(one_of(*alerts.ANSWERS)), "answer_id": none_or(id_), "answer_received_at": none_or(at),
        "eta_minutes": none_or(whole), "reason": none_or(text), "answered_by": none_or(id_), "answer_seen_at": none_or(at),
        "excused_at": none_or(at),
        "channels": many(text),
    },
    "board": {
        "id": id_, "incident": id_,
        "teams": many(part(
            "BoardTeamRow", team=none_or(id_), asked=whole, told=whole, delivered=whole, opened=whole, answered=whole,
            by_answer=by_key(whole), silent=whole,
        )),
    },
    "checklist": {
        "id": id_, "incident": id_, "team": id_, "key": text, "title": words, "ordered": flag,
        "clause": none_or(clause), "made_at": at,
    },
    "item": {
        "id": id_, "checklist": id_, "incident": id_, "key": text, "position": whole,
        "kind": one_of("tick", "number", "text", "choice", "photo", "signature"), "title": words, "unit": none_or(text),
        "min": none_or(number), "max": none_or(number), "choices": none_or(many(choice)), "safety_critical": flag,
        "not_applicable": flag, "requires": many(id_), "when": none_or(by_key(anything)),
        "locked_until": none_or(part("LockRow", interlock=text, words=words, clause=clause)), "clause": none_or(clause),
    },
    "mark": {
        "id": id_, "item": id_, "value": word_or_number, "unit": none_or(text), "note": none_or(text), "reason": none_or(text),
        "photo": none_or(id_), "based_on": none_or(id_), **FACT,
    },
    "report": {
        "id": id_, "incident": id_, "chain": one_of(*field_reports.CHAIN), "previous": none_or(id_),
        "type": one_of(*field_reports.TYPES), "place": none_or(id_), "position": none_or(position), "text": none_or(text),
        "counts": by_key(whole), "fields": by_key(text),
        "photos": many(part(
            "PhotoRow", id=id_, sha256=text, size=whole, mime=text, state=one_of("waiting", "delivered", "refused"),
            width=none_or(whole), height=none_or(whole),
        )),
        "late": flag, "struck": none_or(part("StrikeRow", reason=text, by=id_, at=at)), "seen_at": none_or(at), **FACT,
    },
    "tally": {
        "id": id_, "incident": id_, "place": id_, "kind": one_of(*tallies.KINDS), "count": number,
        "window_seconds": none_or(whole), **FACT,
    },
    "request": {
        "id": id_, "incident": id_, "supply": id_, "quantity": whole, "for_team": id_, "to_place": none_or(id_),
        "note": none_or(text), "state": one_of(*supplies.STEPS), "sent": whole, "received": whole, "used": whole, "void": whole,
        "returned": whole, "open": whole, "contested": flag, **FACT,
    },
    "movement": {
        "id": id_, "request": id_, "kind": one_of(*supplies.WORDS), "quantity": none_or(whole), "serial_from": none_or(whole),
        "serial_to": none_or(whole), "carrier": none_or(text), "note": none_or(text), "accepted": flag, **FACT,
    },
    "notice": {
        "id": id_, "incident": id_, "key": none_or(text), "channel": one_of(*notices.CHANNELS), "kind": one_of(*NOTICES), "wording": words,
        "eta": none_or(at), "previous": none_or(id_), "state": one_of("draft", "approved", "published"), **FACT,
        "by": none_or(id_), "approved_by": none_or(id_), "approved_at": none_or(at), "published_by": none_or(id_),
        "published_at": none_or(at), "clause": none_or(clause),
    },
    "mode": {
        "id": id_, "incident": id_, "tier": text, "title": words, "to": one_of("manual", "normal"), "note": none_or(text), **FACT,
        "by": none_or(id_),
    },
    "back_entry": {
        "id": id_, "incident": id_, "tier": text, "title": text, "key": none_or(text), "quantity": whole, "remaining": whole,
        "counted_at": none_or(at), "due_at": none_or(at), **FACT, "by": none_or(id_),
    },
    "review": {
        "id": id_, "incident": id_, "due_at": none_or(at), "status": one_of("draft", "signed"),
        "sections": many(part("SectionRow", key=text, title=words, text=text, filled=flag)),
        "outcomes": many(part(
            "OutcomeRow", limit=id_, key=text, title=words, result=one_of("met", "late", "unmet"), by_seconds=none_or(whole)
        )),
        "figures": part("FiguresRow", asked=whole, answered=whole, median_answer_seconds=none_or(whole)),
        "actions": many(part(
            "ActionRow", id=id_, title=text, owner=none_or(id_), due=none_or(at), done_at=none_or(at), by=id_
        )),
        "clause": none_or(clause), "made_at": at, "signed_by": none_or(id_), "signed_at": none_or(at),
    },
    "drill": {
        "id": id_, "plan": id_, "rule": none_or(text), "title": text, "scheduled_at": at, "announced": flag, "speed": whole,
        "participants": none_or(many(id_)), "scenario": text, "risk_check": text,
        "status": one_of("planned", "running", "done", "off"), "incident": none_or(id_), "started_at": none_or(at),
        "finished_at": none_or(at), "observations": none_or(text), "weak_points": many(text),
        "score": none_or(part(
            "ScoreRow", met=whole, late=whole, unmet=whole, answers=part(
                "AnswersRow", asked=whole, answered=whole, median_answer_seconds=none_or(whole)
            ),
            limits=many(part(
                "ScoredRow", key=text, title=words, result=one_of("met", "late", "unmet"), by_seconds=none_or(whole)
            )),
        )), **FACT,
    },
    "inject": {
        "id": id_, "drill": id_, "at_seconds": whole, "key": text, "value": none_or(scalar), "unit": none_or(text),
        "note": none_or(text), "due_at": none_or(at), "status": one_of("waiting", "applied", "skipped"),
        "applied_at": none_or(at), "by": id_,
    },
    "entry": {
        "id": id_, "incident": id_, "seq": whole, "kind": text, "text": words, "refs": by_key(scalar), "hash": text, **FACT,
        "by": none_or(id_),
    },
}  # fmt: skip


def _name(kind: str) -> str:
    return "".join(piece.capitalize() for piece in kind.split("_")) + "Row"


DOCUMENTS: dict[str, type[Schema]] = {kind: _schema(_name(kind), shape) for kind, shape in SHAPES.items()}
