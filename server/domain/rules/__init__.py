"""The typed rules of a plan and their pure evaluation: no tables, no network, no files.

words, lengths, conditions and facts are the small change; situations, teams, ladders, actions, checklists, safeguards, continuity,
publications and closing are the rules; implied the clocks that follow from them; paces is the clock of a drill; plans.py is the whole tree. levels, timing and guidance answer questions about it.
"""

from server.domain.rules.actions import Consequence, LimitRule, OrderRule, Phase
from server.domain.rules.checklists import ChecklistRule, ItemRule
from server.domain.rules.conditions import Condition, holds
from server.domain.rules.continuity import Tier
from server.domain.rules.guidance import (
    Lock,
    end_conditions_met,
    hours_at,
    listens_to,
    locked_items,
    may_end,
    notices_for,
    open_items,
    orders_for,
    phases_started_by,
    routes_for,
    zones_in_force,
)
from server.domain.rules.implied import all_limits, checklist_of
from server.domain.rules.jsonable import to_jsonable
from server.domain.rules.ladders import LadderRule, LadderStep, Quorum
from server.domain.rules.lengths import Cadence, Length, LengthUnknown, comes_round
from server.domain.rules.levels import Proposal, elapsed_measures, is_lowering, propose_level
from server.domain.rules.paces import PlanClock, plan_clock
from server.domain.rules.plans import Plan
from server.domain.rules.timing import (
    consequences,
    due_at,
    in_words,
    lasting,
    left_to_do,
    limits_ended_by,
    limits_started_by,
    limits_waiting_for,
    may_run_again,
    moot,
    tier_at,
    with_alarm,
)
from server.domain.rules.words import Clause, Words

__all__ = [
    "Cadence",
    "ChecklistRule",
    "Clause",
    "Condition",
    "Consequence",
    "ItemRule",
    "LadderRule",
    "LadderStep",
    "Length",
    "LengthUnknown",
    "LimitRule",
    "Lock",
    "OrderRule",
    "Phase",
    "Plan",
    "PlanClock",
    "Proposal",
    "Quorum",
    "Tier",
    "Words",
    "all_limits",
    "checklist_of",
    "comes_round",
    "consequences",
    "due_at",
    "elapsed_measures",
    "end_conditions_met",
    "holds",
    "hours_at",
    "in_words",
    "is_lowering",
    "lasting",
    "left_to_do",
    "limits_ended_by",
    "limits_started_by",
    "limits_waiting_for",
    "listens_to",
    "locked_items",
    "may_end",
    "may_run_again",
    "moot",
    "notices_for",
    "open_items",
    "orders_for",
    "phases_started_by",
    "plan_clock",
    "propose_level",
    "routes_for",
    "tier_at",
    "to_jsonable",
    "with_alarm",
    "zones_in_force",
]
