"""Decisions of the leadership group: verify, activate or not, levels, fallback, restore, end, and changes to limits."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from server.clock import iso, now
from server.domain import (
    alerts,
    continuity,
    course,
    incidents,
    limits,
    plans,
    proposals,
    reviews,
    rights,
    rules,
    timeline,
)
from server.domain.errors import Conflict, Refused
from server.domain.incidents import Decision, Incident
from server.domain.people import Standing

KINDS = (
    "verify", "dismiss", "activate", "decline", "level", "fallback", "evacuate", "restore", "resume", "end",
    "extend_limit", "pause_limit", "resume_limit", "end_limit", "stand_down", "revise",
)  # fmt: skip
NEED_REASON = ("dismiss", "decline", "extend_limit", "pause_limit", "end_limit", "stand_down", "resume")
TITLES = {
    "verify": ("核实事件", "verified the incident"), "dismiss": ("判定事件不成立", "dismissed the incident"),
    "activate": ("决定启动预案", "decided to activate the plan"), "decline": ("决定不启动预案", "decided not to activate the plan"),
    "level": ("决定级别", "decided the level"), "fallback": ("决定启用备用方案", "decided on the fallback"),
    "evacuate": ("决定疏散", "decided to evacuate"), "restore": ("确认恢复", "confirmed the restoration"),
    "resume": ("决定继续响应", "decided to go on"), "end": ("宣布结束", "announced the end"),
    "extend_limit": ("延长时限", "extended a limit"), "pause_limit": ("暂停时限", "paused a limit"),
    "resume_limit": ("恢复计时", "let a limit run on"), "end_limit": ("终止时限", "ended a limit"),
    "stand_down": ("让一组撤回", "stood a team down"),
    "revise": ("改用预案新版本", "applied the new version of the plan"),
}  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """What is decided: `subject` names the level, limit or team it is about, `seconds` how long to extend."""

    kind: str
    reason: str | None = None
    note: str | None = None
    scale: str | None = None
    level: str | None = None
    limit: str | None = None
    team: str | None = None
    plan: str | None = None
    seconds: int | None = None


def decide(
    session: Session, id: str, incident: Incident, choice: Choice, by: Standing, occurred_at: datetime
) -> Decision:
    """Record a decision and let it take effect.

    Raises Refused when a reason is needed and missing or the end conditions are open, Conflict when the incident moved on.
    """
    if choice.kind in NEED_REASON and not choice.reason:
        raise Refused("reason_needed", "请填写理由。", "Give a reason.", path="reason")
    if not (incident.drill and choice.reason):
        _require_unlocked(session, incident, choice.kind)
    subject = {
        k: v
        for k, v in vars(choice).items()
        if k in {"scale", "level", "limit", "team", "plan", "seconds"} and v is not None
    }
    decision = Decision(
        id=id, incident=incident.id, kind=choice.kind, subject=subject or None, reason=choice.reason, note=choice.note,
        by=by.id, occurred_at=occurred_at, received_at=now(),
    )  # fmt: skip
    session.add(decision)
    zh, en = TITLES[choice.kind]
    why = (f"，理由：{choice.reason}", f", because: {choice.reason}") if choice.reason else ("", "")
    timeline.record(
        session, incident.id, "decision", f"{by.name}{zh}{why[0]}", f"{by.name} {en}{why[1]}", by=by.id, occurred_at=occurred_at,
        refs={"decision": id, **subject},
    )  # fmt: skip
    EFFECTS[choice.kind](session, incident, choice, by, occurred_at)
    return decision


def _require_unlocked(session: Session, incident: Incident, kind: str) -> None:
    """Raise Conflict while an interlock of the plan holds this decision: only what it needs opens it, no reason outside a drill."""
    plan = plans.rules_of(session, incident.revision)
    held = rules.locked_items(plan, incidents.known(session, incident, plan)) if plan and plan.interlocks else ()
    for lock in held:
        if lock.target == f"decision.{kind}":
            words, shown = lock.words, rules.to_jsonable(lock.clause)
            state = {"locked_until": {"interlock": lock.interlock, "words": rules.to_jsonable(words), "clause": shown}}
            raise Conflict("interlocked", words.zh, words.en, state=state)


def _verify(session: Session, incident: Incident, choice: Choice, by: Standing, at: datetime) -> None:
    incidents.move(incident, "verified", allowed=("reported",))
    course.happen(session, incident, "incident.verified", occurred_at=at, by=by.id)


def _dismiss(session: Session, incident: Incident, choice: Choice, by: Standing, at: datetime) -> None:
    incidents.move(incident, "dismissed", allowed=("reported", "verified", "warning"))
    incident.ended_at = at
    course.happen(session, incident, "incident.dismissed", occurred_at=at, by=by.id)
    _close(session, incident, at)


def _activate(session: Session, incident: Incident, choice: Choice, by: Standing, at: datetime) -> None:
    if choice.plan is not None and incident.revision is None:
        revision = plans.in_use(session, choice.plan)
        incident.plan, incident.revision = revision.plan, revision.id
        session.flush()
    if incident.revision is None:
        raise Refused("plan_needed", "请选择要启动的预案。", "Choose the plan to activate.", path="plan")
    course.activate(session, incident, by.id, at)
    if choice.level is not None and choice.scale is not None:
        _level(session, incident, choice, by, at)


def _decline(session: Session, incident: Incident, choice: Choice, by: Standing, at: datetime) -> None:
    proposals.close(session, incident, "activate", "set_aside")
    course.happen(session, incident, "plan.declined", occurred_at=at, by=by.id)


def _level(session: Session, incident: Incident, choice: Choice, by: Standing, at: datetime) -> None:
    plan = plans.rules_of(session, incident.revision)
    scale = next((one for one in plan.scales if one.key == choice.scale), None) if plan else None
    if plan is None or scale is None:
        raise Refused("scale_unknown", "预案中没有这个级别表。", "The plan has no such scale.", path="scale")
    if choice.level not in {one.key for one in scale.levels}:
        raise Refused("level_unknown", "预案中没有这个级别。", "The plan has no such level.", path="level")
    assert choice.level is not None
    proposed = rules.propose_level(plan, scale.key, incidents.known(session, incident, plan))
    differs = proposed is not None and proposed.level.key != choice.level
    before = incident.levels.get(scale.key)
    if not choice.reason and (
        differs or before is not None and rules.is_lowering(plan, scale.key, before, choice.level)
    ):
        raise Refused(
            "reason_needed",
            "下调级别或与建议不同，须填写理由。",
            "Lowering, or differing from the proposal, needs a reason.",
            path="reason",
        )
    course.set_level(session, incident, plan, scale.key, choice.level, by.id, at)


def _fallback(session: Session, incident: Incident, choice: Choice, by: Standing, at: datetime) -> None:
    proposals.close(session, incident, "fallback", "taken")
    course.happen(session, incident, "fallback.decided", occurred_at=at, by=by.id)


def _evacuate(session: Session, incident: Incident, choice: Choice, by: Standing, at: datetime) -> None:
    proposals.close(session, incident, "evacuate", "taken")
    course.happen(session, incident, "evacuation.decided", occurred_at=at, by=by.id)


def _restore(session: Session, incident: Incident, choice: Choice, by: Standing, at: datetime) -> None:
    if "service.restored" not in incidents.occurred(session, incident.id):
        course.happen(session, incident, "service.restored", occurred_at=at, by=by.id)
    if incident.status != "restored":
        incidents.move(incident, "restored", allowed=("reported", "verified", "warning", "activated"))
        incident.restored_at = at
    proposals.close(session, incident, "restore", "taken")


def _resume(session: Session, incident: Incident, choice: Choice, by: Standing, at: datetime) -> None:
    incidents.move(incident, "activated", allowed=("restored",))
    incident.restored_at = None


def _end(session: Session, incident: Incident, choice: Choice, by: Standing, at: datetime) -> None:
    plan = plans.rules_of(session, incident.revision)
    if plan is not None and incident.activated_at is not None and not choice.reason:
        known = incidents.known(session, incident, plan)
        missing = [one for one, met in rules.end_conditions_met(plan, known) if not met]
        if missing or not rules.may_end(plan, known):
            zh = "；".join(one.words.zh for one in missing)
            en = "; ".join(one.words.en for one in missing)
            raise Refused(
                "end_conditions_open",
                f"结束条件未满足：{zh}。如仍要结束，请填写理由。",
                f"End conditions are open: {en}. To end anyway, give a reason.",
                path="reason",
            )
    left = continuity.open_lines(session, incident.id)
    if left and not choice.reason:
        zh, en = "、".join(one.title for one in left), ", ".join(one.title for one in left)
        raise Refused(
            "ledger_open",
            f"补录未清零：{zh}。如仍要结束，请填写理由。",
            f"Still to be entered: {en}. To end anyway, give a reason.",
            path="reason",
        )
    incidents.move(incident, "ended", allowed=incidents.OPEN)
    incident.ended_at = at
    for mode in continuity.on_paper(session, incident.id):
        timeline.record(
            session,
            incident.id,
            "mode_open",
            f"{mode.title['zh']}仍为手工操作",
            f"{mode.title['en']} still works on paper",
        )
    _close(session, incident, at, plan)
    course.happen(session, incident, "response.ended", occurred_at=at, by=by.id)
    reviews.begin(session, incident, plan, at)


def _close(session: Session, incident: Incident, at: datetime, plan: rules.Plan | None = None) -> None:
    """Stop what runs: limits the end meets are met, others cancelled, proposals set aside, alerts end (orders given by
    the end itself come after). What the plan says lasts runs on."""
    lasting = rules.lasting(plan) if plan else frozenset()
    met = {limit.key for limit in rules.limits_ended_by(plan, "response.ended")} if plan else set()
    for limit in limits.running(session, incident.id):
        if limit.key in met:
            limits.end(session, limit, limits.MET, at)
        elif limit.key not in lasting:
            limits.end(session, limit, limits.CANCELLED, at)
    for kind in ("level", "activate", "fallback", "evacuate", "restore", "end", "manual"):
        proposals.close(session, incident, kind, "set_aside")
    alerts.end_all(session, incident.id)


def _limit(session: Session, incident: Incident, choice: Choice) -> limits.Limit:
    limit = (
        session.get(limits.Limit, choice.limit, with_for_update=True, populate_existing=True) if choice.limit else None
    )
    if limit is None or limit.incident != incident.id:
        raise Refused("limit_unknown", "没有这个时限。", "There is no such limit.", path="limit")
    if limit.status not in (limits.RUNNING, limits.PAUSED):
        raise Conflict(
            "limit_over",
            "该时限已结束。",
            "This limit is over.",
            state={"status": limit.status, "fired_at": iso(limit.fired_at)},
        )
    return limit


def _extend_limit(session: Session, incident: Incident, choice: Choice, by: Standing, at: datetime) -> None:
    limit = _limit(session, incident, choice)
    if choice.seconds is None:
        raise Refused("seconds_needed", "请填写延长多久。", "Say for how long.", path="seconds")
    limits.extend(limit, max(1, round(choice.seconds / incident.speed)))


def _pause_limit(session: Session, incident: Incident, choice: Choice, by: Standing, at: datetime) -> None:
    limits.pause(_limit(session, incident, choice))


def _resume_limit(session: Session, incident: Incident, choice: Choice, by: Standing, at: datetime) -> None:
    limits.resume(_limit(session, incident, choice))


def _end_limit(session: Session, incident: Incident, choice: Choice, by: Standing, at: datetime) -> None:
    limits.end(session, _limit(session, incident, choice), limits.CANCELLED, at)


def _stand_down(session: Session, incident: Incident, choice: Choice, by: Standing, at: datetime) -> None:
    if choice.team is None:
        raise Refused("team_needed", "请选择要撤回的组。", "Choose the team.", path="team")
    alerts.end_all(session, incident.id, team=choice.team)
    for limit in limits.running(session, incident.id):
        if limit.owner_team == choice.team and limit.key.startswith("order-"):  # nobody waits for their orders any more
            limits.end(session, limit, limits.CANCELLED, at)


def _revise(session: Session, incident: Incident, choice: Choice, by: Standing, at: datetime) -> None:
    """Let a running incident go on under the plan's newest approved revision; what runs already keeps running."""
    plan = session.get(plans.Plan, incident.plan) if incident.plan else None
    if plan is None or plan.approved is None or plan.approved == incident.revision:
        raise Conflict("no_new_version", "没有更新的已批准版本。", "There is no newer approved version.")
    incident.revision = plan.approved
    incident.version += 1
    session.flush()
    course.reconsider(session, incident)


EFFECTS: dict[str, Callable[[Session, Incident, Choice, Standing, datetime], Any]] = {
    "verify": _verify, "dismiss": _dismiss, "activate": _activate, "decline": _decline, "level": _level,
    "fallback": _fallback, "evacuate": _evacuate, "restore": _restore, "resume": _resume, "end": _end,
    "extend_limit": _extend_limit, "pause_limit": _pause_limit, "resume_limit": _resume_limit, "end_limit": _end_limit,
    "stand_down": _stand_down,
    "revise": _revise,
}  # fmt: skip
LONGEST_EXTENSION = timedelta(days=7)
MAY = {kind: "limit.change" if kind.endswith("_limit") else "incident.decide" for kind in KINDS} | {
    "verify": "incident.verify"
}


def find(session: Session, incident: str, kind: str, by: Standing) -> Incident:
    """The incident, locked, when `by` may take this kind of decision in it."""
    assert MAY[kind] in rights.RULES
    return incidents.find(session, incident, by, MAY[kind], lock=True)
