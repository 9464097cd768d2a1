"""Climbing the ladder: what follows when a step of an alert is due, and what an answer does to the steps."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.clock import now
from server.db import locked
from server.domain import alerts, ladders, orders, people, plans, rolls, rules, steps, timeline, whereabouts
from server.domain.alerts import Alert, Recipient
from server.domain.incidents import Incident
from server.domain.people import Person
from server.domain.steps import Step

MOST_NAMES = 12
UNTIL_CALLED = timedelta(seconds=2)
"""Nobody counts as silent before everybody has been asked."""
BY = {
    "push": ("推送", "push"), "robot": ("群消息", "group chat"), "sms": ("短信", "SMS"), "voice": ("电话", "voice call"),
    "email": ("邮件", "e-mail"), "other": ("其他渠道", "another channel"),
}  # fmt: skip


def climb_due(session: Session, most: int = 20) -> int:
    """Do the steps that are due; returns how many were dealt with."""
    found = steps.claim_due(session, most)
    for step in found:
        follow(session, step)
    return len(found)


def follow(session: Session, step: Step) -> None:
    """Do what a step that has just come due asks for; nothing once its alert is over."""
    incident = session.get(Incident, step.incident, with_for_update=True, populate_existing=True)
    alert = session.get(Alert, step.alert)
    if incident is None or alert is None or alert.status != "open" or alert.expires_at <= now():
        return
    if not rolls.are_called(session, alert.id):
        steps.again(step, now() + UNTIL_CALLED)
    else:
        _DOING[step.kind](session, incident, alert, step)


def _tell(session: Session, incident: Incident, alert: Alert, step: Step) -> None:
    """Tell those again who have not come far enough, and give command the names to call."""
    silent = _silent(session, incident, alert, step.rule["unless"])
    if not silent:
        return
    _remind(session, incident, alert, silent, f"step-{step.number}", step.rule["by"])
    if step.rule.get("call_list"):
        audience = f"{alert.team}:lead" if alert.team else "command"
        refs = {"alert": alert.id, "team": alert.team}
        names = _names(session, [row.person for row in silent])
        timeline.record(
            session, incident.id, "call_list", f"请电话联系：{names['zh']}", f"Call: {names['en']}",
            refs={**refs, "people": [row.person for row in silent]}, audience=audience,
        )  # fmt: skip


def _silent(session: Session, incident: Incident, alert: Alert, unless: str) -> list[Recipient]:
    """Those who have not come so far and may be asked where they are."""
    silent = alerts.silent(session, alert.id, unless)
    kept_out = whereabouts.inside(session, incident, [row.person for row in silent])
    whereabouts.note(session, incident, alert.id, alert.team, kept_out)
    return [row for row in silent if row.person not in kept_out]


def _remind(
    session: Session, incident: Incident, alert: Alert, silent: Sequence[Recipient], kind: str, by: Sequence[str]
) -> None:
    used = alerts.send(session, alert, silent, kind, by)
    if used:
        zh, en = "、".join(BY[one][0] for one in used), ", ".join(BY[one][1] for one in used)
        title = _title(session, alert)
        of = (title["zh"], f" in {title['en']}") if alert.team else ("", "")
        timeline.record(
            session, incident.id, "reminder", f"再次提醒{of[0]}未回应的 {len(silent)} 人（{zh}）",
            f"{len(silent)} silent{of[1]} reminded ({en})", refs={"alert": alert.id, "team": alert.team, "by": used},
            audience="command",
        )  # fmt: skip


def _succeed(session: Session, incident: Incident, alert: Alert, step: Step) -> None:
    """Name who acts while a team's leader is silent or cannot come: the next in line, who is told so, one after the other."""
    assert alert.team is not None
    order: Sequence[str] = step.rule["order"]
    posts = people.members(session, alert.team)
    line = [(person, post) for role in order for person, post in posts if post == role]
    query = select(Recipient.person, Recipient.answer).where(Recipient.alert == alert.id)
    answers = {row.person: row.answer for row in session.execute(query)}
    first = next((place for place, (person, _) in enumerate(line) if person.id in answers), None)
    if first is None or line[first][1] == "member" or _acts(answers[line[first][0].id]):
        return
    told: list[list[str]] = step.rule.get("told", [])
    if told and _acts(_answer_of(session, *told[-1]) or answers.get(told[-1][0])):
        return
    asked = {person for person, _ in told}
    left = [person for person, _ in line[first + 1 :] if person.id not in asked and answers.get(person.id) != "cannot"]
    acting = next((person for person in left if _acts(answers.get(person.id))), None) or next(iter(left), None)
    leader = line[first][0]
    if acting is None:
        if told:
            _nobody_acts(session, incident, alert, step)
        return
    said = {
        "zh": f"组长{leader.name}未回应，由{acting.name}负责",
        "en": f"{leader.name}, the leader, is silent; {acting.name} acts",
    }
    refs = {"alert": alert.id, "team": alert.team, "person": acting.id}
    timeline.record(session, incident.id, "succession", said["zh"], said["en"], refs=refs, audience=alert.team)
    made = alerts.issue(
        session, incident, said, alert.title, to=[acting.id], order=alert.order, critical=True, clause=alert.clause
    )
    steps.again(step, now() + timedelta(seconds=step.rule["after"]), told=[*told, [acting.id, made.id]])


def _nobody_acts(session: Session, incident: Incident, alert: Alert, step: Step) -> None:
    """Ask the leadership group to name somebody; while nobody of it acts on that either, it is reminded of that same question."""
    if step.rule.get("escalated"):
        silent = _silent(session, incident, alert, "answered")
        if silent:
            _remind(session, incident, alert, silent, "again", ["push"])
            steps.again(step, now() + timedelta(seconds=step.rule["after"]))
        return
    title = _title(session, alert)
    said = {"zh": f"{title['zh']}无人负责，请指定", "en": f"Nobody acts for {title['en']}; name somebody"}
    plan = plans.rules_of(session, incident.revision)
    made = alerts.issue_to(
        session, incident, plan, "leadership", said, alert.title, critical=True, clause_=alert.clause
    )
    for succession in (one for issued in made for one in steps.successions(session, issued.id)):
        succession.rule = {**succession.rule, "escalated": True}


def _muster(session: Session, incident: Incident, alert: Alert, step: Step) -> None:
    """Ask the next group when too few have answered in time; without one, tell the leadership group."""
    have, _ = _strength(session, step)
    need = step.rule["need"]
    if have >= need:
        _reached(session, step, have)
        return
    short = {"zh": f"需 {need} 人，仅 {have} 人响应", "en": f"{need} needed, {have} have answered"}
    refs = {"alert": alert.id, "team": alert.team}
    following: list[str] = step.rule["next"]
    if not following:
        timeline.record(
            session,
            incident.id,
            "strength_short",
            f"人手不足：{short['zh']}",
            f"Short of people: {short['en']}",
            refs=refs,
        )
        title = {"zh": f"人手不足：{alert.title['zh']}", "en": f"Short of people: {alert.title['en']}"}
        plan = plans.rules_of(session, incident.revision)
        alerts.issue_to(session, incident, plan, "leadership", title, short, critical=True, clause_=alert.clause)
        return
    team = session.get(people.Team, following[0])
    name = team.title if team else {"zh": "下一组", "en": "the next group"}
    timeline.record(
        session, incident.id, "strength_short", f"{short['zh']}，已通知{name['zh']}",
        f"{short['en']}; {name['en']} is asked", refs={**refs, "next": following[0]},
    )  # fmt: skip
    made = alerts.issue(
        session, incident, alert.title, alert.body, team=following[0], order=alert.order, critical=True,
        read_back=alert.read_back, answers=alert.answers, clause=alert.clause,
    )  # fmt: skip
    within = timedelta(seconds=step.rule["within"])
    steps.again(step, now() + within, next=following[1:], alerts=[*step.rule["alerts"], made.id])


def _arrive(session: Session, incident: Incident, alert: Alert, step: Step) -> None:
    """Tell a team's leaders who said they come and has not reported from the scene; these are not asked again themselves."""
    ladder = _ladder(session, incident, alert)
    reported: list[str] = step.rule.get("told", [])
    late, next_due = [], None
    moving = (
        select(Recipient)
        .where(Recipient.alert == alert.id, Recipient.answer.in_(ladders.MOVING))
        .order_by(Recipient.id)
    )
    for row in session.scalars(moving.execution_options(populate_existing=True)):
        due = _expected(ladder, row)
        if due is None or row.id in reported:
            continue
        if due <= now():
            late.append(row)
        else:
            next_due = due if next_due is None else min(due, next_due)
    if late:
        names = _names(session, [row.person for row in late])
        title = {"zh": f"已回执但未到位：{names['zh']}", "en": f"Answered, not on scene: {names['en']}"}
        refs = {"alert": alert.id, "team": alert.team, "people": [row.person for row in late]}
        audience = f"{alert.team}:lead" if alert.team else "command"
        timeline.record(session, incident.id, "not_arrived", title["zh"], title["en"], refs=refs, audience=audience)
        leads = _leaders(session, alert, {row.person for row in late})
        if leads:
            alerts.issue(
                session, incident, title, alert.title, to=leads, critical=alert.critical, clause=alert.clause,
                answers=("received", "need_help"),
            )  # fmt: skip
    told = [*reported, *(row.id for row in late)]
    if next_due is not None:
        steps.again(step, next_due, told=told)
    else:
        step.rule = {**step.rule, "told": told}


_DOING: dict[str, Callable[[Session, Incident, Alert, Step], None]] = {
    "tell": _tell, "succession": _succeed, "quorum": _muster, "arrival": _arrive,
}  # fmt: skip


def note_answer(session: Session, alert: Any, row: Any, *, counted: bool) -> None:
    """Let the steps know of an answer: a quorum is counted anew, where any is `counted`, a leader who cannot come is succeeded
    at once, and who said they come is expected. `alert` and `row` have the columns of an alert and of its recipient."""
    if counted:
        recount(session, alert)
    if row.answer == "cannot" and alert.team is not None:
        for step in steps.successions(session, alert.id):
            step.due_at = min(step.due_at, now())
    if alert.order is None or "on_scene" not in alert.answers or alert.status != "open":
        return
    if row.answer not in ladders.MOVING:
        return
    incident = session.get(Incident, alert.incident)
    assert incident is not None
    due = _expected(_ladder(session, incident, alert), row)
    if due is None:
        return
    known = session.scalar(select(Step).where(Step.alert == alert.id, Step.kind == "arrival").with_for_update())
    if known is None:
        steps.add(session, alert.incident, alert.id, [("arrival", due, {})])
    elif known.status == steps.DONE or known.status == steps.WAITING and due < known.due_at:
        steps.again(known, due)


def recount(session: Session, alert: Alert) -> None:
    """Count every quorum this alert belongs to anew."""
    for step in steps.quorums(session, alert.incident):
        if alert.id in step.rule["alerts"]:
            _recount(session, step.id)


def push_failed(session: Session, recipients: Sequence[str]) -> None:
    """Do not wait for the receipt of a push that could not be handed over: these people are told by the next channels now."""
    rows = session.scalars(select(Recipient).where(Recipient.id.in_(recipients), Recipient.delivered_at.is_(None)))
    by_alert: dict[str, list[Recipient]] = {}
    for row in rows:
        if row.answered_at is None and row.excused_at is None:
            by_alert.setdefault(row.alert, []).append(row)
    for key, silent in by_alert.items():
        alert = session.get(Alert, key)
        query = select(Step).where(Step.alert == key, Step.kind == "tell", Step.status == steps.WAITING)
        step = next(
            (one for one in session.scalars(query.order_by(Step.number)) if one.rule["unless"] == "delivered"), None
        )
        if alert is None or step is None or alert.status != "open":
            continue
        personal = [channel for channel in step.rule["by"] if channel in ("sms", "voice", "email")]
        used = alerts.send(session, alert, silent, f"step-{step.number}", personal)
        if used:
            zh, en = "、".join(BY[one][0] for one in used), ", ".join(BY[one][1] for one in used)
            timeline.record(
                session, alert.incident, "push_failed", f"推送服务无响应，{len(silent)} 人改用{zh}通知",
                f"A push service does not answer; {len(silent)} are told by {en}",
                refs={"alert": alert.id, "team": alert.team, "by": used}, audience="command",
            )  # fmt: skip


def post_failed(session: Session, incident: str) -> None:
    """Say to command that a group's chat could not be told: the robot does not reach it."""
    timeline.record(
        session, incident, "post_failed", "群消息未能发出，请改用其他方式通知该群", "A post to a group's chat could not be sent; tell the group another way",
        audience="command",
    )  # fmt: skip


def _recount(session: Session, key: str) -> None:
    """Count a quorum under its lock: reached, lost again, or out of reach for those asked so far."""
    step = locked(session, Step, key)
    if step is None or step.status not in (steps.WAITING, steps.MET):
        return
    have, possible = _strength(session, step)
    need = step.rule["need"]
    if step.status == steps.WAITING and have >= need:
        _reached(session, step, have)
    elif step.status == steps.MET and have < need:
        timeline.record(
            session, step.incident, "strength_lost", f"响应人数降至 {have} 人，需 {need} 人，重新通知",
            f"{have} left of {need} needed; more are asked", refs={"alert": step.alert},
        )  # fmt: skip
        steps.again(step, now())
    elif step.status == steps.WAITING and possible < need:
        step.due_at = min(step.due_at, now())


def _reached(session: Session, step: Step, have: int) -> None:
    step.status = steps.MET
    need = step.rule["need"]
    timeline.record(
        session, step.incident, "strength_reached", f"响应人数已达到：{have}/{need}", f"Enough have answered: {have} of {need}",
        refs={"alert": step.alert},
    )  # fmt: skip


def _strength(session: Session, step: Step) -> tuple[int, int]:
    """How many give an answer that counts, and how many still may, over every group asked so far; each person once."""
    counts: dict[str, bool] = {}
    query = select(Recipient.person, Recipient.answer, Recipient.excused_at).where(
        Recipient.alert.in_(step.rule["alerts"])
    )
    for person, answer, excused_at in session.execute(query):
        if answer in step.rule["answers"]:
            counts[person] = True
        elif answer is None and excused_at is None:
            counts.setdefault(person, False)
    for person in rolls.waiting(session, step.rule["alerts"]):
        counts.setdefault(person, False)
    return sum(counts.values()), len(counts)


def _ladder(session: Session, incident: Incident, alert: Alert) -> rules.LadderRule:
    """The ladder the alert climbs: its order's, where the plan gave it one."""
    order = session.get(orders.Order, alert.order) if alert.order else None
    plan = plans.rules_of(session, incident.revision)
    rule = next((one for one in plan.orders if order is not None and one.key == order.key), None) if plan else None
    return ladders.chosen(session, incident, rule.ladder if rule else None)


def _expected(ladder: rules.LadderRule, row: Recipient) -> datetime | None:
    if row.answered_at is None:
        return None
    return ladders.expected(ladder, row.answer, row.answered_at, row.eta_minutes)


def _leaders(session: Session, alert: Alert, late: set[str]) -> list[str]:
    """Who leads the team without being late themselves; the leadership group where nobody is left."""
    posts = people.members(session, alert.team) if alert.team else []
    found = [person.id for person, post in posts if post in people.LEADING and person.id not in late]
    if found:
        return found
    teams = people.teams_of_kind(session, "leadership")
    asked = (person.id for team in teams for person in people.on_duty(session, team.id)[0])
    return [person for person in dict.fromkeys(asked) if person not in late]


def _acts(answer: str | None) -> bool:
    return answer is not None and answer != "cannot"


def _answer_of(session: Session, person: str, alert: str) -> str | None:
    return session.scalar(select(Recipient.answer).where(Recipient.alert == alert, Recipient.person == person))


def _names(session: Session, persons: Sequence[str]) -> dict[str, str]:
    query = select(Person.id, Person.name).where(Person.id.in_(persons[:MOST_NAMES]))
    found = {row.id: row.name for row in session.execute(query)}
    names = [found[one] for one in persons[:MOST_NAMES] if one in found]
    more = len(persons) - len(names)
    zh, en = "、".join(names), ", ".join(names)
    return {"zh": f"{zh}等 {len(persons)} 人", "en": f"{en} and {more} more"} if more > 0 else {"zh": zh, "en": en}


def _title(session: Session, alert: Alert) -> dict[str, Any]:
    team = session.get(people.Team, alert.team) if alert.team else None
    return team.title if team else {"zh": "个人", "en": "individuals"}
