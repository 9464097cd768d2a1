"""Writing the push document of a delivery: the alert in the person's language, with the tokens that answer for it."""

import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

import orjson
import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from server.clock import iso, now
from server.delivery.outcomes import Document, Message
from server.domain.alerts import WORDS, Alert
from server.domain.canaries import KIND as QUIET
from server.domain.messages import TO_GROUP, TO_ONE
from server.domain.outbox import CRITICAL, Claimed
from server.domain.people import Person
from server.domain.tokens import ANSWER, GROUP, RECEIPT, make_token, token_maker

log = structlog.get_logger(__name__)

SHOWN_ACTIONS = 2
"""Browsers show two buttons; more would be cut off anyway."""

_REMINDER = {"zh": "再次提醒：", "en": "Reminder: "}
_DRILL = {"zh": "【演练】", "en": "[Drill] "}
_MARK = f"~{secrets.token_hex(8)}~"  # stands in no text anybody wrote
_PLACE = re.compile(_MARK.encode() + rb"(\d)")
_COLOURS = frozenset({"red", "orange", "yellow", "blue"})


class Subject(NamedTuple):
    """What is the same in every letter about one alert in one language."""

    title: str
    body: str
    actions: tuple[dict[str, str], ...]
    alert: str | None
    incident: str | None
    level: str
    drill: bool


class Letters:
    """Turns claimed deliveries into messages; `secret` signs the tokens in them, `link` is where the app is."""

    def __init__(self, secret: str, link: str = "") -> None:
        self._secret = secret
        self._link = link

    def write(self, session: Session, rows: Iterable[Claimed]) -> list[tuple[Claimed, Message]]:
        """One message per row, in the same order. A row whose alert is unknown and that has no text gets none.

        Nor does one that cannot be written at all: it must not keep everybody else's from being sent.
        """
        rows = list(rows)
        wanted = {row.subject for row in rows if not row.content.get("title")}
        alerts = (
            {alert.id: alert for alert in session.scalars(select(Alert).where(Alert.id.in_(wanted)))} if wanted else {}
        )
        sent_at, reached = iso(now()), _numbers(session, rows)
        shared: dict[tuple[Any, ...], Callable[[Claimed], bytes]] = {}
        written = []
        for row in rows:
            alert = alerts.get(row.subject)
            if alert is None and not row.content.get("title"):
                continue
            key = (row.channel, row.subject, row.locale, row.kind, row.priority, row.expires_at, row.recipient is None)
            try:
                address = reached.get(row.person or "", {}) if row.channel in TO_ONE else _address(row)
                make = shared.get(key)
                if make is None or row.content:
                    subject = about(alert, row.content, row.locale, row.kind, self._link)
                    make = self._by_itself(subject, sent_at) if row.content else self._by_form(row, subject, sent_at)
                    if not row.content:
                        shared[key] = make
                written.append((row, _message(row, Document(partial(make, row)), address)))
            except Exception:
                log.exception("a delivery cannot be written and is parked", delivery=row.id)
        return written

    def _by_itself(self, subject: Subject, sent_at: str | None) -> Callable[[Claimed], bytes]:
        """Makes a document that no other row shares."""

        def make(row: Claimed) -> bytes:
            receipt = make_token(self._secret, RECEIPT, row.id, row.subject, row.expires_at)
            answer = None
            if subject.alert and row.recipient:
                answer = make_token(self._secret, ANSWER, row.recipient, row.subject, row.expires_at)
            return orjson.dumps(document(row, subject, sent_at, receipt, answer, self._place(row, subject, answer)))

        return make

    def _by_form(self, model: Claimed, subject: Subject, sent_at: str | None) -> Callable[[Claimed], bytes]:
        """Makes the documents of rows that differ in their ids only: the rest is written once, the ids are put between."""
        answers = bool(subject.alert and model.recipient)
        token = _MARK + "4" if answers else None
        known = document(
            model._replace(id=_MARK + "0", recipient=_MARK + "1" if model.recipient else None, person=_MARK + "2"),
            subject, sent_at, _MARK + "3", token, self._place(model, subject, token),
        )  # fmt: skip
        pieces = _PLACE.split(orjson.dumps(known).replace(b"%", b"%%"))
        in_order = itemgetter(*(int(place) for place in pieces[1::2]))
        form: bytes = b"%b".join(pieces[::2])
        receipt_for = token_maker(self._secret, RECEIPT, model.subject, model.expires_at)
        answer_for = token_maker(self._secret, ANSWER, model.subject, model.expires_at)

        def make(row: Claimed) -> bytes:
            recipient = row.recipient or ""
            own = (
                row.id.encode(), recipient.encode(), (row.person or "").encode(), receipt_for(row.id),
                answer_for(recipient) if answers else b"",
            )  # fmt: skip
            return form % tuple(in_order(own))

        return make

    def _place(self, row: Claimed, subject: Subject, answer_token: str | None) -> str:
        """Where a message leads: a push into the app, a text to the page with this person's buttons, a post to a group to
        the page where each finds their own. Opening any of them answers nothing."""
        if row.channel in TO_ONE and answer_token:
            return f"/a/{answer_token}"
        if row.channel in TO_GROUP:
            return f"/g/{make_token(self._secret, GROUP, row.subject, row.subject, row.expires_at)}"
        return self._link + (f"/#/alerts/{subject.alert}" if subject.alert else row.content.get("open", "/#/me"))


def document(
    row: Claimed, subject: Subject, sent_at: str | None, receipt_token: str, answer_token: str | None, place: str
) -> dict[str, Any]:
    """The push document of a delivery; opening it leads to `place`."""
    critical = row.priority == CRITICAL
    told: dict[str, Any] = {
        "delivery": row.id, "alert": subject.alert, "recipient": row.recipient, "incident": subject.incident,
        "person": row.person, "kind": row.kind, "level": subject.level, "drill": subject.drill, "critical": critical,
        "sent_at": sent_at, "expires_at": iso(row.expires_at), "locale": row.locale, "receipt_token": receipt_token,
    }  # fmt: skip
    if answer_token is not None:
        told["answer_token"] = answer_token
    badge = {} if row.kind == QUIET else {"app_badge": 1}
    # Safari shows this form by itself; `mutable` lets our worker show it instead and confirm that it came
    return {
        "web_push": 8030, "mutable": True, **badge,
        "notification": {
            "title": subject.title, "body": subject.body, "tag": row.subject, "lang": row.locale, "dir": "ltr",
            "navigate": place, "silent": row.kind == QUIET, "require_interaction": critical, "data": told,
            "actions": subject.actions, **badge,
        },
        "tocsin": told,
    }  # fmt: skip


def _message(row: Claimed, payload: Document, address: Mapping[str, Any]) -> Message:
    return Message(
        delivery=row.id,
        address=address,
        payload=payload,
        topic=row.subject.replace("-", ""),
        expires_at=row.expires_at,
        critical=row.priority == CRITICAL,
        attempt=row.attempt,
    )


def _numbers(session: Session, rows: Iterable[Claimed]) -> dict[str, dict[str, Any]]:
    """The number and mailbox of those who are written to by them, as they are now."""
    wanted = {row.person for row in rows if row.channel in TO_ONE}
    if not wanted:
        return {}
    query = select(Person.id, Person.phone, Person.mailbox).where(Person.id.in_(wanted))
    return {row.id: {"number": row.phone, "mailbox": row.mailbox} for row in session.execute(query)}


def _address(row: Claimed) -> Mapping[str, Any]:
    if row.endpoint is not None:
        return {"endpoint": row.endpoint, "p256dh": row.p256dh, "auth": row.auth}
    # the name of a robot, as whoever queued it wrote it
    return dict(row.content.get("address") or {})


def about(alert: Alert | None, content: Mapping[str, Any], locale: str, kind: str, link: str = "") -> Subject:
    """The words of an alert, or of the delivery's own content, in one language."""
    title = in_language(content.get("title") or (alert.title if alert else {}), locale)
    body = in_language(content.get("body") or (alert.body if alert else {}), locale)
    if alert is None:
        drill = bool(content.get("drill"))
        title = in_language(_DRILL, locale) + title if drill else title
        return Subject(title, body, (), None, None, "none", drill)
    if kind == "reminder":
        title = in_language(_REMINDER, locale) + title
    if alert.drill:
        title = in_language(_DRILL, locale) + title
    words = 1 if locale == "en" else 0
    actions = tuple(
        {"action": answer, "title": WORDS[answer][words], "navigate": f"{link}/#/alerts/{alert.id}?answer={answer}"}
        for answer in alert.answers[:SHOWN_ACTIONS]
    )
    colour = alert.level.get("colour") if isinstance(alert.level, dict) else None
    level = colour if colour in _COLOURS else "none"
    return Subject(title, body, actions, alert.id, alert.incident, level, alert.drill)


def in_language(text: Mapping[str, str], locale: str) -> str:
    """The text in this language, else in the other one."""
    return text.get(locale) or text.get("zh") or text.get("en") or ""
