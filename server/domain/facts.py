"""The receipt book of facts: each id counts once, whoever sends it and however often."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.clock import now
from server.db import Id, Key, Model
from server.domain.errors import Conflict, Refused


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
    print_ = fingerprint(envelope.path, envelope.body)
    known = session.get(Fact, envelope.id)
    if known is not None and known.outcome == "applied":
        if (known.fingerprint, known.person) != (print_, envelope.person):
            raise Conflict(
                "id_reused",
                "该编号已用于其他内容，原内容未改动。",
                "This id was used for other content; nothing changed.",
            )
        return Result("duplicate", known.answer or {})
    fact = known or Fact(id=envelope.id)
    _fill(fact, envelope, print_, "applied")
    session.add(fact)
    session.flush()
    fact.answer = effect()
    return Result("applied", fact.answer)


def keep_refused(session: Session, envelope: Envelope, refusal: Refused) -> None:
    """Keep what a person tried in vain, so that command can see it; does nothing when the id was applied before."""
    known = session.get(Fact, envelope.id)
    if known is not None and known.outcome == "applied":
        return
    fact = known or Fact(id=envelope.id)
    _fill(fact, envelope, fingerprint(envelope.path, envelope.body), "refused")
    fact.code, fact.answer = refusal.code, {"zh": refusal.zh, "en": refusal.en}
    session.add(fact)


def _fill(fact: Fact, envelope: Envelope, print_: str, outcome: str) -> None:
    received = now()
    fact.fingerprint, fact.path, fact.outcome, fact.code = print_, envelope.path, outcome, None
    fact.person, fact.device, fact.sequence = envelope.person, envelope.device, envelope.sequence
    fact.received_at = received
    fact.occurred_at = min(envelope.occurred_at or received, received)
    fact.sent = envelope.body if len(orjson.dumps(envelope.body)) <= 16_384 else None
