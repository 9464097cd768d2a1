"""Savepoints: what is undone inside a unit of work leaves nothing behind, neither rows nor what the unit's end would take up."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy

from sqlalchemy.orm import Session


@contextmanager
def savepoint(session: Session) -> Iterator[None]:
    """Undo by an error what was written since, and what was left in `session.info` for the feed, the timeline or anybody."""
    left = {name: copy(value) for name, value in session.info.items()}
    try:
        with session.begin_nested():
            yield
    except BaseException:
        session.info.clear()
        session.info.update(left)
        raise
