"""The organisation's ladder over HTTP: by which steps and channels the silent are reached where the plan says nothing."""

from typing import Any

from flask import Response, g, jsonify, make_response
from marshmallow import fields, validate
from sqlalchemy.orm import Session

from server.api import http
from server.api.fields import Body, Choice, Flag, Int
from server.domain import errors, people, rights
from server.domain.rules import ladders

blp = http.blueprint("ladders")
LONGEST = 24 * 3600
MOST_STEPS = 12


class LadderStepBody(Body):
    """One step: whoever has not come as far as `unless` that many seconds after the alert is told by these channels."""

    after_seconds = Int(0, LONGEST, required=True)
    unless = Choice(*ladders.STAGES, load_default="answered")
    by = fields.List(Choice(*ladders.CHANNELS), load_default=list, validate=validate.Length(max=len(ladders.CHANNELS)))
    deputy = Flag(load_default=False)
    call_list = Flag(load_default=False)


class LadderBody(Body):
    """The whole ladder, in the order of its times; the last two say how long after such an answer one must be on scene."""

    steps = fields.List(fields.Nested(LadderStepBody), required=True, validate=validate.Length(min=1, max=MOST_STEPS))
    after_received_seconds = Int(60, LONGEST, allow_none=True)
    after_on_my_way_seconds = Int(60, LONGEST, allow_none=True)


@blp.route("/organisation/ladder", methods=["GET"])
@blp.response(200, description="The ladder in force, and the channels there are.")
def read_ladder() -> Response:
    """The ladder in force, the system's own where none is set, and which channels are set up."""
    rights.require(g.standing, "settings.change")

    def query(session: Session) -> dict[str, Any]:
        settings = people.settings(session)
        return {
            "ladder": ladders.to_settings(ladders.from_settings(settings.get("ladder"))),
            "own": bool(settings.get("ladder")),
            "channels": ["push", *settings.get("channels", {})],
            "dry_run": bool(settings.get("dry_run")),
        }

    return jsonify(http.read(query))


@blp.route("/organisation/ladder", methods=["PUT"])
@blp.arguments(LadderBody)
@blp.response(204)
def put_ladder(data: dict[str, Any]) -> Response:
    """Set the organisation's ladder (online only); alerts that are out keep the steps they have."""
    rights.require(g.standing, "settings.change")
    times = [one["after_seconds"] for one in data["steps"]]
    if times != sorted(times):
        raise errors.Refused(
            "steps_unordered", "各步须按时间先后排列。", "Steps must stand in the order of their times.", path="steps"
        )
    for number, one in enumerate(data["steps"]):
        if not (one["by"] or one["deputy"] or one["call_list"]):
            raise errors.Refused(
                "step_empty", "这一步没有任何动作。", "This step does nothing.", path=f"steps.{number}.by"
            )
    http.write(lambda session: people.set_setting(session, "ladder", data))
    return make_response("", 204)
