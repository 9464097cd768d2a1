"""What people do on their phones: the next fact somebody makes of what their phone shows, chosen by chance."""

from random import Random
from typing import Any

from server.db import new_id

PLANS = ("scenic-ticketing-failure", "scenic-ticketing-failure", "large-crowd", None)
KINDS = (
    "entry",
    "entry",
    "tally",
    "report",
    "report",
    "answer",
    "answer",
    "answer",
    "mark",
    "mark",
    "request",
    "movement",
)
MOVES = ("approved", "dispatched", "in_transit", "received", "returned")
Rows = dict[tuple[str, str, str], dict[str, Any]]
Made = tuple[str, str, dict[str, Any]]


def documents(rows: Rows, kind: str) -> list[dict[str, Any]]:
    """What a phone shows of a type, once each, in the order of their ids."""
    return [doc for _, doc in sorted({id: doc for (_, type, id), doc in rows.items() if type == kind}.items())]


def next_fact(random: Random, rows: Rows, me: dict[str, Any], tag: str) -> Made | None:
    """A fact this person could make now, as (path without id, id, body); None when the choice does not fit.

    `tag` is a text found nowhere else, put into what is written.
    """
    incidents = [one for one in documents(rows, "incident") if one["status"] != "dismissed"]
    id = new_id()
    mine = [one for one in incidents if one["by"] == me["person"]["id"]]
    if not mine and random.random() < 0.15 or len(mine) < 3 and random.random() < 0.01:
        plan = random.choice(PLANS)
        return "/incidents", id, {"title": f"事件 {tag}", **({"plan": plan} if plan else {})}
    if not incidents or not documents(rows, "supply"):
        return None  # nothing to see yet, or just switched on
    incident = random.choice(incidents)
    role = me["person"]["role"]
    if role == "commander" and random.random() < 0.2:
        return _command(random, rows, incident, id, tag)
    if role == "leader" and random.random() < 0.08:
        return f"/incidents/{incident['id']}/facts", id, {"key": "service.restored", "note": tag}
    return _field_fact(random, rows, me, incident, id, tag)


def _command(random: Random, rows: Rows, incident: dict[str, Any], id: str, tag: str) -> Made:
    if random.random() < 0.4:
        kind = random.choice(("activate", "activate", "verify", "decline", "restore"))
        return f"/incidents/{incident['id']}/decisions", id, {"kind": kind, "reason": tag}
    team = random.choice(documents(rows, "team"))
    order = {"incident": incident["id"], "team": team["id"], "title": "请到现场", "text": tag}
    return "/orders", id, order


def _field_fact(
    random: Random, rows: Rows, me: dict[str, Any], incident: dict[str, Any], id: str, tag: str
) -> Made | None:
    kind = random.choice(KINDS)
    if kind == "entry":
        return f"/incidents/{incident['id']}/entries", id, {"text": tag}
    if kind == "tally":
        place = random.choice(documents(rows, "place"))
        how = random.choice(("in", "out", "present"))
        return (
            "/tallies",
            id,
            {"incident": incident["id"], "place": place["id"], "kind": how, "count": random.randint(1, 900)},
        )
    if kind == "report":
        return "/reports", id, {"incident": incident["id"], "type": "status", "text": tag}
    if kind == "answer":
        asked = {doc["alert"] for doc in documents(rows, "recipient") if doc["person"] == me["person"]["id"]}
        alerts = [doc for doc in documents(rows, "alert") if doc["id"] in asked and doc["answers"]]
        if not alerts:
            return None
        alert = random.choice(alerts)
        answer = {"kind": random.choice(alert["answers"]), "read_back": tag, "reason": tag}
        return f"/alerts/{alert['id']}/answers", id, answer
    if kind == "mark":
        items = [doc for doc in documents(rows, "item") if doc["kind"] == "tick"]
        if not items:
            return None
        value = random.choice(("done", "done", "not_done"))
        return f"/items/{random.choice(items)['id']}/marks", id, {"value": value, "note": tag}
    if kind == "request":
        supplies = [doc for doc in documents(rows, "supply") if not doc["serial"]]
        teams = [one["team"] for one in me["memberships"]] or [team["id"] for team in documents(rows, "team")]
        supply = random.choice(supplies)["id"]
        wanted = {"incident": incident["id"], "supply": supply, "quantity": random.randint(1, 3), "note": tag}
        return "/requests", id, {**wanted, "for_team": random.choice(teams)}
    requests = documents(rows, "request")
    if not requests:
        return None
    return f"/requests/{random.choice(requests)['id']}/movements", id, {"kind": random.choice(MOVES), "note": tag}
