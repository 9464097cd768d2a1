"""Devices and sign-ins: phones that belong to a person, their push subscription, sessions that can be taken back."""

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import (
    Boolean,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Table,
    bindparam,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.bulk import Given, as_rows
from server.clock import iso, now
from server.db import Database, Id, Instant, Key, Model, new_id
from server.domain.errors import Conflict, Forbidden, Gone, NotFound, Throttled
from server.domain.people import Membership, Person, Standing, Team
from server.statements import Statement

MOST_DEVICES = 10
ENROLMENT_HOURS = 72
TRY_WINDOW = timedelta(minutes=15)
TRIES_PER_NAME = 10
TRIES_PER_ADDRESS = 60


class Device(Model):
    """A browser or installed app somebody signs in with."""

    __tablename__ = "device"
    synced_type = "device"
    id: Mapped[Key]
    person: Mapped[Id] = mapped_column(ForeignKey("person.id"))
    name: Mapped[str] = mapped_column(String(120))
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    last_receipt_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    subscribed: Mapped[bool] = mapped_column(Boolean, default=False)
    __table_args__ = (Index(None, "person"),)

    def spaces(self, session: Session) -> Iterable[str]:
        """A person sees their own devices."""
        return (f"me:{self.person}",)

    def document(self, session: Session, space: str) -> dict[str, Any] | None:
        """The device as phones keep it; a revoked one is taken away."""
        if self.revoked_at is not None:
            return None
        return {
            "id": self.id, "name": self.name, "subscribed": self.subscribed,
            "last_receipt_at": iso(self.last_receipt_at), "last_seen_at": iso(self.last_seen_at),
        }  # fmt: skip


class Subscription(Model):
    """Where a push service takes messages for a device; bound for life to the key it was made with."""

    __tablename__ = "subscription"
    id: Mapped[Key]
    device: Mapped[Id] = mapped_column(ForeignKey("device.id"), unique=True)
    person: Mapped[Id] = mapped_column(ForeignKey("person.id"))
    endpoint: Mapped[str] = mapped_column(String(2048), unique=True)
    origin: Mapped[str] = mapped_column(String(300))
    p256dh: Mapped[bytes] = mapped_column(LargeBinary(65))
    auth: Mapped[bytes] = mapped_column(LargeBinary(16))
    vapid_public_key: Mapped[str] = mapped_column(String(100))
    state: Mapped[str] = mapped_column(String(12), default="live")
    created_at: Mapped[datetime]
    proven_at: Mapped[datetime | None]
    unanswered_since: Mapped[datetime | None]
    """When the first message that a service took and the phone has not confirmed was queued."""
    checked_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    __table_args__ = (Index(None, "person", "state"),)


class SignIn(Model):
    """A session: the phone holds a random token, the server its hash, checked at each request."""

    __tablename__ = "sign_in"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    person: Mapped[Id] = mapped_column(ForeignKey("person.id"))
    device: Mapped[Id] = mapped_column(ForeignKey("device.id"))
    created_at: Mapped[datetime]
    used_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    __table_args__ = (Index(None, "person"), Index(None, "device"))


class Enrolment(Model):
    """A link that signs one person in once."""

    __tablename__ = "enrolment"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    person: Mapped[Id] = mapped_column(ForeignKey("person.id"))
    by: Mapped[Id | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class SignInTry(Model):
    """A sign-in that failed, counted to slow down guessing."""

    __tablename__ = "sign_in_try"
    id: Mapped[Key]
    name: Mapped[str] = mapped_column(String(64))
    address: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime]
    __table_args__ = (Index(None, "name", "at"), Index(None, "address", "at"), Index(None, "at"))


def digest(token: str) -> str:
    """The SHA-256 of a secret, as kept in the database."""
    return hashlib.sha256(token.encode()).hexdigest()


def may_try(session: Session, username: str, address: str) -> None:
    """Raise Throttled when this name or address failed too often in the last 15 minutes."""
    since = now() - TRY_WINDOW
    for column, value, most in (
        (SignInTry.name, digest(username.lower()), TRIES_PER_NAME),
        (SignInTry.address, address[:64], TRIES_PER_ADDRESS),
    ):
        count = session.scalar(select(func.count()).where(column == value, SignInTry.at > since)) or 0
        if count >= most:
            raise Throttled("throttled", "尝试次数过多，请稍后再试。", "Too many tries, please wait.", retry_after=60)


def note_failure(session: Session, username: str, address: str) -> None:
    """Count a failed sign-in and forget those outside the window."""
    session.execute(delete(SignInTry).where(SignInTry.at < now() - TRY_WINDOW))
    session.add(SignInTry(id=new_id(), name=digest(username.lower()), address=address[:64], at=now()))


def sign_in(session: Session, person: Person, device: str, name: str) -> str:
    """Open a session for a person on a device and return its token.

    A device known under another person moves: the other's sessions on it end and its subscription goes.
    """
    at = now()
    found = session.get(Device, device)
    if found is None:
        found = Device(id=device, person=person.id, name=name, created_at=at, last_seen_at=at, subscribed=False)
        session.add(found)
    elif found.revoked_at is not None:
        raise Forbidden("device_revoked", "此设备已被停用。", "This device was revoked.")
    elif found.person != person.id:
        end_sessions(session, device=device)
        unsubscribe(session, found)
        found.person = person.id
    found.last_seen_at, found.name = at, name
    session.flush()
    token = secrets.token_urlsafe(32)
    session.add(SignIn(id=digest(token), person=person.id, device=device, created_at=at, used_at=at))
    return token


def ended_since(session: Session, at: datetime) -> set[str]:
    """The sessions that were ended at or after a moment."""
    return {row.id for row in _ENDED_SINCE.rows(session, since=at)}


def ended_of(session: Session, sessions: Sequence[str]) -> list[str]:
    """Those of these sessions that have ended, or are not known."""
    return [row.id for row in _ENDED_OF.rows(session, rows=as_rows([(one,) for one in sessions]))]


_GIVEN = Given()
_ENDED_SINCE = Statement(select(SignIn.id).where(SignIn.ended_at >= bindparam("since", type_=Instant)))
_ENDED_OF = Statement(
    select(_GIVEN.text(0).label("id"))
    .select_from(_GIVEN.source.outerjoin(SignIn, SignIn.id == _GIVEN.text(0)))
    .where(or_(SignIn.id.is_(None), SignIn.ended_at.is_not(None)))
)


@dataclass(frozen=True)
class SignedIn:
    """A living session: its id, who it is and from which device, and when it was last seen used."""

    id: str
    device: str
    standing: Standing
    used_at: datetime


def signed_in(database: Database, token: str, days: int) -> SignedIn | None:
    """The living session of this token with the person's standing now, or None; read anew at every request.

    Raises Forbidden `device_revoked` for one that ended because its device was revoked.
    """
    found = database.rows(_SIGNED_IN, id=digest(token))
    if not found:
        return None
    first = found[0]
    if first.ended_at is not None or first.used_at < now() - timedelta(days=days):
        if first.revoked_at is not None:
            raise Forbidden(
                "device_revoked", "此设备已被停用，本机数据将清除。", "This device was revoked; its data will be wiped."
            )
        return None
    if not first.active:
        return None
    posts = [row for row in found if row.team is not None]
    standing = Standing(
        first.person,
        first.name,
        first.role,
        {row.team: row.post for row in posts},
        frozenset(row.kind for row in posts),
    )
    return SignedIn(first.id, first.device, standing, first.used_at)


# One statement, worked out once: it runs before every request of everybody.
_SIGNED_IN = Statement(
    select(
        SignIn.id, SignIn.person, SignIn.device, SignIn.used_at, SignIn.ended_at, Device.revoked_at, Person.name,
        Person.role, Person.active, Membership.team, Membership.role.label("post"), Team.kind,
    )
    .join(Person, Person.id == SignIn.person)
    .join(Device, Device.id == SignIn.device)
    .outerjoin(Membership, (Membership.person == SignIn.person) & Membership.ended_at.is_(None))
    .outerjoin(Team, Team.id == Membership.team)
    .where(SignIn.id == bindparam("id"))
)  # fmt: skip


def end_sessions(
    session: Session, *, person: str | None = None, device: str | None = None, keep: str | None = None
) -> None:
    """End the sessions of a person or device, except the one with id `keep`."""
    query = select(SignIn).where(SignIn.ended_at.is_(None))
    if person is not None:
        query = query.where(SignIn.person == person)
    if device is not None:
        query = query.where(SignIn.device == device)
    for found in session.scalars(query):
        if found.id != keep:
            found.ended_at = now()


def subscribe(
    session: Session, device: Device, endpoint: str, origin: str, p256dh: bytes, auth: bytes, vapid_public_key: str
) -> Subscription:
    """Keep where this device takes pushes; an endpoint known elsewhere moves here.

    Raises Conflict `too_many_devices` at the eleventh subscribed device of a person.
    """
    live = select(func.count()).where(
        Subscription.person == device.person, Subscription.state == "live", Subscription.device != device.id
    )
    if (session.scalar(live) or 0) >= MOST_DEVICES:
        raise Conflict("too_many_devices", "每人最多十台设备，请先停用一台。", "Ten devices at most; revoke one first.")
    for other in session.scalars(
        select(Subscription).where((Subscription.endpoint == endpoint) | (Subscription.device == device.id))
    ):
        if other.device != device.id and (moved := session.get(Device, other.device)) is not None:
            moved.subscribed = False
        # not through the mapper: two phones may claim one endpoint at once, and the second finds it gone
        session.execute(delete(Subscription).where(Subscription.id == other.id))
        session.expunge(other)
    session.flush()
    found = Subscription(
        id=new_id(), device=device.id, person=device.person, endpoint=endpoint, origin=origin, p256dh=p256dh, auth=auth,
        vapid_public_key=vapid_public_key, state="live", created_at=now(),
    )  # fmt: skip
    session.add(found)
    device.subscribed = True
    return found


def unsubscribe(session: Session, device: Device) -> None:
    """Forget where this device takes pushes."""
    session.execute(delete(Subscription).where(Subscription.device == device.id))
    device.subscribed = False


def end_subscription(session: Session, subscription: str, state: str) -> None:
    """Send nothing more to a subscription: the push service calls it gone, or its address is not one to speak to.

    The row stays, so that the owner and command can be told why this phone is silent.
    """
    found = session.get(Subscription, subscription)
    if found is None or found.state != "live":
        return
    found.state, found.ended_at = state, now()
    device = session.get(Device, found.device)
    if device is not None:
        device.subscribed = False


def await_receipts(session: Session, queued: Sequence[tuple[str, datetime]]) -> None:
    """A service took messages for these (subscription, when it was queued); whose phone has not been heard of after that,
    owes a receipt."""
    _AWAIT.run(session, rows=as_rows(queued))


_SUBSCRIPTION = cast(Table, Subscription.__table__)
_AWAIT = Statement(
    update(_SUBSCRIPTION)
    .where(
        _SUBSCRIPTION.c.id == _GIVEN.id(0),
        _SUBSCRIPTION.c.unanswered_since.is_(None),
        _SUBSCRIPTION.c.proven_at.is_(None) | (_SUBSCRIPTION.c.proven_at < _GIVEN.number(1)),
    )
    .values(unanswered_since=_GIVEN.number(1))
)


def reinstate(session: Session, subscription: str) -> None:
    """Use a subscription again that was called gone by a service which turned out to call everybody gone."""
    found = session.get(Subscription, subscription)
    if found is None or found.state != "gone":
        return
    found.state, found.ended_at = "live", None
    device = session.get(Device, found.device)
    if device is not None:
        device.subscribed = True


def revoke(session: Session, device: Device) -> None:
    """Shut a lost device out: its sessions end, its pushes stop, its data is wiped at the next contact."""
    device.revoked_at = now()
    end_sessions(session, device=device.id)
    unsubscribe(session, device)


def own_device(session: Session, person: str, device: str) -> Device:
    """The person's device. Raises NotFound for one that is unknown, revoked or somebody else's."""
    found = session.get(Device, device)
    if found is None or found.person != person or found.revoked_at is not None:
        raise NotFound("device_unknown", "没有这台设备。", "There is no such device.")
    return found


def enrol(session: Session, person: Person, by: str | None) -> tuple[str, datetime]:
    """Make a one-time sign-in link for a person; returns its token and when it expires."""
    token, at = secrets.token_urlsafe(24), now()
    expires = at + timedelta(hours=ENROLMENT_HOURS)
    session.add(Enrolment(id=digest(token), person=person.id, by=by, created_at=at, expires_at=expires))
    return token, expires


def use_enrolment(session: Session, token: str) -> Person:
    """The person a one-time link belongs to; the link is used up. Raises Gone when it was used or is too old."""
    found = session.get(Enrolment, digest(token), with_for_update=True)
    if found is None or found.used_at is not None or found.expires_at < now():
        raise Gone(
            "enrolment_used",
            "此登录码已使用或已过期，请向管理员索取新的。",
            "This link was used or has expired; ask for a new one.",
        )
    person = session.get(Person, found.person)
    if person is None or not person.active:
        raise Gone("enrolment_used", "此登录码已失效。", "This link no longer works.")
    found.used_at = now()
    return person
