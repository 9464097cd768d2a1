"""Sites and places: a tree of where things happen, with capacity, coordinates and floor-plan pins."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Float, ForeignKey, Integer, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.clock import now
from server.db import Id, Key, Model
from server.domain.errors import Refused

LAID_ASIDE = timedelta(days=14)
"""How long a picture stays after its place has another, so that a database restored from a backup still finds it."""
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


def pictured(session: Session) -> set[str]:
    """The names of all pictures that places carry as their floor plans."""
    drawings = session.scalars(select(Place.floor_plan).where(Place.floor_plan.is_not(None)))
    return {one["picture"] for one in drawings if isinstance(one, dict) and one.get("picture")}


def pictures_due(session: Session, folder: Path) -> datetime | None:
    """Now when a picture in the folder of floor plans is to be removed, else None."""
    return now() if _left_over(session, folder) else None


def forget_pictures(session: Session, folder: Path) -> int:
    """Remove the pictures of floor plans that no place carries and nobody has touched for two weeks; returns how many files."""
    gone = _left_over(session, folder)
    for file in gone:
        file.unlink(missing_ok=True)
    return len(gone)


def _left_over(session: Session, folder: Path) -> list[Path]:
    before = (now() - LAID_ASIDE).timestamp()
    files = [one for one in folder.iterdir() if one.is_file()] if folder.is_dir() else []
    old = [one for one in files if one.stat().st_mtime < before]
    carried = pictured(session) if old else set()
    return [one for one in old if one.name.partition(".")[0] not in carried]
