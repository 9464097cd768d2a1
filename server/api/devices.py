"""Devices over HTTP: push subscriptions, the list of my devices, revoking one, and a test push."""

from datetime import timedelta
from typing import Any

from flask import Response, current_app, g, jsonify, make_response
from marshmallow import fields
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.api import http
from server.api.fields import Body, Text
from server.clock import iso, now
from server.db import new_id
from server.domain import canaries, devices, errors, outbox, people, push_endpoints, rights

blp = http.blueprint("devices")
TESTS_PER_HOUR = 10


class KeysBody(Body):
    """The subscription's public key and secret, base64url."""

    p256dh = Text(200, required=True)
    auth = Text(60, required=True)


class SubscriptionBody(Body):
    """A browser's push subscription."""

    endpoint = fields.Raw(required=True, metadata={"type": "string"})
    keys = fields.Nested(KeysBody, required=True)
    expiration_time = fields.Raw(allow_none=True, metadata={"type": "integer"})
    vapid_public_key = Text(100, required=True)


@blp.route("/devices/<device>/subscription", methods=["PUT"])
@blp.arguments(SubscriptionBody)
@blp.response(200, description="Kept.")
def subscribe(data: dict[str, Any], device: str) -> Response:
    """Keep where this device takes pushes."""
    own = current_app.extensions["tocsin_vapid_public_key"]
    checked = push_endpoints.check_subscription(
        data["endpoint"], data["keys"]["p256dh"], data["keys"]["auth"], hosts=current_app.extensions["tocsin_push_hosts"],
        now=now(), own_public_key=own, expiration_time=data.get("expiration_time"),
    )  # fmt: skip
    if data["vapid_public_key"] != own:
        raise errors.Conflict(
            "vapid_key_changed",
            "推送密钥已更换，正在重新订阅。",
            "The push key has changed; subscribe again.",
            state={"vapid_public_key": own},
        )
    if device != g.device:
        raise errors.NotFound("device_unknown", "没有这台设备。", "There is no such device.")

    def unit(session: Session) -> str:
        mine = devices.own_device(session, g.standing.id, device)
        known = session.scalar(select(devices.Subscription).where(devices.Subscription.device == device))
        if (
            known is not None
            and known.endpoint == checked.endpoint.url
            and known.state == "live"
            and (known.p256dh, known.auth) == (checked.p256dh, checked.auth)
        ):
            return known.id
        made = devices.subscribe(
            session, mine, checked.endpoint.url, checked.endpoint.origin, checked.p256dh, checked.auth, own
        )
        session.flush()
        canaries.ask(session, [made])
        return made.id

    return jsonify({"id": http.write(unit)})


@blp.route("/devices/<device>/subscription", methods=["DELETE"])
@blp.response(204)
def unsubscribe(device: str) -> Response:
    """Forget where this device takes pushes."""
    http.write(lambda session: devices.unsubscribe(session, devices.own_device(session, g.standing.id, device)))
    return make_response("", 204)


@blp.route("/me/devices", methods=["GET"])
@blp.response(200, description="My devices.")
def list_mine() -> Response:
    """My devices, newest first."""

    def query(session: Session) -> list[dict[str, Any]]:
        found = session.scalars(
            select(devices.Device).where(devices.Device.person == g.standing.id, devices.Device.revoked_at.is_(None))
        )
        return [
            {**(one.document(session, "") or {}), "current": one.id == g.device, "created_at": iso(one.created_at)}
            for one in found
        ]

    return jsonify({"devices": sorted(http.read(query), key=lambda one: one["last_seen_at"], reverse=True)})


@blp.route("/devices/<device>", methods=["DELETE"])
@blp.response(204)
def revoke(device: str) -> Response:
    """Shut a lost device out."""

    def unit(session: Session) -> None:
        found = session.get(devices.Device, device, with_for_update=True)
        theirs = people.standing(session, found.person, disabled=True) if found is not None else None
        if found is None or theirs is None or not rights.may_shut_out(g.standing, theirs):
            raise errors.NotFound("device_unknown", "没有这台设备。", "There is no such device.")
        if found.revoked_at is None:
            devices.revoke(session, found)

    http.write(unit)
    return make_response("", 204)


@blp.route("/devices/<device>/test-push", methods=["POST"])
@blp.response(202, description="Queued.")
def test_push(device: str) -> tuple[Response, int]:
    """Send a test push to one of my devices."""

    def unit(session: Session) -> str:
        found = devices.own_device(session, g.standing.id, device)
        subscription = session.scalar(
            select(devices.Subscription).where(
                devices.Subscription.device == found.id, devices.Subscription.state == "live"
            )
        )
        if subscription is None:
            raise errors.Conflict("not_subscribed", "此设备尚未开启推送。", "This device takes no pushes yet.")
        since = now() - timedelta(hours=1)
        count = session.scalar(
            select(func.count()).where(
                outbox.Delivery.person == g.standing.id,
                outbox.Delivery.kind == "test",
                outbox.Delivery.created_at > since,
            )
        )
        if (count or 0) >= TESTS_PER_HOUR:
            raise errors.Throttled(
                "throttled", "测试次数过多，请稍后再试。", "Too many tests, please wait.", retry_after=600
            )
        delivery = outbox.Delivery(
            id=new_id(), channel="push", person=g.standing.id, subject=found.id, subscription=subscription.id, kind="test",
            content={"title": {"zh": "测试推送", "en": "Test push"}, "body": {"zh": "推送正常。", "en": "Pushes arrive."}},
            priority=outbox.NORMAL, state=outbox.PENDING, due_at=now(), expires_at=now() + timedelta(minutes=10), created_at=now(),
        )  # fmt: skip
        session.add(delivery)
        session.flush()
        outbox.wake_senders(session)
        return delivery.id

    return jsonify({"delivery": http.write(unit)}), 202
