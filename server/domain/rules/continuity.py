"""How work goes on without the system: paper tiers by outage time, the back-entry ledger, and the supplies."""

from __future__ import annotations

from dataclasses import dataclass

from server.domain.rules.lengths import Length
from server.domain.rules.words import Clause, FactRef, OrderRef, PostRef, RuleKey, TeamRef, Words


@dataclass(frozen=True, kw_only=True)
class Tier:
    """The posts that go to paper once the outage has lasted `after`; their `orders` go out then."""

    key: RuleKey
    title: Words
    after: Length
    posts: tuple[PostRef, ...]
    orders: tuple[OrderRef, ...] = ()
    words: Words
    clause: Clause


@dataclass(frozen=True, kw_only=True)
class BackEntry:
    """What was written on paper and must be entered again, counted in `unit`, until nothing is left, by `due`."""

    key: RuleKey
    title: Words
    unit: Words
    owner: TeamRef
    posts: tuple[PostRef, ...] = ()
    starts: FactRef = "service.restored"
    due: Length
    clause: Clause


@dataclass(frozen=True, kw_only=True)
class Manual:
    """Manual mode: tiers counted from `since`, the ledger, and the orders that lead back (`switch_back`).

    `early` says who may go to paper before the tier's time, and why.
    """

    since: FactRef = "service.interrupted"
    by: TeamRef
    tiers: tuple[Tier, ...]
    early: Words | None = None
    back_entry: tuple[BackEntry, ...] = ()
    switch_back: tuple[OrderRef, ...] = ()
    clause: Clause


@dataclass(frozen=True, kw_only=True)
class SupplyRule:
    """Something to have ready: the least stock, where it lies, who keeps it; `serial` stock is counted by number ranges."""

    key: RuleKey
    title: Words
    unit: Words
    minimum: int | float = 1
    place: Words | None = None
    keeper: TeamRef
    serial: bool = False
    expires: bool = False
    clause: Clause
