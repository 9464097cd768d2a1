"""Health over HTTP: alive, and a deep look for operators."""

from typing import Any

from flask import Response, g, jsonify
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.api import http
from server.clock import iso, now
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

    def query(session: Session) -> dict[str, Any]:
        due = limits.next_due(session)
        waiting = select(func.count()).where(outbox.Delivery.state == outbox.PENDING)
        refused = select(func.count()).where(facts.Fact.outcome == "refused")
        oldest = session.scalar(select(func.min(outbox.Delivery.due_at)).where(outbox.Delivery.state == outbox.PENDING))
        late = [at for at in (due, oldest) if at is not None and (now() - at).total_seconds() > LATE_SECONDS]
        return {
            "status": "worker_silent" if late else "ok", "next_limit": iso(due), "waiting_deliveries": session.scalar(waiting),
            "oldest_waiting": iso(oldest), "refused_items": session.scalar(refused),
        }  # fmt: skip

    return jsonify(http.read(query))
