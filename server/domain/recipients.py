"""Recipients as answers, receipts and senders change them: by ready statements, past the mapper, for it happens at every tap."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import orjson
from sqlalchemy import Table, bindparam, select, update
from sqlalchemy.orm import Session

from server.domain import feed, limits, steps, timeline
from server.domain.alerts import Alert, Recipient
from server.domain.incidents import Incident
from server.statements import Statement


class Found(NamedTuple):
    """What the rules ask of an alert and all of one person's row of it, fresh and locked; of the incident the revision of
    its plan, and whether quorums are counted and limits run in it."""

    alert: Any
    row: Any
    revision: str | None
    counted: bool
    limited: bool


def find(session: Session, alert: str, person: str) -> Found | None:
    """What stands at this moment of an alert for a person, to be changed and kept; None when they were not asked."""
    session.flush()
    found = _FIND.first(session, alert=alert, person=person)
    if found is None:
        return None
    row = SimpleNamespace(**dict(zip(_OF_ROW, found, strict=False)))
    asked = SimpleNamespace(**dict(zip(_OF_ALERT, found[len(_OF_ROW) :], strict=False)))
    timeline.note_drill(session, row.incident, found.drill)
    return Found(asked, row, found.revision, found.counted, found.limited)


def keep(session: Session, row: Any) -> None:
    """Write what was changed in a recipient that `find` gave, and tell all who see it."""
    _KEEP.run(session, key=row.id, **{name: getattr(row, name) for name in _CHANGING})
    feed.touch(session, written(session, row))


def written(session: Session, row: Any, without: Iterable[str] = ()) -> feed.Written:
    """A recipient changed past the mapper, as the feed takes it; `row` has its columns as attributes.

    `without` are spaces that need not hear of it.
    """
    places = set(Recipient.spaces(row, session)).difference(without)
    text = orjson.dumps(Recipient.document(row, session, "")).decode()
    return feed.Written(Recipient.synced_type, row.id, tuple(sorted(places)), text)


# Worked out once: they run with every answer and receipt.
_ALERT, _ROW, _INCIDENT = (cast(Table, model.__table__) for model in (Alert, Recipient, Incident))
_OF_ROW = tuple(column.name for column in _ROW.columns)
_OF_ALERT = ("id", "incident", "order", "team", "title", "answers", "read_back", "status")
_CHANGING = tuple(name for name in _OF_ROW if name not in ("id", "alert", "incident", "person", "team"))
_FIND = Statement(
    select(
        *_ROW.columns, *(_ALERT.c[name] for name in _OF_ALERT), _INCIDENT.c.revision, _INCIDENT.c.drill,
        steps.are_counted(_INCIDENT.c.id).label("counted"), limits.are_running(_INCIDENT.c.id).label("limited"),
    )
    .join_from(_ROW, _ALERT, _ROW.c.alert == _ALERT.c.id)
    .join(_INCIDENT, _INCIDENT.c.id == _ALERT.c.incident)
    .where(_ROW.c.alert == bindparam("alert"), _ROW.c.person == bindparam("person"))
    .with_for_update(of=_ROW)
)  # fmt: skip
_KEEP = Statement(
    update(_ROW).where(_ROW.c.id == bindparam("key")).values({name: bindparam(name) for name in _CHANGING})
)
