"""The receipt book of facts: each id counts once, whoever sends it and however often."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import orjson
from sqlalchemy import BigInteger, Index, String, Table, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.clock import now
from server.db import Id, Key, Model
from server.domain.errors import Conflict, Refused
from server.statements import Statement


class Fact(Model):
    """One thing a person did, as it was sent, with what the server answered."""

    __tablename__ = "fact"
    id: Mapped[Key]
    fingerprint: Mapped[str] = mapped_column(String(64))
    path: Mapped[str]
    person: Mapped[Id | None]
    device: Mapped[Id | None]
    sequence: Mapped[int | None] = mapped_column(BigInteger)
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime]
    outcome: Mapped[str] = mapped_column(String(12))
    code: Mapped[str | None] = mapped_column(String(60))
    sent: Mapped[Any | None]
    answer: Mapped[Any | None]
    __table_args__ = (Index(None, "person", "received_at"), Index(None, "outcome", "received_at"))


@dataclass(frozen=True)
class Envelope:
    """Who sent a fact, from where and when it happened by the phone's corrected clock."""

    id: str
    path: str
    body: dict[str, Any]
    person: str | None = None
    device: str | None = None
    sequence: int | None = None
    occurred_at: datetime | None = None


@dataclass(frozen=True)
class Result:
    """What became of a fact: outcome applied or duplicate, and the answer body."""

    outcome: str
    body: dict[str, Any]


def fingerprint(path: str, body: dict[str, Any]) -> str:
    """The SHA-256 of a fact's path and body in canonical form, hexadecimal."""
    return hashlib.sha256(orjson.dumps([path, body], option=orjson.OPT_SORT_KEYS)).hexdigest()


def apply(session: Session, envelope: Envelope, effect: Callable[[], dict[str, Any]]) -> Result:
    """Record the fact and run its effect, or give the first answer again when the id is known.

    Raises Conflict `id_reused` when the id came before with another content; a fact refused before may be tried again.
    """
    row = _row(envelope, "applied")
    expected = row["answer"] = {"id": envelope.id}
    # Before its effect: another request with the same id then waits here, and finds the fact known.
    known = _known_or_added(session, row)
    if known is not None:
        if known.outcome == "applied":
            if (known.fingerprint, known.person) != (row["fingerprint"], envelope.person):
                raise Conflict(
                    "id_reused",
                    "该编号已用于其他内容，原内容未改动。",
                    "This id was used for other content; nothing changed.",
                )
            return Result("duplicate", known.answer or {})
        _AGAIN.run(session, **row)
    answer = effect()
    if answer != expected:
        _ANSWER.run(session, key=envelope.id, answer=answer)
    return Result("applied", answer)


def keep_refused(session: Session, envelope: Envelope, refusal: Refused) -> None:
    """Keep what a person tried in vain, so that command can see it; does nothing when the id was applied before."""
    row = _row(envelope, "refused") | {"code": refusal.code, "answer": {"zh": refusal.zh, "en": refusal.en}}
    known = _known_or_added(session, row)
    if known is not None and known.outcome != "applied":
        _AGAIN.run(session, **row)


def _known_or_added(session: Session, row: dict[str, Any]) -> Any:
    """What is known of a fact's id; None when it was not, and has been added now."""
    return None if _ADD.run(session, **row) else _KNOWN.first(session, key=row["key"])


def _row(envelope: Envelope, outcome: str) -> dict[str, Any]:
    received = now()
    return {
        "key": envelope.id, "fingerprint": fingerprint(envelope.path, envelope.body),
        "path": envelope.path, "person": envelope.person, "device": envelope.device, "sequence": envelope.sequence,
        "occurred_at": min(envelope.occurred_at or received, received), "received_at": received, "outcome": outcome,
        "code": None, "sent": envelope.body if len(orjson.dumps(envelope.body)) <= 16_384 else None, "answer": None,
    }  # fmt: skip


# Worked out once: they run for every fact.
_fact = cast(Table, Fact.__table__)
_VALUES: dict[str, Any] = {column.name: bindparam(column.name) for column in _fact.columns if column.name != "id"}
_KNOWN = Statement(
    select(_fact.c.outcome, _fact.c.fingerprint, _fact.c.person, _fact.c.answer).where(_fact.c.id == bindparam("key"))
)
_ADD = Statement(
    *(
        insert(_fact).values(id=bindparam("key"), **_VALUES).on_conflict_do_nothing(index_elements=["id"])
        for insert in (sqlite.insert, postgresql.insert)
    )
)
_AGAIN = Statement(update(_fact).where(_fact.c.id == bindparam("key")).values(**_VALUES))
_ANSWER = Statement(update(_fact).where(_fact.c.id == bindparam("key")).values(answer=bindparam("answer")))
