"""Records that are kept under an id of their own: made when they are new, changed when they are known."""

from typing import Any, TypeVar

from sqlalchemy.orm import Session

from server.db import Model

Record = TypeVar("Record", bound=Model)


def put(session: Session, model: type[Record], id: str, data: dict[str, Any]) -> Record:
    """The record under this id with these values, made or changed, and locked for this transaction."""
    found = session.get(model, id, with_for_update=True)
    if found is None:
        found = model(id=id, **data)
        session.add(found)
        return found
    for name, value in data.items():
        setattr(found, name, value)
    return found
