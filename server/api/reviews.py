"""Reviews over HTTP: sections, actions, signature, and the document."""

from datetime import datetime
from typing import Any

from flask import Response, g, request
from sqlalchemy.orm import Session

from server.api import http
from server.api.fields import Fact, Flag, Moment, Text, Uuid
from server.domain import errors, incidents, reviews
from server.domain.people import Standing
from server.exports import after_action

blp = http.blueprint("reviews")


class SectionBody(Fact):
    """The text of one section."""

    section = Text(80, least=1, required=True)
    text = Text(20_000, required=True)


class ActionBody(Fact):
    """Something to be done; with `previous` the action it closes."""

    title = Text(300, least=1, required=True)
    owner = Uuid()
    due = Moment()
    done = Flag()
    previous = Uuid()


class SignatureBody(Fact):
    """The signature."""


@http.fact(blp, "/reviews/<review>/sections/<id>", SectionBody, "Write a section of a review")
def write_section(session: Session, by: Standing, data: dict[str, Any], at: datetime, review: str, id: str) -> None:
    """Write a section of a draft."""
    incidents.find(session, review, by, "review.write")
    reviews.write(session, reviews.find(session, review), data["section"], data["text"], by)


@http.fact(blp, "/reviews/<review>/actions/<id>", ActionBody, "Add or close an action of a review")
def act(session: Session, by: Standing, data: dict[str, Any], at: datetime, review: str, id: str) -> None:
    """Add an action, or say that one is done."""
    incidents.find(session, review, by, "review.write")
    reviews.act(
        session, id, reviews.find(session, review), by, title=data["title"], owner=data.get("owner"), due=data.get("due"),
        done=data.get("done", False), occurred_at=at, previous=data.get("previous"),
    )  # fmt: skip


@http.fact(blp, "/reviews/<review>/signatures/<id>", SignatureBody, "Sign a review")
def sign(session: Session, by: Standing, data: dict[str, Any], at: datetime, review: str, id: str) -> dict[str, Any]:
    """Sign a complete review."""
    incident = incidents.find(session, review, by, "review.sign", lock=True)
    reviews.sign(session, incident, reviews.find(session, review), by)
    return {"status": incident.status}


WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@blp.route("/reviews/<review>/document", methods=["GET"])
@blp.response(200, content_type=WORD, description="The review as a Word document.")
def review_document(review: str) -> Response:
    """The after-action document, `?lang=en` in English; an observer gets it once it is signed."""
    language = "en" if request.args.get("lang") == "en" else "zh"

    def query(session: Session) -> bytes:
        incident = incidents.find(session, review, g.standing, "review.export")
        found = session.get(reviews.Review, incident.id)
        if found is None:
            raise errors.NotFound("review_unknown", "尚无总结报告。", "There is no review yet.")
        if not after_action.may_read(incident, found, g.standing.role):
            raise errors.Forbidden(
                "review_unsigned", "报告签发后方可导出。", "The report can be taken once it is signed."
            )
        return after_action.write(session, incident, found, language)

    response = Response(http.read(query), content_type=WORD)
    response.headers["Content-Disposition"] = f'attachment; filename="tocsin-review-{review[:8]}.docx"'
    return response
