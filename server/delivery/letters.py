"""Writing the push document of a delivery: the alert in the person's language, with the tokens that answer for it."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from server.clock import iso, now
from server.delivery.outcomes import Message
from server.domain.alerts import WORDS, Alert
from server.domain.outbox import CRITICAL, Claimed
from server.domain.tokens import ANSWER, RECEIPT, make_token

log = structlog.get_logger(__name__)

SHOWN_ACTIONS = 2
"""Browsers show two buttons; more would be cut off anyway."""

_REMINDER = {"zh": "再次提醒：", "en": "Reminder: "}
_DRILL = {"zh": "【演练】", "en": "[Drill] "}
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
    """Turns claimed deliveries into messages; `secret` signs the tokens in them."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def write(self, session: Session, rows: Iterable[Claimed]) -> list[tuple[Claimed, Message]]:
        """One message per row, in the same order. A row whose alert is unknown and that has no text gets none.

        Nor does one that cannot be written at all: it must not keep everybody else's from being sent.
        """
        rows = list(rows)
        wanted = {row.subject for row in rows if not row.content.get("title")}
        alerts = (
            {alert.id: alert for alert in session.scalars(select(Alert).where(Alert.id.in_(wanted)))} if wanted else {}
        )
        sent_at = iso(now())
        subjects: dict[tuple[str, str, str], Subject] = {}
        written = []
        for row in rows:
            alert = alerts.get(row.subject)
            if alert is None and not row.content.get("title"):
                continue
            key = (row.subject, row.locale, row.kind)
            subject = subjects.get(key)
            try:
                if subject is None or row.content:
                    subject = subjects[key] = about(alert, row.content, row.locale, row.kind)
                written.append((row, self._message(row, subject, sent_at)))
            except Exception:
                log.exception("a delivery cannot be written and is parked", delivery=row.id)
        return written

    def _message(self, row: Claimed, subject: Subject, sent_at: str | None) -> Message:
        critical = row.priority == CRITICAL
        told: dict[str, Any] = {
            "delivery": row.id, "alert": subject.alert, "recipient": row.recipient, "incident": subject.incident,
            "person": row.person, "kind": row.kind, "level": subject.level, "drill": subject.drill, "critical": critical,
            "sent_at": sent_at, "expires_at": iso(row.expires_at), "locale": row.locale,
            "receipt_token": make_token(self._secret, RECEIPT, row.id, row.subject, row.expires_at),
        }  # fmt: skip
        if subject.alert and row.recipient:
            told["answer_token"] = make_token(self._secret, ANSWER, row.recipient, row.subject, row.expires_at)
        payload = {
            "web_push": 8030,
            "notification": {
                "title": subject.title, "body": subject.body, "tag": row.subject, "lang": row.locale, "dir": "ltr",
                "navigate": f"/#/alerts/{subject.alert}" if subject.alert else "/#/me", "silent": False,
                "require_interaction": critical, "app_badge": 1, "data": told, "actions": subject.actions,
            },
            "tocsin": told,
        }  # fmt: skip
        return Message(
            delivery=row.id,
            address=_address(row),
            payload=payload,
            topic=row.subject.replace("-", ""),
            expires_at=row.expires_at,
            critical=critical,
            attempt=row.attempt,
        )


def _address(row: Claimed) -> Mapping[str, Any]:
    if row.endpoint is not None:
        return {"endpoint": row.endpoint, "p256dh": row.p256dh, "auth": row.auth}
    # every other channel: a number, a mailbox or the name of a robot, as whoever queued it wrote it
    return dict(row.content.get("address") or {})


def about(alert: Alert | None, content: Mapping[str, Any], locale: str, kind: str) -> Subject:
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
        {"action": answer, "title": WORDS[answer][words], "navigate": f"/#/alerts/{alert.id}?answer={answer}"}
        for answer in alert.answers[:SHOWN_ACTIONS]
    )
    colour = alert.level.get("colour") if isinstance(alert.level, dict) else None
    level = colour if colour in _COLOURS else "none"
    return Subject(title, body, actions, alert.id, alert.incident, level, alert.drill)


def in_language(text: Mapping[str, str], locale: str) -> str:
    """The text in this language, else in the other one."""
    return text.get(locale) or text.get("zh") or text.get("en") or ""
