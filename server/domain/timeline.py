"""The timeline: an append-only, hash-chained log of what happened in each incident."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import orjson
from sqlalchemy import Boolean, Index, Integer, String, Table, bindparam, column, insert, select, table, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.clock import iso, now
from server.db import Database, Id, IdText, Key, Model, new_id
from server.domain import feed
from server.statements import Statement

START = "0" * 64
_incident = table("incident", column("id", IdText()), column("drill", Boolean))


class Chain(Model):
    """The end of an incident's chain: how many entries it has and the hash of the last."""

    __tablename__ = "chain"
    incident: Mapped[Key]
    length: Mapped[int] = mapped_column(Integer, default=0)
    hash: Mapped[str] = mapped_column(String(64), default=START)


class Entry(Model):
    """One line of the timeline; `hash` covers it and the hash before it."""

    __tablename__ = "entry"
    synced_type = "entry"
    id: Mapped[Key]
    incident: Mapped[Id]
    seq: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(40))
    text: Mapped[dict[str, Any]]
    refs: Mapped[dict[str, Any]]
    by: Mapped[Id | None]
    audience: Mapped[str] = mapped_column(String(100))
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime]
    hash: Mapped[str] = mapped_column(String(64))
    __table_args__ = (Index("uq_entry_incident_seq", "incident", "seq", unique=True),)

    def spaces(self, session: Session) -> Iterable[str]:
        """Those who see it."""
        return places_of(self.incident, self.audience)

    def document(self, session: Session, space: str) -> dict[str, Any]:
        """The entry as phones keep it."""
        return shown(self)


@dataclass
class Sealed:
    """A line on its way into the table, past the mapper: each fact writes one."""

    id: str
    incident: str
    seq: int
    kind: str
    text: dict[str, Any]
    refs: dict[str, Any]
    by: str | None
    audience: str
    occurred_at: datetime
    received_at: datetime
    hash: str


def record(
    session: Session,
    incident: str,
    kind: str,
    zh: str,
    en: str,
    *,
    by: str | None = None,
    refs: dict[str, Any] | None = None,
    occurred_at: datetime | None = None,
    audience: str = "all",
) -> None:
    """Add a line to the incident's timeline; it is numbered and chained when the unit of work ends.

    `audience` is "all", "command", a team's id, or that id with ":lead" for those who lead it.
    """
    received = now()
    if _in_drill(session, incident):
        zh, en = f"【演练】{zh}", f"[Drill] {en}"
    entry = {
        "incident": incident,
        "kind": kind,
        "text": {"zh": zh, "en": en},
        "by": by,
        "refs": {k: v for k, v in (refs or {}).items() if v is not None},
        "audience": audience,
        "occurred_at": occurred_at or received,
        "received_at": received,
    }
    session.info.setdefault("entries", []).append(entry)


def note_drill(session: Session, incident: str, drill: bool) -> None:
    """Say whether an incident is a drill, where that is known: its lines need not look."""
    session.info.setdefault("in_drill", {})[incident] = drill


def _in_drill(session: Session, incident: str) -> bool:
    """Whether an incident is a drill: every line of its timeline says so."""
    known: dict[str, bool] = session.info.setdefault("in_drill", {})
    if incident not in known:
        found = _DRILL.first(session, key=incident)
        if found is None:
            return False
        known[incident] = found.drill
    return known[incident]


def attach(database: Database) -> None:
    """Let every unit of work of this database seal its timeline entries."""
    database.finishers.append(seal)


def seal(session: Session) -> None:
    """Number and chain the entries recorded by the units of this commit, incident by incident in sorted order."""
    by_incident: dict[str, list[dict[str, Any]]] = {}
    for values in session.info.pop("entries", []):
        by_incident.setdefault(values["incident"], []).append(values)
    rows = []
    for incident, mine in sorted(by_incident.items()):
        end = _END.first(session, key=incident)
        length, last = (end.length, end.hash) if end is not None else (0, START)
        for values in mine:
            length += 1
            entry = Sealed(id=new_id(), seq=length, hash="", **values)
            last = entry.hash = link(last, entry)
            rows.append(vars(entry))
            places = tuple(places_of(incident, entry.audience))
            feed.add(session, feed.Written("entry", entry.id, places, orjson.dumps(shown(entry)).decode()))
        (_GROW if end is not None else _BEGIN).run(session, key=incident, length=length, hash=last)
    _ADD.run_each(session, rows)


# Worked out once: they run with every line recorded.
_chain, _entry = cast(Table, Chain.__table__), cast(Table, Entry.__table__)
_DRILL = Statement(select(_incident.c.drill).where(_incident.c.id == bindparam("key")))
_END = Statement(select(_chain.c.length, _chain.c.hash).where(_chain.c.incident == bindparam("key")).with_for_update())
_GROW = Statement(
    update(_chain)
    .where(_chain.c.incident == bindparam("key"))
    .values(length=bindparam("length"), hash=bindparam("hash"))
)
_BEGIN = Statement(insert(_chain).values(incident=bindparam("key"), length=bindparam("length"), hash=bindparam("hash")))
_ADD = Statement(insert(_entry))


def places_of(incident: str, audience: str) -> Iterable[str]:
    """The spaces of a line: everybody's in the incident unless it is for command or one team."""
    if audience == "all":
        return (f"incident:{incident}",)
    if audience == "command":
        return (f"incident:{incident}:command",)
    # A team by its id, or those who lead it as `<id>:lead`.
    return (f"incident:{incident}:team:{audience}", f"incident:{incident}:command")


def shown(entry: "Entry | Sealed") -> dict[str, Any]:
    """A line as phones keep it."""
    return {
        "id": entry.id, "incident": entry.incident, "seq": entry.seq, "kind": entry.kind, "text": entry.text,
        "refs": entry.refs, "by": entry.by, "occurred_at": iso(entry.occurred_at), "received_at": iso(entry.received_at),
        "hash": entry.hash,
    }  # fmt: skip


def link(previous: str, entry: "Entry | Sealed") -> str:
    """The SHA-256 that chains an entry to the one before it, hexadecimal."""
    content = [
        previous, entry.incident, entry.seq, entry.kind, entry.text, entry.refs, entry.by, entry.audience,
        iso(entry.occurred_at), iso(entry.received_at),
    ]  # fmt: skip
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def broken_at(session: Session, incident: str) -> int | None:
    """The number of the first entry that does not fit the chain, or None when all of it holds."""
    last, expected = START, 1
    for entry in session.scalars(select(Entry).where(Entry.incident == incident).order_by(Entry.seq)):
        if entry.seq != expected or entry.hash != link(last, entry):
            return expected
        last, expected = entry.hash, expected + 1
    chain = session.get(Chain, incident)
    end = (chain.length, chain.hash) if chain is not None else (0, START)
    return expected if end != (expected - 1, last) else None
