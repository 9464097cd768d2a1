"""Alerts over HTTP: answers, receipts, orders by hand, and sightings."""

from datetime import datetime, timedelta
from typing import Any

from flask import Response, current_app, g, make_response, request
from marshmallow import fields, validate
from sqlalchemy.orm import Session

from server.api import http
from server.api.fields import Body, Choice, Fact, Flag, Int, Moment, Text, Uuid
from server.clock import now
from server.config import Config
from server.domain import alerts, answers, errors, facts, incidents, outbox, people, plans, tokens
from server.domain.people import Standing
from server.exports import cap

blp = http.blueprint("alerts")
tokens_blp = http.blueprint("tokens")


class AnswerBody(Fact):
    """An answer; `person` is on whose behalf it is given (by radio)."""

    kind = Choice(*alerts.ANSWERS, required=True)
    eta_minutes = Int(0, 24 * 60)
    reason = Text(500)
    read_back = Text(500)
    person = Uuid()


class ReceiptBody(Fact):
    """That an alert reached the phone or was opened there."""

    kind = Choice("delivered", "opened", required=True)
    channel = Choice("stream", "push", "app")


class QuorumBody(Body):
    """How many of those asked must answer within a time; else the teams in `next` are asked too, one after the other."""

    need = Int(1, 500, required=True)
    within_minutes = Int(1, 24 * 60, required=True)
    next = fields.List(Uuid(), validate=validate.Length(max=5))


class OrderBody(Fact):
    """An order by hand to a team or to people."""

    incident = Uuid(required=True)
    team = Uuid()
    people = fields.List(Uuid(), validate=validate.Length(max=500))
    title = Text(120, least=1, required=True)
    text = Text(2000)
    critical = Flag()
    read_back = Flag()
    due_at = Moment()
    audience = Choice("on_duty", "leaders", "everyone")
    quorum = fields.Nested(QuorumBody)


class AnswerSightingBody(Fact):
    """That command has seen it."""


class TokenAnswerBody(Body):
    """An answer by the one-purpose token of a push."""

    token = Text(2000, least=1, required=True)
    kind = Choice(*alerts.ANSWERS, required=True)
    occurred_at = Moment()
    alert = Uuid()


class TokenReceiptBody(Body):
    """A receipt by the one-purpose token of a push."""

    token = Text(2000, least=1, required=True)
    kind = Choice("delivered", "opened", required=True)
    occurred_at = Moment()


@http.fact(blp, "/alerts/<alert>/answers/<id>", AnswerBody, "Answer an alert")
def answer(session: Session, by: Standing, data: dict[str, Any], at: datetime, alert: str, id: str) -> dict[str, Any]:
    """Answer an alert, for oneself or by radio for somebody else; late ones count too."""
    row = answers.answer(session, id, alert, by, occurred_at=at, **data)
    return {"answer": row.answer, "recipient": row.id}


@http.fact(blp, "/alerts/<alert>/receipts/<id>", ReceiptBody, "Confirm that an alert arrived or was opened")
def receive(session: Session, by: Standing, data: dict[str, Any], at: datetime, alert: str, id: str) -> None:
    """Record a receipt of this person's phone."""
    answers.receive(session, alert, by.id, data["kind"], data.get("channel", "app"), at)


@http.fact(blp, "/deliveries/<delivery>/receipts/<id>", ReceiptBody, "Confirm a push")
def receive_push(session: Session, by: Standing, data: dict[str, Any], at: datetime, delivery: str, id: str) -> None:
    """Record that a push was shown by the service worker."""
    found = session.get(outbox.Delivery, delivery)
    if found is None or found.person != by.id:
        raise errors.NotFound("delivery_unknown", "没有这条消息。", "There is no such delivery.")
    answers.push_arrived(session, found, data["kind"], at)


@http.fact(blp, "/orders/<id>", OrderBody, "Give an order")
def command(session: Session, by: Standing, data: dict[str, Any], at: datetime, id: str) -> dict[str, Any]:
    """Give an order by hand; it goes out as an alert at once."""
    incident = incidents.find(session, data["incident"], by)
    quorum = data.get("quorum")
    enough = (
        answers.Enough(quorum["need"], timedelta(minutes=quorum["within_minutes"]), tuple(quorum.get("next", ())))
        if quorum
        else None
    )
    order = answers.command(
        session, id, incident, by, title=data["title"], text=data.get("text", ""), team=data.get("team"), to=data.get("people", []),
        critical=data.get("critical", False), read_back=data.get("read_back", False), due_at=data.get("due_at"),
        audience=data.get("audience", "on_duty"), occurred_at=at, enough=enough,
    )  # fmt: skip
    return {"alert": order.alert}


@blp.route("/alerts/<alert>/cap", methods=["GET"])
@blp.response(200, content_type="application/cap+xml", description="The alert as a CAP 1.2 message.")
def alert_as_cap(alert: str) -> Response:
    """An alert in the Common Alerting Protocol, for systems outside; that of a drill is an exercise."""

    def query(session: Session) -> bytes:
        unknown = errors.NotFound("alert_unknown", "没有这条告警。", "There is no such alert.")
        found = session.get(alerts.Alert, alert)
        if found is None:
            raise unknown
        incident = incidents.find(session, found.incident, g.standing, "alert.export", unseen=unknown)
        plan = session.get(plans.Plan, incident.plan) if incident.plan else None
        return cap.message(session, found, incident, plan.category if plan else "", request.host.split(":")[0])

    response = Response(http.read(query), content_type="application/cap+xml; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="tocsin-alert-{alert[:8]}.cap.xml"'
    return response


@http.fact(blp, "/recipients/<recipient>/sightings/<id>", AnswerSightingBody, "Say that an answer was seen")
def see_answer(session: Session, by: Standing, data: dict[str, Any], at: datetime, recipient: str, id: str) -> None:
    """Record that command has seen an answer."""
    answers.note_seen(session, recipient, by)


def _open_token(purpose: str, token: str) -> tokens.Grant:
    config: Config = current_app.extensions["tocsin_config"]
    return tokens.read_token(config.secret(), token, purpose, now())


@tokens_blp.route("/tokens/answers/<id>", methods=["PUT", "POST"])
@tokens_blp.arguments(TokenAnswerBody)
@tokens_blp.response(201, description="Answered.")
def answer_by_token(data: dict[str, Any], id: str) -> Response:
    """Answer the one alert a push was about, without a session."""
    grant = _open_token(tokens.ANSWER, data["token"])
    if data.get("alert") not in (None, grant.alert):
        raise errors.Forbidden("token_wrong_alert", "链接与告警不符。", "The link is for another alert.")

    def unit(session: Session) -> None:
        row = session.get(alerts.Recipient, grant.subject)
        if row is None:
            raise errors.NotFound("alert_unknown", "没有这条告警。", "There is no such alert.")
        by = people.standing(session, row.person)
        at = http.when(data.get("occurred_at"))
        path = f"/api/v1/alerts/{grant.alert}/answers/{id}"
        # What the phone's queue would send: the same answer, arriving there later too, is a duplicate and not another fact.
        said = {name: value for name, value in http.body().items() if name not in {"token", "alert"}}
        envelope = facts.Envelope(id, path, said, by.id, None, None, at)
        facts.apply(session, envelope, lambda: _answered(session, id, grant.alert, by, data["kind"], at))

    http.write(unit)
    return make_response({"id": id}, 201)


@tokens_blp.route("/tokens/receipts/<id>", methods=["PUT", "POST"])
@tokens_blp.arguments(TokenReceiptBody)
@tokens_blp.response(201, description="Recorded.")
def receive_by_token(data: dict[str, Any], id: str) -> Response:
    """Confirm the one push this token came with, without a session."""
    grant = _open_token(tokens.RECEIPT, data["token"])

    def unit(session: Session) -> None:
        found = session.get(outbox.Delivery, grant.subject)
        if found is None:
            raise errors.NotFound("delivery_unknown", "没有这条消息。", "There is no such delivery.")
        answers.push_arrived(session, found, data["kind"], http.when(data.get("occurred_at")))

    http.write(unit)
    return make_response({"id": id}, 201)


def _answered(session: Session, id: str, alert: str, by: Standing, kind: str, at: datetime) -> dict[str, Any]:
    row = answers.answer(session, id, alert, by, kind=kind, occurred_at=at)
    return {"id": id, "state": {"answer": row.answer, "recipient": row.id}}
