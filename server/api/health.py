"""Health over HTTP: alive, a deep look for operators, and whether limits and deliveries run at all."""

from typing import Any

from flask import Response, g, jsonify
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server import presence
from server.api import http
from server.clock import iso, now
from server.db import Database
from server.domain import facts, limits, outbox, rights

blp = http.blueprint("health")
LATE_SECONDS = 10


@blp.route("/health/live", methods=["GET"])
@blp.response(200, description="The process answers and reads its database.")
def live() -> Response:
    """Alive."""
    http.read(lambda session: session.execute(select(1)).one())
    return jsonify({"status": "ok"})


@blp.route("/health/deep", methods=["GET"])
@blp.response(200, description="What an operator should know.")
def deep() -> Response:
    """Overdue limits, waiting deliveries and refused items."""
    rights.require(g.standing, "health.see")

    silent = worker_silent(http.database())

    def query(session: Session) -> dict[str, Any]:
        waiting = select(func.count()).where(outbox.Delivery.state == outbox.PENDING)
        refused = select(func.count()).where(facts.Fact.outcome == "refused")
        return {
            "status": "worker_silent" if silent else "ok", "next_limit": iso(limits.next_due(session)),
            "waiting_deliveries": session.scalar(waiting), "oldest_waiting": iso(outbox.next_due(session)),
            "refused_items": session.scalar(refused),
        }  # fmt: skip

    return jsonify(http.read(query))


def worker_silent(database: Database) -> bool:
    """Whether nobody fires limits and sends: no worker is there, or something has been due for more than ten seconds."""
    if not presence.anybody(database):
        return True
    with database.read() as session:
        dues = (limits.next_due(session), outbox.next_due(session))
    return any(at is not None and (now() - at).total_seconds() > LATE_SECONDS for at in dues)
