"""People over HTTP: duty, and the online-only changes of people, teams and posts."""

from datetime import datetime
from typing import Any

from flask import Response, g, jsonify, make_response
from marshmallow import fields
from sqlalchemy import select
from sqlalchemy.orm import Session

from server.api import http, records
from server.api.fields import Body, Choice, Fact, Flag, Int, Mailbox, Moment, Text, Uuid, Words
from server.api.session import hash_password
from server.clock import now
from server.domain import devices, errors, feed, people, reachability, rights, shifts, strength
from server.domain.people import Standing

blp = http.blueprint("people")


class DutyBody(Fact):
    """Somebody goes on or off duty."""

    person = Uuid(required=True)
    team = Uuid(required=True)
    kind = Choice("on", "off", required=True)
    starts_at = Moment(required=True)
    ends_at = Moment(allow_none=True)
    note = Text(300)


class PersonBody(Body):
    """A person's record; a missing password leaves the old one."""

    username = Text(80, least=1, name=True, required=True)
    name = Text(80, least=1, name=True, required=True)
    role = Choice(*people.ROLES, required=True)
    phone = Text(40, name=True, allow_none=True)
    mailbox = Mailbox(allow_none=True)
    locale = Choice("zh", "en", load_default="zh")
    active = Flag(load_default=True)
    password = Text(200, least=10)


class TeamBody(Body):
    """A team's record."""

    kind = Text(40, least=1, required=True)
    title = fields.Nested(Words, required=True)
    rank = Int(0, 1000, load_default=0)
    active = Flag(load_default=True)
    strength = fields.Dict(keys=Choice(*people.POSTS, strength.ANY), values=Int(1, 1000), load_default=dict)


class MembershipBody(Body):
    """A post; `ended` takes it away."""

    person = Uuid(required=True)
    team = Uuid(required=True)
    role = Choice(*people.POSTS, required=True)
    rank = Int(0, 1000, load_default=0)
    ended = Flag(load_default=False)


@http.fact(blp, "/duties/<id>", DutyBody, "Go on or off duty")
def set_duty(session: Session, by: Standing, data: dict[str, Any], at: datetime, id: str) -> None:
    """Put somebody on or off duty."""
    rights.require(by, "duty.set", team=data["team"], own=data["person"] == by.id)
    shifts.change_duty(
        session,
        id,
        data["person"],
        data["team"],
        data["kind"],
        data["starts_at"],
        data.get("ends_at"),
        data.get("note"),
        by,
        at,
    )


@blp.route("/people", methods=["GET"])
@blp.response(200, description="Everybody's record, those who are disabled included.")
def list_people() -> Response:
    """Everybody's record, as those who keep them see it."""
    rights.require(g.standing, "person.change")

    def query(session: Session) -> list[dict[str, Any]]:
        return [
            {
                "id": one.id, "username": one.username, "name": one.name, "role": one.role, "phone": one.phone,
                "mailbox": one.mailbox, "locale": one.locale, "active": one.active,
            }
            for one in session.scalars(select(people.Person).order_by(people.Person.name, people.Person.id))
        ]  # fmt: skip

    return jsonify({"people": http.read(query)})


@blp.route("/people/<person>", methods=["PUT"])
@blp.arguments(PersonBody)
@blp.response(204)
def put_person(data: dict[str, Any], person: str) -> Response:
    """Create or change a person (online only)."""
    rights.require(g.standing, "person.change")
    hashed = hash_password(password) if (password := data.pop("password", None)) else None

    def unit(session: Session) -> None:
        found = session.get(people.Person, person, with_for_update=True)
        taken = session.scalar(select(people.Person.id).where(people.Person.username == data["username"]))
        if taken is not None and taken != person:
            raise errors.Conflict("username_taken", "该用户名已被使用。", "This user name is taken.", path="username")
        if found is None:
            found = people.Person(id=person)
            session.add(found)
        elif person == g.standing.id and (data["role"] != found.role or not data["active"]):
            raise errors.Forbidden("own_role", "不能更改自己的角色。", "You may not change your own role.")
        elif found.role == "admin" and (data["role"] != "admin" or not data["active"]):
            _keep_an_admin(session, person)
        for name, value in data.items():
            setattr(found, name, value)
        if hashed is not None:
            found.password_hash = hashed
        if not found.active or hashed is not None:
            devices.end_sessions(session, person=person)
        session.flush()
        feed.touch(session, people.Contact(found))

    http.write(unit)
    return make_response("", 204)


def _keep_an_admin(session: Session, leaving: str) -> None:
    query = select(people.Person.id).where(
        people.Person.role == "admin", people.Person.active, people.Person.id != leaving
    )
    if session.scalar(query.limit(1)) is None:
        raise errors.Conflict("last_admin", "须保留至少一名管理员。", "At least one admin must remain.")


@blp.route("/teams/<team>", methods=["PUT"])
@blp.arguments(TeamBody)
@blp.response(204)
def put_team(data: dict[str, Any], team: str) -> Response:
    """Create or change a team (online only)."""
    rights.require(g.standing, "team.change")
    http.write(lambda session: records.put(session, people.Team, team, data))
    return make_response("", 204)


@blp.route("/memberships/<membership>", methods=["PUT"])
@blp.arguments(MembershipBody)
@blp.response(204)
def put_membership(data: dict[str, Any], membership: str) -> Response:
    """Give or end a post (online only)."""
    rights.require(g.standing, "team.change")

    def unit(session: Session) -> None:
        if session.get(people.Team, data["team"]) is None:
            raise errors.Refused("team_unknown", "没有这个组。", "There is no such team.", path="team")
        person = session.get(people.Person, data["person"])
        if person is None:
            raise errors.Refused("person_unknown", "没有这位人员。", "There is no such person.", path="person")
        same = select(people.Membership).where(
            people.Membership.person == data["person"],
            people.Membership.team == data["team"],
            people.Membership.id != membership,
        )
        if session.scalar(same) is not None:
            raise errors.Conflict("post_known", "此人已在该组。", "This person is in that team already.", path="person")
        ended = data.pop("ended")
        records.put(session, people.Membership, membership, {**data, "ended_at": now() if ended else None})
        session.flush()
        feed.touch(session, people.Contact(person), *reachability.rows_of(session, person.id))

    http.write(unit)
    return make_response("", 204)
