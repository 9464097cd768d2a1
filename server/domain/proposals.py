"""Proposals: what the plan puts to those who decide, each with its reason and clause."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.clock import iso, now
from server.db import Id, Key, Model, new_id
from server.domain import alerts, incidents, plans, rules, timeline
from server.domain.checklists import clause, words
from server.domain.incidents import Incident


class Proposal(Model):
    """Something the plan puts to those who decide: a level, or a decision such as activating; open until taken or set aside."""

    __tablename__ = "proposal"
    synced_type = "proposal"
    id: Mapped[Key]
    incident: Mapped[Id]
    kind: Mapped[str] = mapped_column(String(20))
    scale: Mapped[str | None] = mapped_column(String(80))
    level: Mapped[str | None] = mapped_column(String(80))
    title: Mapped[dict[str, Any]]
    reason: Mapped[dict[str, Any]]
    clause: Mapped[Any | None]
    team: Mapped[Id | None]
    status: Mapped[str] = mapped_column(String(10), default="open")
    made_at: Mapped[datetime]
    __table_args__ = (Index(None, "incident", "status"),)

    def spaces(self, session: Session) -> tuple[str, ...]:
        """Everybody in the incident sees what waits to be decided."""
        return (f"incident:{self.incident}",)

    def document(self, session: Session, space: str) -> dict[str, Any]:
        """The proposal as phones keep it."""
        return {
            "id": self.id, "incident": self.incident, "kind": self.kind, "scale": self.scale, "level": self.level,
            "title": self.title, "reason": self.reason, "clause": self.clause, "team": self.team, "status": self.status,
            "made_at": iso(self.made_at),
        }  # fmt: skip


def ask(
    session: Session, incident: Incident, kind: str, title: dict[str, str], reason: dict[str, str], clause_: Any,
    team: str | None = None, scale: str | None = None, level: str | None = None,
) -> Proposal | None:  # fmt: skip
    """Put a decision to those who decide; None when the same already waits."""
    waiting = select(Proposal).where(Proposal.incident == incident.id, Proposal.status == "open", Proposal.kind == kind)
    for before in session.scalars(waiting):
        if before.scale == scale and before.level == level:
            return None
        if before.scale == scale:
            before.status = "set_aside"
    proposal = Proposal(
        id=new_id(), incident=incident.id, kind=kind, scale=scale, level=level, title=title, reason=reason, clause=clause_,
        team=team, status="open", made_at=now(),
    )  # fmt: skip
    session.add(proposal)
    session.flush()
    timeline.record(
        session, incident.id, "proposal", f"待决策：{title['zh']}（{reason['zh']}）", f"To be decided: {title['en']} ({reason['en']})",
        refs={"proposal": proposal.id},
    )  # fmt: skip
    return proposal


def close(session: Session, incident: Incident, kind: str, status: str, scale: str | None = None) -> None:
    """Mark what waited for this kind of decision as taken or set aside."""
    query = select(Proposal).where(Proposal.incident == incident.id, Proposal.status == "open", Proposal.kind == kind)
    for proposal in session.scalars(query):
        if scale is None or proposal.scale == scale:
            proposal.status = status


def propose_levels(session: Session, incident: Incident, plan: rules.Plan) -> list[rules.Proposal]:
    """Work out each scale anew; what differs from the level set is proposed, once. Returns what was proposed now."""
    fresh: list[rules.Proposal] = []
    if incident.status in incidents.CLOSED:
        return fresh
    known = incidents.known(session, incident, plan)
    for scale in plan.scales:
        found = rules.propose_level(plan, scale.key, known)
        if found is None or incident.levels.get(scale.key) == found.level.key:
            continue
        title = {"zh": f"{scale.title.zh}：{found.level.title.zh}", "en": f"{scale.title.en}: {found.level.title.en}"}
        deciders = plans.teams_for(session, plan, scale.by)
        made = ask(
            session, incident, "level", title, words(found.reason), clause(found.clause), deciders[0] if deciders else None,
            scale.key, found.level.key,
        )  # fmt: skip
        if made is None:
            continue
        fresh.append(found)
        body = {
            "zh": f"{found.level.action.zh}（{found.reason.zh}）",
            "en": f"{found.level.action.en} ({found.reason.en})",
        }
        for key in found.level.route or (scale.by,):
            alerts.issue_to(
                session, incident, plan, key, title, body, critical=found.level.rank <= 2, clause_=clause(found.clause)
            )
    return fresh
