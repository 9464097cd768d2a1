"""An incident in full swing: one of everything that has an address, made through the API by the people whose job it is."""

from typing import Any

from sqlalchemy import select

from server.clock import iso, now
from server.db import new_id
from server.domain import outbox
from server.domain.alerts import Recipient
from server.domain.devices import Device, subscribe
from server.domain.people import Membership
from tests.cast import CROWD, PLAN_FILES, TICKETING, Stage, as_version
from tests.pictures import jpeg, promise, tus_headers


def full_swing(stage: Stage) -> dict[str, str]:
    """Set the scene and return the id of everything in it by name."""
    ids = {"plan": TICKETING, "supply": stage.cast.supplies["radios"], "place": stage.cast.places["gate"]}
    ids |= {"team": stage.cast.teams["security"], "person": stage.cast.people["security_two"]}
    ids |= {"device": stage.cast.devices["security_two"], "tickets": stage.cast.supplies["paper-tickets"]}
    ids["delivery"] = _subscribed(stage)
    ids["incident"] = ticketing(stage, activate=True)
    ids |= _security(stage, ids["incident"])
    ids |= _paper(stage, ids["incident"])
    ids["ended"] = ticketing(stage, activate=True)
    stage["commander"].fact(f"/incidents/{ids['ended']}/decisions", {"kind": "end", "reason": "误报"})
    ids |= _drills(stage)
    text = as_version(PLAN_FILES[0], 2)
    ids |= {"plan_text": text, "version": "2"}
    stage["commander"].post("/plans", {"text": text}, 201)
    with stage.database.read() as session:
        where = Membership.person == ids["person"]
        ids["membership"] = session.scalar(select(Membership.id).where(where)) or ""
        ids["delivery"] = (
            session.scalar(
                select(outbox.Delivery.id).where(outbox.Delivery.person == stage.cast.people["security_one"]).limit(1)
            )
            or ""
        )
    return ids


def ticketing(stage: Stage, *, activate: bool = False) -> str:
    """An incident of the ticketing system, reported by the visitor centre."""
    incident = new_id()
    stage["visitors_one"].put(f"/incidents/{incident}", {"plan": TICKETING, "title": "闸机无法验票"})
    if activate:
        stage["commander"].fact(f"/incidents/{incident}/decisions", {"kind": "activate"})
    return incident


def _subscribed(stage: Stage) -> str:
    """Let the phone of one of security take pushes, so that there are deliveries."""

    def unit(session: Any) -> None:
        device = session.get(Device, stage.cast.devices["security_one"])
        subscribe(session, device, "https://push.example/1", "https://push.example", b"\4" * 65, b"0" * 16, "key")

    stage.database.write(unit)
    return ""


def _security(stage: Stage, incident: str) -> dict[str, str]:
    phone = stage["security_one"]
    phone.sync()
    order = phone.one("order", key="keep-order", incident=incident)
    listing = phone.one("checklist", key="keep-order", incident=incident)
    item = phone.one("item", checklist=listing["id"], key="exits")["id"]
    with stage.database.read() as session:
        recipient = session.scalar(
            select(Recipient.id).where(Recipient.alert == order["alert"], Recipient.person == phone.person)
        )
    picture = jpeg()
    photo = promise(picture)
    body: dict[str, Any] = {
        "incident": incident,
        "type": "crowd",
        "text": "拥挤",
        "photos": [photo, promise(jpeg(64, 64))],
    }
    report = phone.fact("/reports", body)
    phone.call("POST", "/uploads", headers=tus_headers(photo))
    answer = phone.call(
        "PATCH", f"/uploads/{photo['id']}", data=picture, content_type="application/offset+octet-stream",
        headers={"Tus-Resumable": "1.0.0", "Upload-Offset": "0"},
    )  # fmt: skip
    assert answer.status_code == 204
    waiting = body["photos"][1]
    phone.call("POST", "/uploads", headers=tus_headers(waiting))
    phone.fact(f"/items/{item}/marks", {"value": "not_done"})
    stage["security_lead"].fact("/tallies", {
        "incident": incident, "place": stage.cast.places["gate"], "kind": "in", "count": 12, "window_seconds": 60,
    })  # fmt: skip
    stage["commander"].fact(f"/incidents/{incident}/entries", {"text": "已到场"})
    return {
        "order": order["id"], "alert": order["alert"], "recipient": str(recipient), "item": item, "report": report,
        "photo": photo["id"], "upload": waiting["id"], "checklist": listing["id"],
    }  # fmt: skip


def _paper(stage: Stage, incident: str) -> dict[str, str]:
    office, visitors = stage["office_lead"], stage["visitors_lead"]
    words = {"zh": "请用纸质票", "en": "Paper tickets please"}
    draft = office.fact(f"/incidents/{incident}/notices", {"channel": "internal", "wording": words})
    approved = office.fact(f"/incidents/{incident}/notices", {"channel": "internal", "wording": words})
    stage["commander"].fact(f"/notices/{approved}/approvals")
    request = {"incident": incident, "supply": stage.cast.supplies["radios"], "quantity": 4}
    asked = stage["security_lead"].fact("/requests", {**request, "for_team": stage.cast.teams["security"]})
    sent = stage["security_lead"].fact("/requests", {**request, "for_team": stage.cast.teams["security"]})
    stage["logistics_one"].fact(f"/requests/{sent}/movements", {"kind": "dispatched", "quantity": 4})
    ledger = visitors.fact(f"/incidents/{incident}/back-entries", {"tier": "paper", "title": "售票", "quantity": 9})
    stage["visitors_lead"].fact(f"/incidents/{incident}/modes", {"tier": "paper", "to": "manual"})
    duty = stage["security_lead"].fact("/duties", {
        "person": stage.cast.people["security_one"], "team": stage.cast.teams["security"], "kind": "on", "starts_at": iso(now()),
    })  # fmt: skip
    return {"notice": draft, "approved": approved, "request": asked, "sent": sent, "back_entry": ledger, "duty": duty}


def _drills(stage: Stage) -> dict[str, str]:
    commander = stage["commander"]
    body = {
        "plan": CROWD,
        "title": "大客流演练",
        "scheduled_at": iso(now()),
        "scenario": "入口拥挤",
        "risk_check": "已评估",
        "injects": [{"at_seconds": 600, "key": "crowd.lead-time", "value": 300, "unit": "min"}],
    }
    planned, running, incident = commander.fact("/drills", body), commander.fact("/drills", body), new_id()
    commander.fact(f"/drills/{running}/starts", {"incident": incident})
    commander.fact(f"/incidents/{incident}/decisions", {"kind": "end", "reason": "演练结束"})
    commander.sync()
    inject = commander.one("inject", drill=running)["id"]
    return {"drill": planned, "running": running, "drilled": incident, "inject": inject}
