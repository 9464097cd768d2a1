"""What each kind of fact leaves behind, so that a checker can count it: the row under the fact's id and its timeline entry."""

import re

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.db import Model
from server.domain.alerts import Answer
from server.domain.checklists import Mark
from server.domain.field_reports import Report
from server.domain.incidents import Decision, Happening, Incident
from server.domain.orders import Order
from server.domain.supplies import Movement, Request
from server.domain.tallies import Tally
from server.domain.timeline import Entry

# path, the row's table (None: the entry is the row), the name under which the entry refers to it (None: counted elsewhere)
EFFECTS: tuple[tuple[str, type[Model] | None, str | None], ...] = (
    (r"/incidents/[^/]+", Incident, None),
    (r"/incidents/[^/]+/entries/[^/]+", None, "fact"),
    (r"/incidents/[^/]+/facts/[^/]+", Happening, "fact"),
    (r"/incidents/[^/]+/decisions/[^/]+", Decision, "decision"),
    (r"/orders/[^/]+", Order, "order"),
    (r"/reports/[^/]+", Report, "report"),
    (r"/tallies/[^/]+", Tally, None),
    (r"/alerts/[^/]+/answers/[^/]+", Answer, None),
    (r"/items/[^/]+/marks/[^/]+", Mark, "mark"),
    (r"/requests/[^/]+", Request, "request"),
    (r"/requests/[^/]+/movements/[^/]+", Movement, "movement"),
)
FIRST_KINDS = {"order": "order", "request": "request", "mark": "mark", "decision": "decision", "report": "field_report"}


def effect_of(session: Session, path: str, id: str) -> int | str:
    """How often a fact took effect: 0 or 1, or words that say what does not fit together."""
    bare = path.removeprefix("/api/v1")
    table, name = next((table, name) for pattern, table, name in EFFECTS if re.fullmatch(pattern, bare))
    rows = None if table is None else int(session.get(table, id) is not None)
    if table is Incident:
        query = select(func.count()).where(Entry.incident == id, Entry.kind == "report")
    elif name is None:
        assert rows is not None
        return rows
    else:
        query = select(func.count()).where(Entry.refs.contains(id))
        if name in FIRST_KINDS:
            query = query.where(Entry.kind == FIRST_KINDS[name])
    entries = session.scalar(query) or 0
    if rows is None or rows == entries:
        return int(entries)
    return f"{rows} rows and {entries} entries"
