"""Reviews: the after-action report, drafted from the timeline, with each limit met, late or unmet."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ForeignKey, Index, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.clock import iso, now
from server.db import Id, Key, Model
from server.domain import alerts, course, feed, incidents, limits, people, rules, timeline
from server.domain.errors import Conflict, NotFound, Refused
from server.domain.incidents import Incident
from server.domain.people import Standing
from server.domain.timeline import Entry

SECTIONS = (
    ("course", "经过", "Course of events"), ("cause", "原因", "Cause"), ("impact", "影响", "Impact"),
    ("execution", "处置与执行情况", "Response and execution"), ("lessons", "教训", "Lessons"), ("improvements", "改进措施", "Improvements"),
)  # fmt: skip


class Review(Model):
    """The review of an incident, under the incident's id; a draft until a leader signs it."""

    __tablename__ = "review"
    synced_type = "review"
    id: Mapped[Key]
    incident: Mapped[Id] = mapped_column(ForeignKey("incident.id"))
    due_at: Mapped[datetime | None]
    status: Mapped[str] = mapped_column(String(8), default="draft")
    sections: Mapped[list[Any]]
    outcomes: Mapped[list[Any]]
    figures: Mapped[dict[str, Any]]
    clause: Mapped[Any | None]
    made_at: Mapped[datetime]
    signed_by: Mapped[Id | None]
    signed_at: Mapped[datetime | None]

    def spaces(self, session: Session) -> Iterable[str]:
        """Everybody in the incident reads it."""
        return (f"incident:{self.incident}",)

    def document(self, session: Session, space: str) -> dict[str, Any]:
        """The review as phones keep it."""
        actions = session.scalars(
            select(Action).where(Action.review == self.id).order_by(Action.occurred_at, Action.id)
        )
        return {
            "id": self.id, "incident": self.incident, "due_at": iso(self.due_at), "status": self.status,
            "sections": self.sections, "outcomes": self.outcomes, "figures": self.figures, "clause": self.clause,
            "actions": [action.brief() for action in actions], "made_at": iso(self.made_at), "signed_by": self.signed_by,
            "signed_at": iso(self.signed_at),
        }  # fmt: skip


class Action(Model):
    """Something to be done after the review, tracked to its closure."""

    __tablename__ = "action"
    id: Mapped[Key]
    review: Mapped[Id] = mapped_column(ForeignKey("review.id"))
    title: Mapped[str] = mapped_column(String(300))
    owner: Mapped[Id | None]
    due: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    by: Mapped[Id]
    occurred_at: Mapped[datetime]
    __table_args__ = (Index(None, "review"),)

    def brief(self) -> dict[str, Any]:
        """The action as its review shows it."""
        return {
            "id": self.id,
            "title": self.title,
            "owner": self.owner,
            "due": iso(self.due),
            "done_at": iso(self.done_at),
            "by": self.by,
        }


def begin(session: Session, incident: Incident, plan: rules.Plan | None, at: datetime) -> Review | None:
    """Draft the review from the timeline when the response ends; None when there is one already."""
    if session.get(Review, incident.id) is not None:
        return None
    due = session.scalar(select(limits.Limit).where(limits.Limit.incident == incident.id, limits.Limit.key == "review"))
    rule = plan.review if plan else None
    asked = (
        [(one.key, one.title.zh, one.title.en) for one in rule.sections] if rule and rule.sections else list(SECTIONS)
    )
    if not any(key == "course" for key, _, _ in asked):
        asked.insert(0, SECTIONS[0])
    text = course_text(session, incident)
    review = Review(
        id=incident.id, incident=incident.id, due_at=due.due_at if due else None, status="draft",
        sections=[
            {"key": key, "title": {"zh": zh, "en": en}, "text": text if key == "course" else "", "filled": key == "course"}
            for key, zh, en in asked
        ],
        outcomes=outcomes(session, incident.id, plan), figures=figures(session, incident.id),
        clause=due.clause if due else None, made_at=now(),
    )  # fmt: skip
    session.add(review)
    session.flush()
    timeline.record(
        session, incident.id, "review_draft", "已生成总结报告草稿", "Review draft made", refs={"review": review.id}
    )
    return review


def course_text(session: Session, incident: Incident) -> str:
    """The course of events as lines of Chinese text from the timeline, each with its time in the organisation's zone.

    HH:MM, with the date on a line of another day than the one the incident began on.
    """
    kinds = {
        "report",
        "decision",
        "level",
        "limit_passed",
        "limit_met",
        "phase",
        "mode_manual",
        "mode_normal",
        "fact",
        "supply_received",
    }
    query = select(Entry).where(Entry.incident == incident.id, Entry.kind.in_(kinds)).order_by(Entry.seq)
    pending = [
        one for one in session.info.get("entries", ()) if one["incident"] == incident.id and one["kind"] in kinds
    ]
    lines = [(entry.occurred_at, entry.text["zh"]) for entry in session.scalars(query)]
    lines += [(one["occurred_at"], one["text"]["zh"]) for one in pending]
    zone = ZoneInfo(people.organisation(session).timezone)
    began = incident.started_at.astimezone(zone).date()
    return "\n".join(
        f"{local_time(at.astimezone(zone), began)} {said}" for at, said in sorted(lines, key=lambda line: line[0])
    )


def local_time(at: datetime, began: date) -> str:
    """A moment of an account that began on this day: HH:MM, with its date when that is another one."""
    clock = f"{at:%H:%M}"
    if at.date() == began:
        return clock
    year = f"{at.year}年" if at.year != began.year else ""
    return f"{year}{at.month}月{at.day}日 {clock}"


def outcomes(session: Session, incident: str, plan: rules.Plan | None) -> list[dict[str, Any]]:
    """Each limit's result: met, late (met after it passed) or unmet, with the seconds over or (negative) to spare."""
    found = []
    ends = {rule.key: rule.ends for rule in rules.all_limits(plan)} if plan else {}
    happened = [(one.key, one.occurred_at) for one in incidents.happened(session, incident)]
    for limit in session.scalars(
        select(limits.Limit).where(limits.Limit.incident == incident).order_by(limits.Limit.due_at)
    ):
        if (
            limit.rule.get("kind") != "plan"
            or limit.rule.get("timer")
            or limit.status in (limits.CANCELLED, limits.RUNNING, limits.PAUSED)
        ):
            continue
        result, by = "unmet", None
        if limit.status == limits.MET and limit.ended_at is not None:
            result, by = "met", round((limit.ended_at - limit.due_at).total_seconds())
        elif done := [at for key, at in happened if key in ends.get(limit.key, ()) and at >= limit.started_at]:
            by = round((min(done) - limit.due_at).total_seconds())
            result = "late" if by > 0 else "met"  # done in time and told late, by a phone without a network
        found.append({"limit": limit.id, "key": limit.key, "title": limit.title, "result": result, "by_seconds": by})
    return found


def figures(session: Session, incident: str) -> dict[str, Any]:
    """How many people were asked, answered, and how fast: the median time to answer in seconds."""
    r = alerts.Recipient
    asked = session.scalar(select(func.count()).where(r.incident == incident)) or 0
    query = select(r.answered_at, alerts.Alert.issued_at).join(alerts.Alert, alerts.Alert.id == r.alert)
    times = sorted(
        (row.answered_at - row.issued_at).total_seconds()
        for row in session.execute(query.where(r.incident == incident, r.answered_at.is_not(None)))
    )
    return {
        "asked": asked,
        "answered": len(times),
        "median_answer_seconds": round(times[len(times) // 2]) if times else None,
    }


def find(session: Session, incident: str) -> Review:
    """The review, locked for a change. Raises NotFound."""
    found = session.get(Review, incident, with_for_update=True, populate_existing=True)
    if found is None:
        raise NotFound("review_unknown", "尚无总结报告。", "There is no review yet.")
    return found


def write(session: Session, review: Review, section: str, text: str, by: Standing) -> None:
    """Write a section of a draft. Raises Conflict once it is signed, Refused for an unknown section."""
    if review.status != "draft":
        raise Conflict("review_signed", "报告已签署。", "The review is signed.", state={"status": review.status})
    if section not in {one["key"] for one in review.sections}:
        raise Refused("section_unknown", "没有这一节。", "There is no such section.", path="section")
    review.sections = [
        {**one, "text": text, "filled": bool(text.strip())} if one["key"] == section else one for one in review.sections
    ]
    timeline.record(
        session, review.incident, "review_write", f"{by.name}填写总结报告", f"{by.name} wrote in the review", by=by.id
    )


def act(
    session: Session, id: str, review: Review, by: Standing, *, title: str, owner: str | None, due: datetime | None, done: bool,
    occurred_at: datetime, previous: str | None = None,
) -> Action:  # fmt: skip
    """Add an action, or with `previous` record that one is done."""
    action = session.get(Action, previous) if previous else None
    if action is None:
        action = Action(id=id, review=review.id, title=title, owner=owner, due=due, by=by.id, occurred_at=occurred_at)
        session.add(action)
    if done:
        action.done_at = occurred_at
    session.flush()
    feed.touch(session, review)
    return action


def sign(session: Session, incident: Incident, review: Review, by: Standing) -> None:
    """Sign the review: every section must be filled. The incident is then reviewed."""
    if review.status != "draft":
        raise Conflict("review_signed", "报告已签署。", "The review is signed.", state={"status": review.status})
    empty = [one["title"] for one in review.sections if not one["filled"]]
    if empty:
        raise Refused(
            "sections_open",
            "尚未填写：" + "、".join(one["zh"] for one in empty),
            "Still empty: " + ", ".join(one["en"] for one in empty),
        )
    review.status, review.signed_by, review.signed_at = "signed", by.id, now()
    incidents.move(incident, "reviewed", allowed=("ended",))
    course.happen(session, incident, "review.delivered", by=by.id)
    timeline.record(
        session, incident.id, "review_sign", f"{by.name}签署总结报告", f"{by.name} signed the review", by=by.id
    )
