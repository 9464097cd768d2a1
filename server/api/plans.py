"""Plans over HTTP: read, import as text, approve."""

from datetime import datetime
from typing import Any

from flask import Response, g, jsonify, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from server.api import http
from server.api.fields import Body, Fact, Text
from server.clock import iso
from server.domain import errors, plans, rights
from server.domain.people import Standing
from server.planning.compiler import compile_plan
from server.planning.findings import PlanErrors
from server.planning.loader import MAX_BYTES

blp = http.blueprint("plans")


class PlanBody(Body):
    """A plan's text in the plan language."""

    text = Text(MAX_BYTES, least=1, required=True)
    file = Text(200, name=True, load_default="plan.yaml")


class RevisionApprovalBody(Fact):
    """Yes to a revision."""


@blp.route("/plans", methods=["GET"])
@blp.response(200, description="Plans in use; drafts too for those who write them.")
def list_plans() -> Response:
    """Every plan I may read, without its rules."""
    drafts = rights.may(g.standing, "plan.draft")

    def query(session: Session) -> list[dict[str, Any]]:
        found = [
            plan for plan in session.scalars(select(plans.Plan).order_by(plans.Plan.key)) if drafts or plan.approved
        ]
        return [_brief(session, plan) for plan in found]

    return jsonify({"plans": http.read(query)})


@blp.route("/plans/<key>", methods=["GET"])
@blp.response(200, description="A plan with its versions and the text of the one asked for.")
def read_plan(key: str) -> Response:
    """One plan; `?version=` picks a revision, else the one in use."""
    wanted = request.args.get("version")
    if wanted is not None and not (wanted.isascii() and wanted.isdigit() and len(wanted) < 7):
        raise errors.Refused("version_invalid", "版本号有误。", "The version is not valid.", path="version")

    def query(session: Session) -> dict[str, Any]:
        plan = plans.find(session, key)
        drafts = rights.may(g.standing, "plan.draft")
        revisions = list(
            session.scalars(
                select(plans.Revision).where(plans.Revision.plan == plan.id).order_by(plans.Revision.version)
            )
        )
        shown = [one for one in revisions if drafts or one.status != plans.DRAFT]
        picked = next((one for one in shown if str(one.version) == wanted), None) if wanted else None
        picked = picked or (
            None if wanted else next((one for one in shown if one.id == plan.approved), shown[-1] if shown else None)
        )
        if picked is None:
            raise errors.NotFound("plan_unknown", "没有这份预案。", "There is no such plan.")
        return {
            **_brief(session, plan), "text": picked.text, "rules": picked.rules, "version": picked.version,
            "versions": [
                {"version": one.version, "status": one.status, "by": one.by, "created_at": iso(one.created_at),
                 "approved_by": one.approved_by, "approved_at": iso(one.approved_at)}
                for one in shown
            ],
        }  # fmt: skip

    return jsonify(http.read(query))


@blp.route("/plans", methods=["POST"])
@blp.doc(requestBody={"required": True, "content": {"application/json": {"schema": PlanBody}}})
@blp.response(201, description="Kept as a draft; 200 when this version was known.")
def import_plan() -> tuple[Response, int]:
    """Import a plan as a draft revision."""
    rights.require(g.standing, "plan.draft")
    data = PlanBody().load(http.body(http.MOST_BATCH))
    try:
        compiled = compile_plan(data["text"], data["file"])
    except PlanErrors as error:
        return http.problem(
            422, "plan_invalid", "预案文本有误，请按标出的行列修改。", "The plan's text has faults; see the lines named.",
            found=[dict(one.to_json()) for one in error.findings],
        ), 422  # fmt: skip

    def unit(session: Session) -> tuple[dict[str, Any], bool]:
        revision, new = plans.keep(session, compiled, data["text"], g.standing.id)
        return {"key": compiled.key, "version": revision.version, "status": revision.status}, new

    answer, new = http.write(unit)
    return jsonify(answer), 201 if new else 200


@http.fact(blp, "/plans/<key>/revisions/<version>/approvals/<id>", RevisionApprovalBody, "Approve a revision")
def approve_revision(
    session: Session, by: Standing, data: dict[str, Any], at: datetime, key: str, version: str, id: str
) -> dict[str, Any]:
    """Put a revision into use; somebody other than its author must."""
    rights.require(by, "plan.approve")
    plan = plans.find(session, key)
    if not version.isdigit():
        raise errors.NotFound()
    revision = session.scalar(
        select(plans.Revision).where(plans.Revision.plan == plan.id, plans.Revision.version == int(version[:6]))
    )
    if revision is None:
        raise errors.NotFound("revision_unknown", "没有这个版本。", "There is no such version.")
    return {"status": plans.approve(session, revision, by).status}


def _brief(session: Session, plan: plans.Plan) -> dict[str, Any]:
    newest = plans.newest(session, plan.id)
    current = session.get(plans.Revision, plan.approved) if plan.approved else None
    return {
        "id": plan.id, "key": plan.key, "title": plan.title, "category": plan.category, "status": plan.status,
        "version": current.version if current else None, "newest_version": newest.version if newest else None,
    }  # fmt: skip
