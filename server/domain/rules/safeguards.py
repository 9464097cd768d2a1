"""What keeps people safe from a wrong act: interlocks, zones with their radius and phone ban, prohibitions."""

from __future__ import annotations

from dataclasses import dataclass

from server.domain.rules.conditions import Condition
from server.domain.rules.words import Clause, LockRef, RuleKey, TeamRef, Words, ZoneRef


@dataclass(frozen=True, kw_only=True)
class Interlock:
    """The things in `locks` stay locked until `needs` is known to hold; `words` tells a person what is missing.

    A lock names an order (`order.KEY`), an item (`item.CHECKLIST.ITEM`) or a decision (`decision.end`).
    """

    key: RuleKey
    title: Words
    locks: tuple[LockRef, ...]
    needs: Condition
    words: Words
    clause: Clause


@dataclass(frozen=True, kw_only=True)
class Zone:
    """An area around the incident of `radius_m` metres, in force where `when` is not known to be false."""

    key: RuleKey
    title: Words
    radius_m: int | float | None = None
    no_phone: bool = False
    when: Condition | None = None
    words: Words
    clause: Clause


@dataclass(frozen=True, kw_only=True)
class Prohibition:
    """Something nobody (or nobody of `teams`) may do, in the `zone` if one is named."""

    key: RuleKey
    words: Words
    zone: ZoneRef | None = None
    teams: tuple[TeamRef, ...] = ()
    clause: Clause
