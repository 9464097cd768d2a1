"""Plans over HTTP: read, import as text, approve."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, g, jsonify, request
from marshmallow import fields, validate
from sqlalchemy import select
from sqlalchemy.orm import Session

from server.api import http
from server.api.fields import Body, Fact, Moment, Number, Scalar, Text
from server.clock import iso, now
from server.domain import errors, people, plans, rights, rules
from server.domain.people import Standing
from server.exports import paper
from server.exports.phone_list import Group, phone_list
from server.planning import shelf
from server.planning.compiler import compile_plan
from server.planning.findings import PlanErrors
from server.planning.lint import lint_text
from server.planning.loader import MAX_BYTES
from server.planning.simulate import Step, simulate
from server.planning.steps import StepUnfit

blp = http.blueprint("plans")


class PlanBody(Body):
    """A plan's text in the plan language."""

    text = Text(MAX_BYTES, least=1, required=True)
    file = Text(200, name=True, load_default="plan.yaml")


class StepBody(Body):
    """Something told to the simulator: a fact, or a measure with its value, so many seconds after the start."""

    at_seconds = Number(0, 30 * 86400, required=True)
    key = Text(160, least=1, required=True)
    value = Scalar()


class SimulationBody(Body):
    """What to rehearse: a plan by its key (in use or in the library) or as a text, and the steps."""

    plan = Text(80)
    text = Text(MAX_BYTES)
    start = Moment()
    steps = fields.List(fields.Nested(StepBody), required=True, validate=validate.Length(max=200))
    until_seconds = Number(0, 30 * 86400, load_default=5 * 86400)


class ReadingBody(Fact):
    """That it was read."""


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
                {"id": one.id, "version": one.version, "status": one.status, "by": one.by, "created_at": iso(one.created_at),
                 "approved_by": one.approved_by, "approved_at": iso(one.approved_at), "approved_because": one.approved_because}
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


@blp.route("/plans/check", methods=["POST"])
@blp.doc(requestBody={"required": True, "content": {"application/json": {"schema": PlanBody}}})
@blp.response(200, description="What the text gets wrong, and the rules when it compiles.")
def check_plan() -> Response:
    """Compile and lint a text without keeping it, against this organisation's people."""
    rights.require(g.standing, "plan.draft")
    data = PlanBody().load(http.body(http.MOST_BATCH))
    found = lint_text(data["text"], data["file"], http.read(plans.roster))
    try:
        compiled = compile_plan(data["text"], data["file"]).to_json()
    except PlanErrors:
        compiled = None
    return jsonify({"findings": [one.to_json() for one in found], "rules": compiled})


@blp.route("/plans/library", methods=["GET"])
@blp.response(200, description="The plans that come with Tocsin.")
def list_library() -> Response:
    """The library: every plan that comes with Tocsin, whether it is in use here, and the newest version known here."""
    rights.require(g.standing, "plan.see")
    known, newest = http.read(lambda session: (
        {plan.key: plan for plan in session.scalars(select(plans.Plan))}, plans.newest_versions(session)
    ))  # fmt: skip
    return jsonify(
        {
            "plans": [
                {
                    "key": book.plan.key, "file": book.file, "source": book.plan.source, "version": book.plan.version,
                    "title": words(book.plan.title), "category": book.plan.category, "scope": words(book.plan.scope),
                    "variant_of": book.plan.variant_of, "status": known[book.plan.key].status if book.plan.key in known else None,
                    "newest_here": newest.get(book.plan.key),
                }
                for book in shelf.books()
            ]
        }
    )  # fmt: skip


@blp.route("/plans/library/<key>", methods=["GET"])
@blp.response(200, description="One plan of the library with its text and rules.")
def read_library(key: str) -> Response:
    """One plan of the library."""
    rights.require(g.standing, "plan.see")
    book = shelf.find(key)
    if book is None:
        raise errors.NotFound("plan_unknown", "没有这份预案。", "There is no such plan.")
    return jsonify(
        {"key": book.plan.key, "text": book.text, "rules": book.plan.to_json(), "version": book.plan.version}
    )


@blp.route("/plans/simulations", methods=["POST"])
@blp.arguments(SimulationBody)
@blp.response(200, description="Everything that would happen, in order.")
def simulate_plan(data: dict[str, Any]) -> Response:
    """Rehearse a plan with a moved clock: what would happen to whom, and by which clause."""
    rights.require(g.standing, "plan.see")
    plan = _plan_to_rehearse(data)
    steps = [Step(timedelta(seconds=one["at_seconds"]), one["key"], one.get("value", True)) for one in data["steps"]]
    start = data.get("start") or now()
    try:
        found = simulate(plan, steps, start, plan.timezone or "Asia/Shanghai", timedelta(seconds=data["until_seconds"]))
    except StepUnfit as error:
        raise errors.Refused(
            "step_unfit", f"演练步骤与预案不符：{error.zh}", f"A step does not fit the plan: {error.en}", path="steps"
        ) from None
    return jsonify(
        {
            "start": iso(start), "teams": {team.key: words(team.title) for team in plan.teams},
            "happenings": [
                {
                    "at": iso(one.at), "seconds": round((one.at - start).total_seconds(), 3), "kind": one.kind, "rule": one.rule,
                    "to": list(one.to), "words": words(one.words) if one.words else None,
                    "clause": {"ref": one.clause.ref, "words": words(one.clause.words)} if one.clause else None, "due": iso(one.due),
                }
                for one in found
            ],
        }
    )  # fmt: skip


def _plan_to_rehearse(data: dict[str, Any]) -> rules.Plan:
    """The plan named, in use here or in the library, or the text given. Raises NotFound or the text's faults as Refused."""
    if text := data.get("text"):
        try:
            return compile_plan(text)
        except PlanErrors:
            raise errors.Refused(
                "plan_invalid", "预案文本有误，请先检查。", "The plan's text has faults; check it first.", path="text"
            ) from None
    key = data.get("plan") or ""
    known = http.read(lambda session: session.scalar(select(plans.Plan).where(plans.Plan.key == key)))
    if known is not None and known.approved:
        found = http.read(lambda session: plans.rules_of(session, known.approved))
        if found is not None:
            return found
    book = shelf.find(key)
    if book is None:
        raise errors.NotFound("plan_unknown", "没有这份预案。", "There is no such plan.")
    return book.plan


@blp.route("/plans/<key>/pack", methods=["GET"])
@blp.response(200, content_type="text/html", description="The paper pack, to print.")
def paper_pack(key: str) -> Response:
    """The plan as a page to print with its telephone list, `?team=` for one team, `?lang=en` in English."""
    rights.require(g.standing, "plan.see")
    team, lang = request.args.get("team"), "en" if request.args.get("lang") == "en" else "zh"
    plan = _plan_to_rehearse({"plan": key})
    if team is not None and team not in {one.key for one in plan.teams}:
        raise errors.NotFound("team_unknown", "预案中没有这个组。", "The plan has no such team.")

    def gather(session: Session) -> tuple[list[Group], paper.Print]:
        organisation = people.organisation(session)
        at = now().astimezone(ZoneInfo(organisation.timezone))
        name = organisation.name
        about = paper.Print(rules.Words(name.get("zh", ""), name.get("en", "")), f"{at:%Y-%m-%d %H:%M}")
        return phone_list(session, plan, g.standing), about

    groups, about = http.read(gather)
    response = Response(paper.pack(plan, lang, groups, about, team), content_type="text/html; charset=utf-8")
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox allow-modals"
    return response


@http.fact(blp, "/plans/<key>/revisions/<version>/approvals/<id>", RevisionApprovalBody, "Approve a revision")
def approve_revision(
    session: Session, by: Standing, data: dict[str, Any], at: datetime, key: str, version: str, id: str
) -> dict[str, Any]:
    """Put a revision into use; somebody other than its author must."""
    rights.require(by, "plan.approve")
    return {"status": plans.approve(session, plans.revision_of(session, key, version), by).status}


@http.fact(blp, "/plans/<key>/revisions/<version>/readings/<id>", ReadingBody, "Say that a revision was read")
def read_revision(
    session: Session, by: Standing, data: dict[str, Any], at: datetime, key: str, version: str, id: str
) -> None:
    """Record that a person has read a revision."""
    rights.require(by, "plan.see")
    plans.read(session, id, plans.revision_of(session, key, version), by, at)


def words(found: rules.Words) -> dict[str, str]:
    """A text of the plan as {zh, en}."""
    return {"zh": found.zh, "en": found.en}


def _brief(session: Session, plan: plans.Plan) -> dict[str, Any]:
    newest = plans.newest(session, plan.id)
    current = session.get(plans.Revision, plan.approved) if plan.approved else None
    return {
        "id": plan.id, "key": plan.key, "title": plan.title, "category": plan.category, "status": plan.status,
        "version": current.version if current else None, "newest_version": newest.version if newest else None,
    }  # fmt: skip
