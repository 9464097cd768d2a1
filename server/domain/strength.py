"""Strength: how many of a team must be on duty at least, and a warning when a shift falls short of it."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Integer, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.clock import iso, now
from server.db import Id, Key, Model, named_id
from server.domain import outbox, people
from server.domain.people import Duty, Membership, Person, Team

ANY = "any"
"""In place of a post: everybody of the team who is on duty, whatever their post."""
GRACE = timedelta(minutes=10)
"""At a hand-over one leaves before the next has come; a warning goes out when it is still short after this."""
NAMES = {
    "leader": ("组长", "leaders"), "deputy": ("副组长", "deputies"), "member": ("组员", "members"),
    "liaison": ("联络员", "liaisons"), ANY: ("人员", "people"),
}  # fmt: skip


class Shortfall(Model):
    """That a team's shift is, or was last, below its minimum for a post; one row for each team and post."""

    __tablename__ = "shortfall"
    synced_type = "shortfall"
    id: Mapped[Key]
    team: Mapped[Id] = mapped_column(ForeignKey("team.id"))
    post: Mapped[str] = mapped_column(String(12))
    wanted: Mapped[int] = mapped_column(Integer)
    present: Mapped[int] = mapped_column(Integer)
    since: Mapped[datetime]
    warned: Mapped[bool] = mapped_column(Boolean, default=False)
    ended_at: Mapped[datetime | None]

    def spaces(self, session: Session) -> Iterable[str]:
        """Command sees all, leaders their team's."""
        return ("contacts", f"contacts:{self.team}")

    def document(self, session: Session, space: str) -> dict[str, Any] | None:
        """The shortfall as phones keep it; one that is over is taken away."""
        if self.ended_at is not None:
            return None
        return {
            "id": self.id, "team": self.team, "post": self.post, "wanted": self.wanted, "present": self.present,
            "since": iso(self.since),
        }  # fmt: skip


def present(session: Session, at: datetime) -> dict[tuple[str, str], int]:
    """How many people are on duty now for each (team, post), and for (team, any)."""
    latest: dict[tuple[str, str], Duty] = {}
    running = select(Duty).where(Duty.starts_at <= at, Duty.ends_at.is_(None) | (Duty.ends_at > at))
    for duty in session.scalars(running.order_by(Duty.starts_at, Duty.id)):
        latest[duty.team, duty.person] = duty
    posts = (
        select(Membership.team, Membership.person, Membership.role)
        .join(Person, Person.id == Membership.person)
        .where(Membership.ended_at.is_(None), Person.active)
    )
    found: dict[tuple[str, str], int] = {}
    for team, person, role in session.execute(posts):
        held = latest.get((team, person))
        if held is not None and held.kind == "on":
            for post in (role, ANY):
                found[team, post] = found.get((team, post), 0) + 1
    return found


def short(session: Session, at: datetime) -> dict[tuple[str, str], tuple[int, int]]:
    """The (team, post) whose shift is short now, with how many are wanted and how many are there."""
    teams = [one for one in session.scalars(select(Team).where(Team.active)) if one.strength]
    if not teams:
        return {}
    there = present(session, at)
    found = {}
    for team in teams:
        for post, wanted in team.strength.items():
            if there.get((team.id, post), 0) < wanted:
                found[team.id, post] = (wanted, there.get((team.id, post), 0))
    return found


def next_due(session: Session) -> datetime | None:
    """Now when a shortfall begins, changes, ends or is to be told; else None."""
    at = now()
    wrong, over, late = _differences(session, at)
    return at if wrong or over or late else None


def check(session: Session) -> int:
    """Open, change and end shortfalls as the roster is now, and warn of those that last; returns how many changed."""
    at = now()
    wrong, over, late = _differences(session, at)
    for (team, post), (wanted, there) in wrong.items():
        key = named_id(team, post)
        row = session.get(Shortfall, key)
        if row is None:
            row = Shortfall(id=key, team=team, post=post, since=at, warned=False)
            session.add(row)
        elif row.ended_at is not None:
            row.ended_at, row.since, row.warned = None, at, False
        row.wanted, row.present = wanted, there
    for row in over:
        row.ended_at = at
    for row in late:
        row.warned = True
        _warn(session, row, at)
    return len(wrong) + len(over) + len(late)


def _differences(
    session: Session, at: datetime
) -> tuple[dict[tuple[str, str], tuple[int, int]], list[Shortfall], list[Shortfall]]:
    actual = short(session, at)
    rows = {(row.team, row.post): row for row in session.scalars(select(Shortfall).where(Shortfall.ended_at.is_(None)))}
    wrong = {
        key: said for key, said in actual.items() if key not in rows or (rows[key].wanted, rows[key].present) != said
    }
    over = [row for key, row in rows.items() if key not in actual]
    late = [row for key, row in rows.items() if key in actual and not row.warned and row.since <= at - GRACE]
    return wrong, over, late


def _warn(session: Session, row: Shortfall, at: datetime) -> None:
    """Tell the leaders of the team and the commanders by push."""
    team = session.get(Team, row.team)
    if team is None:
        return
    leaders = {person.id for person, post in people.members(session, team.id) if post in people.LEADING}
    commanders = set(session.scalars(select(Person.id).where(Person.role == "commander", Person.active)))
    zh, en = NAMES[row.post]
    content = {
        "title": {"zh": "在岗人数不足", "en": "Too few on duty"},
        "body": {
            "zh": f"{team.title['zh']}：{zh}在岗 {row.present} 人，至少须 {row.wanted} 人。",
            "en": f"{team.title['en']}: {row.present} {en} on duty, {row.wanted} needed at least.",
        },
        "open": "/#/people",
    }
    everybody = sorted(leaders | commanders)
    outbox.enqueue_push(
        session, [(person, None) for person in everybody], row.id, "roster", content, expires_at=at + timedelta(hours=2)
    )
