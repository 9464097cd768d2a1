"""Who acts: teams with duties and succession, posts, and the routes a report takes by hour of day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from server.domain.rules.lengths import Length
from server.domain.rules.words import Clause, FactRef, PostRef, RouteRef, RuleKey, TeamRef, Words

Role = Literal["leader", "deputy", "member", "liaison"]


@dataclass(frozen=True, kw_only=True)
class Succession:
    """Who acts when the one before is silent for `after`, role by role."""

    order: tuple[Role, ...] = ("leader", "deputy", "member")
    after: Length


@dataclass(frozen=True, kw_only=True)
class TeamRule:
    """A team of the plan; `kind` is what an organisation maps to its own team (leadership, it, security, ...)."""

    key: RuleKey
    kind: str
    title: Words
    duties: tuple[Words, ...] = ()
    aliases: tuple[Words, ...] = ()
    part_of: TeamRef | None = None
    external: bool = False
    succession: Succession | None = None
    clause: Clause


@dataclass(frozen=True, kw_only=True)
class Post:
    """A work place that can be switched to paper on its own, for instance a pharmacy counter."""

    key: RuleKey
    title: Words
    team: TeamRef


@dataclass(frozen=True, kw_only=True)
class Route:
    """A reporting route: on the fact `on`, teams are told one after the other; `hours` says when it applies.

    After `after` without an answer the next team of `to` is told; when all are silent, the route `then` begins.
    """

    key: RuleKey
    title: Words
    hours: Literal["always", "working", "night", "holiday"] = "always"
    on: FactRef = "incident.reported"
    posts: tuple[PostRef, ...] = ()
    to: tuple[TeamRef, ...]
    after: Length | None = None
    then: RouteRef | None = None
    words: Words | None = None
    clause: Clause
