"""Sites and places: a tree of where things happen, with capacity, coordinates and floor-plan pins."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Float, ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.db import Id, Key, Model
from server.domain.errors import Refused

KINDS = ("site", "area", "gate", "hall", "room", "point")


class Place(Model):
    """A place; a site is one without a parent. `plan_pin` is {x, y} in 0..1 of the floor plan of the
    nearest parent, which is a drawing (`shapes`) or a picture."""

    __tablename__ = "place"
    synced_type = "place"
    id: Mapped[Key]
    parent: Mapped[Id | None] = mapped_column(ForeignKey("place.id"))
    kind: Mapped[str] = mapped_column(String(12))
    title: Mapped[dict[str, Any]]
    code: Mapped[str] = mapped_column(String(40), unique=True)
    lat: Mapped[float | None] = mapped_column(Float)
    lon: Mapped[float | None] = mapped_column(Float)
    plan_pin: Mapped[Any | None]
    floor_plan: Mapped[Any | None]
    capacity: Mapped[int | None] = mapped_column(Integer)

    def spaces(self, session: Session) -> Iterable[str]:
        """Everybody knows the places."""
        return ("org",)

    def document(self, session: Session, space: str) -> dict[str, Any]:
        """The place as phones keep it."""
        return {
            "id": self.id, "parent": self.parent, "kind": self.kind, "title": self.title, "code": self.code,
            "lat": self.lat, "lon": self.lon, "plan_pin": self.plan_pin, "floor_plan": self.floor_plan,
            "capacity": self.capacity,
        }  # fmt: skip


def known(session: Session, place: str | None) -> str | None:
    """The place's id when it exists. Raises Refused for an unknown one."""
    if place is not None and session.get(Place, place) is None:
        raise Refused("place_unknown", "没有这个位置。", "There is no such place.", path="place")
    return place


def require_above(session: Session, place: str, parent: str | None) -> None:
    """Check that a place may lie in `parent`. Raises Refused for an unknown one, for the place itself and for one inside it."""
    above = parent
    while above is not None:
        if above == place:
            raise Refused("place_in_itself", "位置不能属于自己。", "A place cannot lie in itself.", path="parent")
        found = session.get(Place, above)
        if found is None:
            raise Refused("place_unknown", "没有这个位置。", "There is no such place.", path="parent")
        above = found.parent
