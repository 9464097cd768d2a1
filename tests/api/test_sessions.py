"""Signing in and out: guessing is slowed down, what has ended stays ended, and no other site writes in our name."""

from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from server.clock import clock
from server.db import new_id
from tests.cast import PASSWORD, Phone, Stage


def signing(username: str, password: str = PASSWORD, device: str | None = None) -> dict[str, Any]:
    """The body of a sign-in, on a phone of its own unless one is named."""
    return {"username": username, "password": password, "device": {"id": device or new_id(), "name": "phone"}}


def cookie_of(phone: Phone) -> str:
    """The token the phone's browser holds."""
    held = phone.client.get_cookie("tocsin")
    assert held is not None
    return held.value


def bearer(stage: Stage, token: str) -> Phone:
    """Somebody who captured a token and sends it from elsewhere."""
    return Phone(stage.app, "bearer", new_id(), new_id(), token)


def test_a_sign_in_sets_a_cookie_no_script_reads_and_no_other_site_sends(stage: Stage) -> None:
    phone = stage.anonymous()
    answer = phone.call("POST", "/sessions", signing("it_one"))
    assert answer.status_code == 200
    assert answer.get_json()["person"]["username"] == "it_one"
    name, _, rest = answer.headers["Set-Cookie"].partition("=")
    flags = {part.strip().partition("=")[0]: part.strip().partition("=")[2] for part in rest.split(";")[1:]}
    assert (name, flags["SameSite"], flags["Path"], flags["HttpOnly"]) == ("tocsin", "Lax", "/", "")
    assert "Domain" not in flags
    assert phone.get("/me")["person"]["id"] == stage.cast.people["it_one"]
    assert cookie_of(phone) not in answer.get_data(as_text=True)


@pytest.mark.parametrize("name", ["it_one", "nobody-of-that-name", "leaver"])
def test_a_wrong_password_an_unknown_name_and_a_disabled_person_look_alike(stage: Stage, name: str) -> None:
    given = PASSWORD if name == "leaver" else "not the password"
    answer = stage.anonymous().call("POST", "/sessions", signing(name, given))
    assert (answer.status_code, answer.get_json()["code"]) == (401, "credentials_wrong")
    assert "Set-Cookie" not in answer.headers


def test_guessing_is_throttled_by_name_and_allowed_again_later(stage: Stage) -> None:
    guesser = stage.anonymous()
    for number in range(10):
        guesser.post("/sessions", signing("it_one" if number % 2 else "IT_ONE", f"guess {number}"), 401)
    answer = guesser.call("POST", "/sessions", signing("it_one"))
    assert (answer.status_code, answer.get_json()["code"]) == (429, "throttled")
    assert int(answer.headers["Retry-After"]) > 0
    stage.anonymous().post("/sessions", signing("it_lead"))  # somebody else is not held up
    clock.move(timedelta(minutes=16).total_seconds())
    guesser.post("/sessions", signing("it_one"))


def test_the_current_password_is_not_guessed_without_end_either(stage: Stage) -> None:
    phone = stage["it_one"]
    for number in range(10):
        phone.post("/me/password", {"current": f"guess {number}", "new": "quite another one"}, 422)
    answer = phone.call("POST", "/me/password", {"current": PASSWORD, "new": "quite another one"})
    assert (answer.status_code, answer.get_json()["code"]) == (429, "throttled")
    stage.anonymous().post("/sessions", signing("it_one"))


def test_signing_out_kills_a_captured_cookie(stage: Stage) -> None:
    phone = stage.anonymous()
    phone.post("/sessions", signing("it_one"))
    captured = bearer(stage, cookie_of(phone))
    assert captured.get("/me")["person"]["username"] == "it_one"
    assert phone.call("DELETE", "/sessions/current").status_code == 204
    assert phone.client.get_cookie("tocsin") is None
    assert captured.get("/me", 401)["code"] == "session_ended"
    captured.put(f"/incidents/{new_id()}", {"title": "冒烟"}, 401)
    stage["it_one"].get("/me")  # their other phone goes on


def test_a_changed_password_ends_every_other_session(stage: Stage) -> None:
    phone, other = stage.anonymous(), stage["it_one"]
    phone.post("/sessions", signing("it_one"))
    answer = phone.call("POST", "/me/password", {"current": "wrong", "new": "quite another one"})
    assert (answer.status_code, answer.get_json()["errors"][0]["path"]) == (422, "current")
    other.get("/me")
    phone.post("/me/password", {"current": PASSWORD, "new": "quite another one"}, 204)
    other.get("/me", 401)
    phone.get("/me")
    stage.anonymous().post("/sessions", signing("it_one"), 401)
    stage.anonymous().post("/sessions", signing("it_one", "quite another one"))


def test_a_password_the_admin_sets_ends_every_session(stage: Stage) -> None:
    record = next(one for one in stage["admin"].get("/people")["people"] if one["username"] == "it_one")
    id = record.pop("id")
    stage["it_one"].get("/me")
    stage["admin"].put(f"/people/{id}", {**record, "password": "set by the admin"}, 204)
    stage["it_one"].get("/me", 401)
    stage.anonymous().post("/sessions", signing("it_one", "set by the admin"))


def test_an_enrolment_link_works_once_and_not_for_ever(stage: Stage) -> None:
    person = stage.cast.people["security_one"]
    link, late = (stage["security_lead"].post(f"/people/{person}/enrolments", {}, 201) for _ in range(2))
    assert link["url"].endswith(f"/#/enrol/{link['token']}")
    assert link["svg"].startswith("<svg")
    body = {"token": link["token"], "device": {"id": new_id(), "name": "phone"}}
    phone = stage.anonymous()
    assert phone.post("/sessions/enrolments", body)["person"]["id"] == person
    phone.get("/me")
    second = stage.anonymous()
    assert second.post("/sessions/enrolments", body, 410)["code"] == "enrolment_used"
    second.get("/me", 401)
    clock.move(timedelta(days=8).total_seconds())
    late_body = {"token": late["token"], "device": {"id": new_id(), "name": "phone"}}
    assert stage.anonymous().post("/sessions/enrolments", late_body, 410)["code"] == "enrolment_used"
    stage["security_lead"].post(f"/people/{stage.cast.people['it_one']}/enrolments", {}, 403)


def test_a_link_of_somebody_disabled_meanwhile_opens_nothing(stage: Stage) -> None:
    link = stage["admin"].post(f"/people/{stage.cast.people['it_one']}/enrolments", {}, 201)
    disable(stage, "it_one")
    body = {"token": link["token"], "device": {"id": new_id(), "name": "phone"}}
    assert stage.anonymous().post("/sessions/enrolments", body, 410)["code"] == "enrolment_used"


def test_links_are_not_guessed_without_end(stage: Stage) -> None:
    phone = stage.anonymous()
    for number in range(10):
        body = {"token": f"guess-{number}", "device": {"id": new_id(), "name": "phone"}}
        phone.post("/sessions/enrolments", body, 410)
    answer = phone.call("POST", "/sessions/enrolments", {"token": "one more", "device": {"id": new_id(), "name": "p"}})
    assert (answer.status_code, "Retry-After" in answer.headers) == (429, True)


def test_a_revoked_phone_is_told_to_wipe_and_cannot_sign_in_again(stage: Stage) -> None:
    lost = stage["it_one"]
    assert stage["admin"].call("DELETE", f"/devices/{lost.device}").status_code == 204
    for answer in (
        lost.call("GET", "/me"),
        lost.call("POST", "/batch", {"device": lost.device, "person": lost.person, "items": []}),
        lost.call("POST", "/sessions", signing("it_one", device=lost.device)),
    ):
        said = answer.get_json()
        assert (answer.status_code, said["code"], said["wipe"]) == (403, "device_revoked", True)
    stage.anonymous().post("/sessions", signing("it_one"))


def disable(stage: Stage, name: str) -> None:
    record = next(one for one in stage["admin"].get("/people")["people"] if one["username"] == name)
    stage["admin"].put(f"/people/{record.pop('id')}", {**record, "active": False}, 204)


def test_a_disabled_person_is_out_at_once(stage: Stage) -> None:
    stage["it_one"].get("/me")
    disable(stage, "it_one")
    assert stage["it_one"].get("/me", 401)["code"] == "session_ended"
    stage.anonymous().post("/sessions", signing("it_one"), 401)


def test_a_phone_that_changes_hands_leaves_nothing_of_the_first_open(stage: Stage) -> None:
    phone = stage.anonymous()
    device = new_id()
    phone.post("/sessions", signing("it_one", device=device))
    before = bearer(stage, cookie_of(phone))
    phone.post("/sessions", signing("security_one", device=device))
    before.get("/me", 401)
    assert phone.get("/me")["person"]["username"] == "security_one"


def raised(phone: Phone, **headers: str) -> TestResponse:
    """The answer to raising an incident with these headers and no others."""
    return phone.client.put(f"/api/v1/incidents/{new_id()}", json={"title": "冒烟"}, headers=headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Tocsin": "1", "Origin": "https://evil.example"},
        {"X-Tocsin": "1", "Origin": "null"},
        {"X-Tocsin": "1", "Origin": "http://localhost.evil.example"},
        {"X-Tocsin": "1", "Sec-Fetch-Site": "cross-site"},
        {"X-Tocsin": "1", "Sec-Fetch-Site": "same-site"},
        {"X-Tocsin": "1", "Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
        {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"},
        {"X-Tocsin": "0"},
        {},
    ],
)
def test_no_other_site_writes_in_our_name(stage: Stage, headers: dict[str, str]) -> None:
    answer = raised(stage["it_one"], **headers)
    assert (answer.status_code, answer.get_json()["code"]) == (403, "cross_site")
    good = {"X-Tocsin": "1", "Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert raised(stage["it_one"], **good).status_code == 201


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_no_other_site_signs_a_browser_in(stage: Stage, headers: dict[str, str]) -> None:
    answer = stage.anonymous().call("POST", "/sessions", signing("it_one"), headers=headers)
    assert (answer.status_code, answer.get_json()["code"]) == (403, "cross_site")
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("tokens", [["x" * 43], [""], ["x" * 400], ["good", "x" * 43]])
def test_a_cookie_that_is_none_of_ours_opens_nothing(stage: Stage, tokens: list[str]) -> None:
    known = stage.cast.tokens["it_one"]
    said = "; ".join(f"tocsin={known if token == 'good' else token}" for token in tokens)
    client = stage.app.test_client(use_cookies=False)
    assert client.get("/api/v1/me", headers={"Cookie": said}).status_code == 401
    assert client.get("/api/v1/me", headers={"Cookie": f"tocsin={known}"}).status_code == 200


def test_a_session_ends_when_the_phone_was_away_too_long(stage: Stage) -> None:
    days = stage.app.extensions["tocsin_config"].session_days
    clock.move(timedelta(days=days - 1).total_seconds())
    stage["it_one"].get("/me")
    clock.move(timedelta(days=days - 1).total_seconds())
    stage["it_one"].get("/me")  # each use counts from anew
    clock.move(timedelta(days=days, minutes=1).total_seconds())
    stage["it_one"].get("/me", 401)
