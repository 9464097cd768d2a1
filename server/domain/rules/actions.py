"""What the plan makes happen: phases, orders to teams, limits and what follows when one passes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from server.domain.rules.conditions import Condition
from server.domain.rules.ladders import AnswerKind, Quorum
from server.domain.rules.lengths import Length
from server.domain.rules.words import (
    ChecklistRef,
    Clause,
    FactRef,
    LadderRef,
    LevelRef,
    NoticeRef,
    OrderRef,
    PhaseRef,
    ReportRef,
    RuleKey,
    ScaleRef,
    TeamRef,
    TierRef,
    Words,
    ZoneRef,
)

Audience = Literal["on_duty", "leaders", "everyone"]
DecisionKind = Literal["activate", "level", "fallback", "evacuate", "manual", "restore", "end", "reset_limit"]
ConsequenceKind = Literal["alert", "ask", "activate", "warn", "order", "tier", "level", "propose", "notice", "report"]

CONSEQUENCE_KINDS: Final[tuple[ConsequenceKind, ...]] = get_args(ConsequenceKind)


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A stretch of the response; it begins with any fact of `starts`, and its orders go out then."""

    key: RuleKey
    title: Words
    starts: tuple[FactRef, ...]
    clause: Clause


@dataclass(frozen=True, kw_only=True)
class OrderRule:
    """One order to one team.

    It goes out when its phase begins, as soon as `when` is known to hold and, where `levels` are named, one of them is
    set. `within` is the time to carry it out: a clock of its own (`order-KEY`) that completion ends. `zone` is where the work is; in a no-phone zone the answer is
    given by someone outside it (`answer_from: outside`). `ladder` is how the silent are reached, `quorum` how many must
    come.
    """

    key: RuleKey
    team: TeamRef
    phase: PhaseRef
    title: Words
    text: Words
    answers: tuple[AnswerKind, ...] = ("received", "on_my_way", "on_scene", "cannot", "need_help")
    audience: Audience = "on_duty"
    critical: bool = False
    read_back: bool = False
    checklist: ChecklistRef | None = None
    levels: tuple[LevelRef, ...] = ()
    when: Condition | None = None
    within: Length | None = None
    zone: ZoneRef | None = None
    answer_from: Literal["anyone", "outside"] = "anyone"
    ladder: LadderRef | None = None
    quorum: Quorum | None = None
    switch_back: bool = False
    clause: Clause


@dataclass(frozen=True, kw_only=True)
class Consequence:
    """One thing that follows: exactly one of the fields named in `CONSEQUENCE_KINDS` is set.

    `alert`: tell these teams `words`. `ask`: put the decision to the team `of`. `activate` / `warn`: the plan starts /
    a warning goes out by itself. `order`, `tier`, `notice`, `report`: that rule is issued, begun, asked for. `level`:
    this level is proposed; `propose`: the scale is worked out anew.
    """

    alert: tuple[TeamRef, ...] = ()
    ask: DecisionKind | None = None
    activate: bool = False
    warn: bool = False
    order: OrderRef | None = None
    tier: TierRef | None = None
    level: LevelRef | None = None
    propose: ScaleRef | None = None
    notice: NoticeRef | None = None
    report: ReportRef | None = None
    of: TeamRef | None = None
    words: Words | None = None
    critical: bool = False
    audience: Audience = "on_duty"

    @property
    def kind(self) -> ConsequenceKind:
        """Which of the kinds this one is."""
        return next(kind for kind in CONSEQUENCE_KINDS if getattr(self, kind))


@dataclass(frozen=True, kw_only=True)
class LimitRule:
    """A time limit: `length` after any fact of `starts`, unless a fact of `ends` comes first, `then` follows, once.

    The clock starts only where `when` is not known to be false. `owner` is the team that has to keep the limit.
    """

    key: RuleKey
    title: Words
    owner: TeamRef
    starts: tuple[FactRef, ...]
    when: Condition | None = None
    length: Length
    ends: tuple[FactRef, ...] = ()
    then: tuple[Consequence, ...]
    phase: PhaseRef | None = None
    clause: Clause
