"""Checklists over HTTP: marks on items."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from server.api import http
from server.api.fields import Fact, Scalar, Text, Uuid
from server.domain import marks
from server.domain.people import Standing

blp = http.blueprint("checklists")


class MarkBody(Fact):
    """What an item is set to: done, not_done, not_applicable, a number, a text or a choice."""

    value = Scalar(required=True)
    unit = Text(20)
    note = Text(1000)
    reason = Text(500)
    based_on = Uuid()
    photo = Uuid()


@http.fact(blp, "/items/<item>/marks/<id>", MarkBody, "Mark an item")
def mark(session: Session, by: Standing, data: dict[str, Any], at: datetime, item: str, id: str) -> None:
    """Mark an item; every mark is kept."""
    marks.mark(session, id, item, by, occurred_at=at, **data)
