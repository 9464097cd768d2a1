"""Signing in and out, who I am, and the guards that let nobody else through."""

import secrets
import threading
from datetime import timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import segno
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from flask import Flask, Request, Response, current_app, g, jsonify, make_response, request
from flask.sessions import SecureCookieSession, SessionInterface
from flask_login import LoginManager, UserMixin
from marshmallow import fields
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.http import parse_cookie

from server.api import http
from server.api.fields import Body, Choice, Text, Uuid
from server.clock import iso, now
from server.config import Config
from server.domain import devices, errors, feed, incidents, people, rights
from server.domain.people import Person, Standing

blp = http.blueprint("session")
COOKIE = "tocsin"
# Routes that need no session; a test compares this list with the routes there are.
OPEN = frozenset(
    {
        "session.sign_in", "session.use_enrolment", "tokens.answer_by_token", "tokens.receive_by_token", "health.live",
        "shell.index", "shell.asset", "shell.manifest", "shell.worker",
        "pages.show_alert", "pages.give_answer", "pages.show_group", "pages.find_self",
        "documents.openapi", "documents.page", "documents.problems",
    }
)  # fmt: skip
TOUCH = timedelta(minutes=10)
_hashing = threading.BoundedSemaphore(2)  # one hash takes 64 MB and a quarter of a second


class NoCookieOfFlask(SessionInterface):
    """Flask's own signed cookie is not used: without this it would be looked for in every request."""

    def open_session(self, app: Flask, request: Any) -> SecureCookieSession:
        """An empty one."""
        return SecureCookieSession()

    def save_session(self, app: Flask, session: Any, response: Any) -> None:
        """Nothing is kept."""


class User(UserMixin):  # type: ignore[misc]
    """What flask-login holds for a request: the person's standing and their session."""

    def __init__(self, standing: Standing, device: str, session: str) -> None:
        self.id, self.standing, self.device, self.session = standing.id, standing, device, session


class DeviceBody(Body):
    """The phone that signs in: an id it made and keeps, and a name for people."""

    id = Uuid(required=True)
    name = Text(120, least=1, name=True, required=True)


class SignInBody(Body):
    """A sign-in by password."""

    username = Text(80, least=1, name=True, required=True)
    password = Text(200, least=1, required=True)
    device = fields.Nested(DeviceBody, required=True)


class EnrolmentBody(Body):
    """A sign-in by one-time link."""

    token = Text(200, least=1, required=True)
    device = fields.Nested(DeviceBody, required=True)


class PreferencesBody(Body):
    """How somebody wants to see Tocsin."""

    locale = Choice("zh", "en")
    theme = Choice("system", "light", "dark")


class PasswordBody(Body):
    """A change of password."""

    current = Text(200, least=1, required=True)
    new = Text(200, least=10, required=True)


@lru_cache(maxsize=1)
def hasher() -> PasswordHasher:
    """The argon2id hasher with the library's recommended cost."""
    return PasswordHasher()


def hash_password(password: str) -> str:
    """The argon2id hash of a password, bounded to two at once."""
    with _hashing:
        return hasher().hash(password)


def password_fits(person: Person | None, password: str) -> bool:
    """Whether the password is the person's; takes as long for nobody as for somebody."""
    kept = person.password_hash if person is not None and person.password_hash else None
    known = kept or nobodys_hash()
    with _hashing:
        try:
            hasher().verify(known, password)
        except (VerifyMismatchError, InvalidHashError):
            return False
    return kept is not None


@lru_cache(maxsize=1)
def nobodys_hash() -> str:
    """A hash that no password fits, so that unknown names take as long as known ones."""
    return hash_password(secrets.token_urlsafe())


@blp.route("/sessions", methods=["POST"])
@blp.arguments(SignInBody)
@blp.response(200, description="Signed in; the cookie is set.")
def sign_in(data: dict[str, Any]) -> Response:
    """Sign in with user name and password."""
    address = request.remote_addr or ""
    http.read(lambda session: devices.may_try(session, data["username"], address))
    person = http.read(
        lambda session: session.scalar(select(Person).where(Person.username == data["username"], Person.active))
    )
    if not password_fits(person, data["password"]):
        http.write(lambda session: devices.note_failure(session, data["username"], address))
        raise errors.Unauthenticated("credentials_wrong", "用户名或密码不正确。", "User name or password is wrong.")
    assert person is not None
    return _open(person.id, data["device"])


@blp.route("/sessions/enrolments", methods=["POST"])
@blp.arguments(EnrolmentBody)
@blp.response(200, description="Signed in; the cookie is set.")
def use_enrolment(data: dict[str, Any]) -> Response:
    """Sign in with a one-time link."""
    http.read(lambda session: devices.may_try(session, "enrolment", request.remote_addr or ""))
    try:
        person = http.write(lambda session: devices.use_enrolment(session, data["token"]).id)
    except errors.Gone:
        http.write(lambda session: devices.note_failure(session, "enrolment", request.remote_addr or ""))
        raise
    return _open(person, data["device"])


def _open(person: str, device: dict[str, str]) -> Response:
    def unit(session: Session) -> tuple[str, dict[str, Any]]:
        found = session.get(Person, person)
        assert found is not None
        token = devices.sign_in(session, found, device["id"], device["name"])
        session.flush()
        return token, describe(session, people.standing(session, person), device["id"])

    token, me = http.write(unit)
    response = jsonify(me)
    config: Config = current_app.extensions["tocsin_config"]
    response.set_cookie(
        COOKIE,
        token,
        max_age=config.session_days * 86400,
        httponly=True,
        samesite="Lax",
        secure=config.secure_cookies,
        path="/",
    )
    return response


@blp.route("/sessions/current", methods=["DELETE"])
@blp.response(204)
def sign_out() -> Response:
    """Sign out: the session ends, and this device takes no more pushes."""

    def unit(session: Session) -> None:
        devices.end_sessions(session, device=g.device)
        devices.unsubscribe(session, devices.own_device(session, g.standing.id, g.device))

    http.write(unit)
    response = make_response("", 204)
    response.delete_cookie(COOKIE, path="/")
    return response


@blp.route("/me", methods=["GET"])
@blp.response(200, description="Who I am and what I may read.")
def me() -> Response:
    """Who I am, my posts, this device, and the spaces I may read."""
    return jsonify(http.read(lambda session: describe(session, g.standing, g.device)))


@blp.route("/me/preferences", methods=["PUT"])
@blp.arguments(PreferencesBody)
@blp.response(204)
def prefer(data: dict[str, Any]) -> Response:
    """Keep my language and theme."""

    def unit(session: Session) -> None:
        person = session.get(Person, g.standing.id)
        assert person is not None
        for name, value in data.items():
            setattr(person, name, value)

    http.write(unit)
    return make_response("", 204)


@blp.route("/me/password", methods=["POST"])
@blp.arguments(PasswordBody)
@blp.response(204)
def change_password(data: dict[str, Any]) -> Response:
    """Change my password; every other session of mine ends."""
    person = http.read(lambda session: session.get(Person, g.standing.id))
    http.read(lambda session: devices.may_try(session, g.standing.id, request.remote_addr or ""))
    if not password_fits(person, data["current"]):
        http.write(lambda session: devices.note_failure(session, g.standing.id, request.remote_addr or ""))
        raise errors.Refused("password_wrong", "当前密码不正确。", "The current password is wrong.", path="current")
    hashed = hash_password(data["new"])

    def unit(session: Session) -> None:
        found = session.get(Person, g.standing.id)
        assert found is not None
        found.password_hash = hashed
        devices.end_sessions(session, person=found.id, keep=g.session)

    http.write(unit)
    return make_response("", 204)


@blp.route("/people/<person>/enrolments", methods=["POST"])
@blp.response(201, description="A one-time link as text and QR picture.")
def make_enrolment(person: str) -> tuple[Response, int]:
    """Make a one-time sign-in link for somebody, with its QR code."""

    def unit(session: Session) -> tuple[str, Any]:
        theirs = people.standing(session, person)
        shared = next((team for team in theirs.posts if team in g.standing.leads), None)
        rights.require(g.standing, "person.enrol", team=shared, own=person == g.standing.id)
        if theirs.role == "admin" and g.standing.role != "admin":
            raise errors.Forbidden()
        found = session.get(Person, person)
        assert found is not None
        return devices.enrol(session, found, g.standing.id)

    token, expires = http.write(unit)
    config: Config = current_app.extensions["tocsin_config"]
    url = f"{config.origin}/#/enrol/{token}"
    picture = segno.make(url, error="m").svg_inline(scale=4, border=2)
    return jsonify({"token": token, "url": url, "expires_at": iso(expires), "svg": picture}), 201


def describe(session: Session, standing: Standing, device: str) -> dict[str, Any]:
    """Everything a phone needs to know about who it works for."""
    organisation = people.organisation(session)
    person = session.get(Person, standing.id)
    assert person is not None
    kinds = {
        team.id: team.kind
        for team in session.scalars(select(people.Team).where(people.Team.id.in_(list(standing.posts))))
    }
    mine = session.get(devices.Device, device)
    return {
        "person": {
            "id": person.id, "name": person.name, "username": person.username, "role": person.role, "locale": person.locale,
            "theme": person.theme, "phone": person.phone,
        },
        "organisation": {"id": organisation.id, "name": organisation.name, "timezone": organisation.timezone, "demo": organisation.demo},
        "memberships": [{"team": team, "kind": kinds.get(team), "role": post} for team, post in standing.posts.items()],
        "device": {"id": device, "name": mine.name if mine else "", "subscribed": bool(mine and mine.subscribed)},
        "epoch": feed.epoch(session), "schema": 1, "vapid_public_key": current_app.extensions["tocsin_vapid_public_key"],
        "spaces": incidents.spaces(session, standing), "rights": rights.general(standing),
    }  # fmt: skip


def install(app: Flask, config: Config) -> None:
    """Refuse every request that is neither to an open route nor from a living session of this origin."""
    manager = LoginManager()  # not hung onto the application: it would look at every answer for cookies we do not use
    app.session_interface = NoCookieOfFlask()

    @manager.request_loader
    def load(req: Any) -> User | None:
        tokens = parse_cookie(req.environ).getlist(COOKIE)
        if len(tokens) != 1 or not 20 <= len(tokens[0]) <= 100:
            return None
        found = devices.signed_in(http.database(), tokens[0], config.session_days)
        if found is None:
            return None
        if now() - found.used_at > TOUCH:
            http.write(lambda session: _used(session, found.id))
        return User(found.standing, found.device, found.id)

    @app.before_request
    def guard() -> Response | None:
        asked: Request = request._get_current_object()  # type: ignore[attr-defined]
        if asked.endpoint is None or asked.method in {"OPTIONS", "TRACE"}:
            return None
        if asked.method not in {"GET", "HEAD"}:
            _same_origin(asked)
        if asked.endpoint in OPEN:
            return None
        user = manager._load_user_from_request(asked)
        if user is None:
            raise errors.Unauthenticated(
                "session_ended", "请重新登录，未发出的内容仍保存在本机。", "Please sign in again; unsent work is kept."
            )
        g.standing, g.device, g.session = user.standing, user.device, user.session
        return None


def _used(session: Session, key: str) -> None:
    found = session.get(devices.SignIn, key)
    if found is not None:
        found.used_at = now()
        device = session.get(devices.Device, found.device)
        if device is not None:
            device.last_seen_at = now()


def _same_origin(asked: Request) -> None:
    """Raise Forbidden for a write that a page of another origin could have sent."""
    environ = asked.environ
    site, origin = environ.get("HTTP_SEC_FETCH_SITE"), environ.get("HTTP_ORIGIN")
    strange = site is not None and site not in {"same-origin", "none"}
    strange = strange or origin is not None and urlsplit(origin).netloc != asked.host
    if not strange and environ.get("HTTP_X_TOCSIN") != "1":
        unmarked = site is None and origin is None and asked.cookies.get(COOKIE)
        strange = bool(unmarked) or asked.endpoint not in OPEN
    if strange:
        raise errors.Forbidden("cross_site", "拒绝来自其他网站的请求。", "Requests from other sites are refused.")
