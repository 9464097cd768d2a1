"""What a plan's ladder and quorum do in a rehearsal while nobody answers an order, as things that come due one by one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from server.domain.rules import Clause, LadderStep, OrderRule, Plan, Words

_BY = {
    "push": ("推送", "push"), "robot": ("群消息", "group chat"), "sms": ("短信", "SMS"), "voice": ("电话", "voice call"),
    "email": ("邮件", "e-mail"), "other": ("其他渠道", "another channel"),
}  # fmt: skip


@dataclass(frozen=True)
class Rung:
    """One of them: how long after the one before (for a step: after the order), to which teams, in which words."""

    kind: Literal["step", "quorum"]
    order: OrderRule
    number: int
    after: timedelta
    to: tuple[str, ...]
    words: Words
    clause: Clause
    following: Rung | None = None


def rungs_of(plan: Plan, order: OrderRule) -> list[Rung]:
    """The steps of the ladder the plan gives an order, and its quorum; the organisation's own ladder is not the plan's."""
    found, ladder = [], plan.ladder(order.ladder)
    for number, step in enumerate(ladder.steps if ladder else (), 1):
        after, clause = timedelta(seconds=step.after.seconds), ladder.clause if ladder else order.clause
        found.append(Rung("step", order, number, after, (order.team,), _said(step), clause))
    if order.quorum is not None:
        found.append(_muster(plan, order, 1, order.quorum.next))
    return found


def _muster(plan: Plan, order: OrderRule, number: int, following: tuple[str, ...]) -> Rung:
    assert order.quorum is not None
    need = order.quorum.need
    to = following[:1] or (plan.authority.decides,)
    name = plan.team(to[0]).title
    return Rung(
        "quorum", order, number, timedelta(seconds=order.quorum.within.seconds), to,
        Words(f"不足 {need} 人响应，通知{name.zh}", f"Fewer than {need} have answered; {name.en} is told"), order.clause,
        _muster(plan, order, number + 1, following[1:]) if following else None,
    )  # fmt: skip


def _said(step: LadderStep) -> Words:
    zh = [_BY[one][0] for one in step.by] + ["副职接替"] * step.deputy + ["电话名单"] * step.call_list
    en = [_BY[one][1] for one in step.by] + ["the deputy acts"] * step.deputy + ["names to call"] * step.call_list
    return Words("仍未回应：" + "、".join(zh), "Still silent: " + ", ".join(en))
