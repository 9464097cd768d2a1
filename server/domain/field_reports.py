"""Field reports: what people on the spot saw, with photos and position; struck if wrong, never deleted."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Float, ForeignKey, Index, Integer, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.clock import iso, now
from server.db import Id, Key, Model
from server.domain import incidents, places, timeline
from server.domain.errors import Conflict, NotFound, Refused
from server.domain.people import Standing

CHAIN = ("first", "continued", "final")
CHAIN_WORDS = {"first": ("首报", "first"), "continued": ("续报", "continued"), "final": ("终报", "final")}
TYPES: dict[str, tuple[str, str]] = {
    "fault": ("系统故障", "System fault"), "crowd": ("人流拥挤", "Crowding"), "injury": ("人员受伤", "Injury"),
    "fire": ("火情", "Fire"), "leak": ("泄漏", "Leak"), "power": ("停电", "Power cut"), "security": ("治安", "Security"),
    "weather": ("恶劣天气", "Bad weather"), "facility": ("设施损坏", "Damaged facility"), "status": ("现场情况", "Situation"),
    "other": ("其他情况", "Something else"),
}  # fmt: skip
SAY_NOTHING_ALONE = {"status", "other"}
"""Types that mean something only with words, a count or a photo; “fire” is a report by itself."""
MOST_PHOTOS = 20
ABANDONED = timedelta(hours=48)


class Report(Model):
    """A field report; `photos` names the pictures that belong to it, which may arrive later."""

    __tablename__ = "report"
    synced_type = "report"
    id: Mapped[Key]
    incident: Mapped[Id] = mapped_column(ForeignKey("incident.id"))
    chain: Mapped[str] = mapped_column(String(10))
    previous: Mapped[Id | None]
    type: Mapped[str] = mapped_column(String(20))
    place: Mapped[Id | None] = mapped_column(ForeignKey("place.id"))
    lat: Mapped[float | None] = mapped_column(Float)
    lon: Mapped[float | None] = mapped_column(Float)
    accuracy: Mapped[float | None] = mapped_column(Float)
    text: Mapped[str | None]
    counts: Mapped[dict[str, Any]]
    fields: Mapped[dict[str, Any]]
    by: Mapped[Id] = mapped_column(ForeignKey("person.id"))
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime]
    late: Mapped[bool]
    struck_reason: Mapped[str | None]
    struck_by: Mapped[Id | None]
    struck_at: Mapped[datetime | None]
    seen_at: Mapped[datetime | None]
    __table_args__ = (Index(None, "incident", "occurred_at"),)

    def spaces(self, session: Session) -> Iterable[str]:
        """Everybody in the incident sees it."""
        return (f"incident:{self.incident}",)

    def document(self, session: Session, space: str) -> dict[str, Any]:
        """The report as phones keep it; a struck one keeps its place and loses its words."""
        struck = self.struck_at is not None
        position = {"lat": self.lat, "lon": self.lon, "accuracy": self.accuracy} if self.lat is not None else None
        photos = session.scalars(select(Photo).where(Photo.report == self.id).order_by(Photo.position))
        return {
            "id": self.id, "incident": self.incident, "chain": self.chain, "previous": self.previous, "type": self.type,
            "place": self.place, "position": position, "text": None if struck else self.text,
            "counts": self.counts, "fields": {} if struck else self.fields,
            "photos": [] if struck else [photo.brief() for photo in photos], "late": self.late, "by": self.by,
            "struck": {"reason": self.struck_reason, "by": self.struck_by, "at": iso(self.struck_at)} if struck else None,
            "seen_at": iso(self.seen_at), "occurred_at": iso(self.occurred_at), "received_at": iso(self.received_at),
        }  # fmt: skip


class Photo(Model):
    """A picture promised by a report: size in bytes and SHA-256 of what the phone sends; `delivered` once checked."""

    __tablename__ = "photo"
    id: Mapped[Key]
    report: Mapped[Id] = mapped_column(ForeignKey("report.id"))
    incident: Mapped[Id]
    person: Mapped[Id]
    position: Mapped[int] = mapped_column(Integer)
    sha256: Mapped[str] = mapped_column(String(64))
    size: Mapped[int] = mapped_column(Integer)
    mime: Mapped[str] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    reason: Mapped[str | None] = mapped_column(String(60))
    width: Mapped[int | None] = mapped_column(Integer)
    height: Mapped[int | None] = mapped_column(Integer)
    stored: Mapped[str | None] = mapped_column(String(64))
    __table_args__ = (Index(None, "report"),)

    def brief(self) -> dict[str, Any]:
        """The picture as its report shows it."""
        return {
            "id": self.id, "sha256": self.sha256, "size": self.size, "mime": self.mime, "state": self.state,
            "width": self.width, "height": self.height,
        }  # fmt: skip


class Upload(Model):
    """How much of a picture has arrived: `offset` bytes are on disk and will survive a crash."""

    __tablename__ = "upload"
    id: Mapped[Key]
    person: Mapped[Id]
    length: Mapped[int] = mapped_column(Integer)
    sha256: Mapped[str] = mapped_column(String(64))
    offset: Mapped[int] = mapped_column(Integer, default=0)
    state: Mapped[str] = mapped_column(String(10), default="open")
    created_at: Mapped[datetime]
    __table_args__ = (Index(None, "state", "created_at"),)


def file(
    session: Session, id: str, incident: incidents.Incident, by: Standing, *, chain: str, type: str, occurred_at: datetime,
    previous: str | None = None, place: str | None = None, position: dict[str, Any] | None = None, text: str | None = None,
    counts: dict[str, int] | None = None, fields: dict[str, str] | None = None, photos: Sequence[dict[str, Any]] = (),
) -> Report:  # fmt: skip
    """File a report in an incident; one that arrives after its end is kept and marked late."""
    if len(photos) > MOST_PHOTOS:
        raise Refused(
            "too_many_photos",
            f"一份报告最多 {MOST_PHOTOS} 张照片。",
            f"A report holds at most {MOST_PHOTOS} photos.",
            path="photos",
        )
    if previous is not None:
        before = session.get(Report, previous)
        if before is None or before.incident != incident.id:
            raise Refused(
                "previous_unknown", "没有找到上一份报告。", "The report before this one was not found.", path="previous"
            )
    if type in SAY_NOTHING_ALONE and not (text or photos or counts or fields):
        raise Refused("report_empty", "请填写文字、数量或附上照片。", "Add words, a count or a photo.", path="text")
    where = position or {}
    report = Report(
        id=id, incident=incident.id, chain=chain, previous=previous, type=type, place=places.known(session, place),
        lat=where.get("lat"), lon=where.get("lon"), accuracy=where.get("accuracy"), text=text, counts=counts or {},
        fields=fields or {}, by=by.id, occurred_at=occurred_at, received_at=now(), late=incident.status in incidents.CLOSED,
    )  # fmt: skip
    session.add(report)
    session.flush()
    for number, one in enumerate(photos):
        if session.get(Photo, one["id"]) is not None:
            raise Conflict("photo_known", "照片编号已存在。", "This photo id is known already.", path="photos")
        session.add(
            Photo(
                id=one["id"], report=id, incident=incident.id, person=by.id, position=number, sha256=one["sha256"],
                size=one["size"], mime=one["mime"], state="waiting",
            )
        )  # fmt: skip
    zh, en = CHAIN_WORDS[chain]
    tail = f"：{text[:80]}" if text else ""
    timeline.record(
        session, incident.id, "field_report", f"{by.name}现场{zh}{tail}", f"Field report ({en}) by {by.name}{tail.replace('：', ': ')}",
        by=by.id, occurred_at=occurred_at, refs={"report": id, "place": place, "photos": len(photos) or None},
    )  # fmt: skip
    return report


def strike(session: Session, report: Report, reason: str, by: Standing) -> None:
    """Strike a report as wrong; it stays, marked, with the reason."""
    if report.struck_at is not None:
        raise Conflict("struck_already", "该报告已作废。", "This report was struck already.")
    report.struck_reason, report.struck_by, report.struck_at = reason, by.id, now()
    timeline.record(
        session, report.incident, "strike", f"{by.name}作废一份现场报告：{reason}", f"{by.name} struck a field report: {reason}",
        by=by.id, refs={"report": report.id},
    )  # fmt: skip


def photo(session: Session, id: str) -> Photo:
    """A picture. Raises NotFound."""
    found = session.get(Photo, id)
    if found is None:
        raise photo_unknown()
    return found


def photo_unknown() -> NotFound:
    """What is said of a picture that does not exist or may not be known."""
    return NotFound("photo_unknown", "没有这张照片。", "There is no such photo.")


def abandoned_due(session: Session) -> datetime | None:
    """When the oldest unfinished upload counts as abandoned, or None."""
    oldest = session.scalar(
        select(Upload.created_at).where(Upload.state == "open").order_by(Upload.created_at).limit(1)
    )
    return None if oldest is None else oldest + ABANDONED


def forget_abandoned(session: Session, folder: Path) -> int:
    """Remove the pieces of photos whose upload began two days ago and never ended; the phone may begin again.

    The file goes before the row: whoever dies between leaves a row, which this finds again. Returns how many went.
    """
    query = select(Upload).where(Upload.state == "open", Upload.created_at <= now() - ABANDONED)
    gone = list(session.scalars(query.order_by(Upload.created_at).limit(100)))
    for upload in gone:
        (folder / f"{upload.id}.part").unlink(missing_ok=True)
        session.delete(upload)
    return len(gone)
