"""Orders: what a team is told to do, by the plan or by a commander."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.clock import iso
from server.db import Id, Key, Model


class Order(Model):
    """One order to one team or to some people; `kind` is plan or manual."""

    __tablename__ = "order"
    synced_type = "order"
    id: Mapped[Key]
    incident: Mapped[Id] = mapped_column(ForeignKey("incident.id"))
    team: Mapped[Id | None] = mapped_column(ForeignKey("team.id"))
    key: Mapped[str | None] = mapped_column(String(80))
    kind: Mapped[str] = mapped_column(String(8))
    title: Mapped[dict[str, Any]]
    text: Mapped[dict[str, Any]]
    critical: Mapped[bool] = mapped_column(Boolean, default=False)
    read_back: Mapped[bool] = mapped_column(Boolean, default=False)
    clause: Mapped[Any | None]
    alert: Mapped[Id | None]
    checklist: Mapped[Id | None]
    by: Mapped[Id | None]
    issued_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    status: Mapped[str] = mapped_column(String(10), default="issued")
    __table_args__ = (Index(None, "incident", "key"),)

    def spaces(self, session: Session) -> Iterable[str]:
        """The team and command see it."""
        found = {f"incident:{self.incident}:command"}
        if self.team:
            found.add(f"incident:{self.incident}:team:{self.team}")
        return found

    def document(self, session: Session, space: str) -> dict[str, Any]:
        """The order as phones keep it."""
        return {
            "id": self.id, "incident": self.incident, "team": self.team, "key": self.key, "kind": self.kind,
            "title": self.title, "text": self.text, "critical": self.critical, "read_back": self.read_back,
            "clause": self.clause, "alert": self.alert, "checklist": self.checklist, "by": self.by,
            "issued_at": iso(self.issued_at), "due_at": iso(self.due_at), "status": self.status,
        }  # fmt: skip
