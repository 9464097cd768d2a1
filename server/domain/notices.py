"""Notices: public wording per channel, approved once, published, corrected and withdrawn by an all-clear."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ForeignKey, Index, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.clock import iso, now
from server.db import Id, Key, Model
from server.domain import incidents, people, timeline
from server.domain.errors import Conflict, Forbidden, NotFound, Refused
from server.domain.people import Standing

CHANNELS = ("screen", "poster", "site", "sms", "account", "broadcast", "hotline", "in_person", "internal")


class Notice(Model):
    """Public wording for a channel; drafted by one person, approved by another, then published."""

    __tablename__ = "notice"
    synced_type = "notice"
    id: Mapped[Key]
    incident: Mapped[Id] = mapped_column(ForeignKey("incident.id"))
    key: Mapped[str | None] = mapped_column(String(80))
    channel: Mapped[str] = mapped_column(String(12))
    kind: Mapped[str] = mapped_column(String(12))
    wording: Mapped[dict[str, Any]]
    eta: Mapped[datetime | None]
    previous: Mapped[Id | None]
    state: Mapped[str] = mapped_column(String(10), default="draft")
    by: Mapped[Id | None]
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime]
    approved_by: Mapped[Id | None]
    approved_at: Mapped[datetime | None]
    published_by: Mapped[Id | None]
    published_at: Mapped[datetime | None]
    clause: Mapped[Any | None]
    __table_args__ = (Index(None, "incident"),)

    def spaces(self, session: Session) -> Iterable[str]:
        """Everybody in the incident sees it."""
        return (f"incident:{self.incident}",)

    def document(self, session: Session, space: str) -> dict[str, Any]:
        """The notice as phones keep it."""
        return {
            "id": self.id, "incident": self.incident, "key": self.key, "channel": self.channel, "kind": self.kind,
            "wording": self.wording, "eta": iso(self.eta), "previous": self.previous, "state": self.state, "by": self.by,
            "approved_by": self.approved_by, "approved_at": iso(self.approved_at), "published_by": self.published_by,
            "published_at": iso(self.published_at), "clause": self.clause, "occurred_at": iso(self.occurred_at),
            "received_at": iso(self.received_at),
        }  # fmt: skip


def draft(
    session: Session, id: str, incident: incidents.Incident, by: Standing | None, *, channel: str, kind: str,
    wording: dict[str, str], occurred_at: datetime, eta: datetime | None = None, previous: str | None = None,
    key: str | None = None, clause: Any = None,
) -> Notice:  # fmt: skip
    """Draft a notice; a drill's wording says that it is one."""
    if incident.drill:
        wording = {"zh": f"【演练】{wording['zh']}", "en": f"[DRILL] {wording['en']}"}
    notice = Notice(
        id=id, incident=incident.id, key=key, channel=channel, kind=kind, wording=wording, eta=eta, previous=previous,
        state="draft", by=by.id if by else None, occurred_at=occurred_at, received_at=now(), clause=clause,
    )  # fmt: skip
    session.add(notice)
    if by is None:
        return notice  # the plan's own wording, already announced by the line that it waits for approval
    timeline.record(
        session, incident.id, "notice_draft", f"{by.name}拟定公告：{wording['zh'][:60]}",
        f"Notice drafted by {by.name}: {wording['en'][:60]}", by=by.id, occurred_at=occurred_at, refs={"notice": id},
    )  # fmt: skip
    return notice


def find(session: Session, notice: str) -> Notice:
    """The notice. Raises NotFound."""
    found = session.get(Notice, notice, with_for_update=True)
    if found is None:
        raise unknown()
    return found


def unknown() -> NotFound:
    """What is said of one that does not exist or may not be known."""
    return NotFound("notice_unknown", "没有这份公告。", "There is no such notice.")


def approve(session: Session, notice: Notice, by: Standing, eta: datetime | None = None) -> None:
    """Approve a draft, with the expected time where its words ask for one; the same words are approved on every channel.

    Raises Conflict when it is no draft, Forbidden for its own author, Refused when the time is missing.
    """
    if notice.state != "draft":
        raise Conflict(
            "state_conflict", "该公告已处理。", "This notice was dealt with already.", state={"state": notice.state}
        )
    if notice.by == by.id:
        raise Forbidden("second_person_needed", "须由他人批准。", "Somebody else must approve it.")
    eta = eta or notice.eta
    if eta is None and any("{eta}" in said for said in notice.wording.values()):
        raise Refused("eta_needed", "请填写预计恢复时间。", "Give the time it is expected back.", path="eta")
    zone = ZoneInfo(people.organisation(session).timezone)
    for one in _same_wording(session, notice):
        one.state, one.approved_by, one.approved_at, one.eta = "approved", by.id, now(), eta
        if eta is not None:
            shown = eta.astimezone(zone).strftime("%H:%M")
            one.wording = {language: said.replace("{eta}", shown) for language, said in one.wording.items()}
    timeline.record(
        session,
        notice.incident,
        "notice_approve",
        f"{by.name}批准公告",
        f"{by.name} approved a notice",
        by=by.id,
        refs={"notice": notice.id},
    )


def _same_wording(session: Session, notice: Notice) -> list[Notice]:
    """The drafts with the same words for other channels: wording is approved once."""
    if notice.key is None:
        return [notice]
    query = select(Notice).where(Notice.incident == notice.incident, Notice.key == notice.key, Notice.state == "draft")
    return [one for one in session.scalars(query) if one.wording == notice.wording]


def publish(session: Session, notice: Notice, by: Standing, drill: bool) -> None:
    """Record that an approved notice is out. Raises Conflict when it is not approved; a drill's never leaves the house."""
    if drill and notice.channel != "internal":
        raise Conflict("drill_stays_inside", "演练公告不得对外发布。", "A drill's notice may not leave the house.")
    if notice.state != "approved":
        raise Conflict(
            "not_approved", "公告须先批准。", "The notice must be approved first.", state={"state": notice.state}
        )
    notice.state, notice.published_by, notice.published_at = "published", by.id, now()
    timeline.record(
        session, notice.incident, "notice_publish", f"{by.name}发布公告：{notice.wording['zh'][:60]}",
        f"{by.name} published: {notice.wording['en'][:60]}", by=by.id, refs={"notice": notice.id},
    )  # fmt: skip
