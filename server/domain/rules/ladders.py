"""How people are reached: the steps of a ladder with their times, and how many must answer before the next group is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, get_args

from server.domain.rules.lengths import Length
from server.domain.rules.words import Clause, RuleKey, TeamRef, Words

AnswerKind = Literal["received", "on_my_way", "on_scene", "cannot", "need_help"]
ChannelName = Literal["push", "robot", "sms", "voice", "email", "other"]
Stage = Literal["delivered", "opened", "answered"]

CHANNELS: Final[tuple[ChannelName, ...]] = get_args(ChannelName)
STAGES: Final[tuple[Stage, ...]] = get_args(Stage)


@dataclass(frozen=True, kw_only=True)
class LadderStep:
    """One step: whoever has not come as far as `unless` when `after` has passed is told through the channels `by`.

    `deputy`: where the team's leader is silent, who follows in the succession acts and is told so. `call_list`: those who
    lead get the names to call.
    """

    after: Length
    unless: Stage = "answered"
    by: tuple[ChannelName, ...] = ()
    deputy: bool = False
    call_list: bool = False


@dataclass(frozen=True, kw_only=True)
class LadderRule:
    """A ladder of the plan; `every` alert of the plan that names no other climbs it.

    `after_received`, `after_on_my_way`: how long after such an answer to an order the person must have reported from the
    scene (an announced time of arrival counts instead, with five minutes' grace); else their leaders are told.
    """

    key: RuleKey
    title: Words
    every: bool = False
    steps: tuple[LadderStep, ...]
    after_received: Length | None = None
    after_on_my_way: Length | None = None
    clause: Clause


@dataclass(frozen=True, kw_only=True)
class Quorum:
    """How many of those asked must give one of `answers` `within` a time; else the team `next` in line is asked as well."""

    need: int
    within: Length
    answers: tuple[AnswerKind, ...] = ("received", "on_my_way", "on_scene")
    next: tuple[TeamRef, ...] = ()


def _step(seconds: int, unless: Stage, *by: ChannelName, deputy: bool = False, call_list: bool = False) -> LadderStep:
    return LadderStep(after=Length("span", seconds), unless=unless, by=by, deputy=deputy, call_list=call_list)


DEFAULT: Final = LadderRule(
    key="default",
    title=Words("默认通知阶梯", "Default ladder"),
    every=True,
    steps=(
        _step(0, "answered", "push", "robot"),
        _step(30, "delivered", "sms", "email", "other"),
        _step(120, "answered", "push", deputy=True, call_list=True),
        _step(300, "answered", "push", "robot", "voice"),
        _step(600, "answered", "push"),
    ),
    after_on_my_way=Length("span", 900),
    clause=Clause("–", Words("系统默认", "The system's default")),
)
"""What an organisation gets that has set nothing: pushed and posted, then a text to whoever it did not reach, then the deputy."""


def from_settings(found: Mapping[str, Any] | None) -> LadderRule:
    """The organisation's ladder as its settings hold it (lengths in whole seconds), or the default."""
    if not found:
        return DEFAULT
    steps = tuple(
        _step(
            one["after_seconds"], one.get("unless", "answered"), *one.get("by", ()),
            deputy=one.get("deputy", False), call_list=one.get("call_list", False),
        )
        for one in found["steps"]
    )  # fmt: skip
    return replace(
        DEFAULT,
        steps=steps,
        after_received=_span(found.get("after_received_seconds")),
        after_on_my_way=_span(found.get("after_on_my_way_seconds")),
    )


def to_settings(ladder: LadderRule) -> dict[str, Any]:
    """The same as `from_settings` takes it."""
    return {
        "steps": [
            {
                "after_seconds": one.after.seconds, "unless": one.unless, "by": list(one.by), "deputy": one.deputy,
                "call_list": one.call_list,
            }
            for one in ladder.steps
        ],
        "after_received_seconds": ladder.after_received.seconds if ladder.after_received else None,
        "after_on_my_way_seconds": ladder.after_on_my_way.seconds if ladder.after_on_my_way else None,
    }  # fmt: skip


def _span(seconds: int | None) -> Length | None:
    return Length("span", seconds) if seconds else None
