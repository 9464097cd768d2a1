"""The pages behind links: what is shown, that only a button answers, and which links open nothing."""

import html
import logging
import re
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from server.clock import clock, now
from server.db import new_id
from server.domain.alerts import Answer, Recipient
from server.domain.tokens import ANSWER, GROUP, RECEIPT, make_token
from tests.cast import Stage
from tests.situation import ticketing

SECRET = "k" * 40
PREVIEW = {"User-Agent": "WeChat/8.0 (link preview)"}


@pytest.fixture
def asked(stage: Stage) -> dict[str, str]:
    """An order to security: its incident and alert, one guard's recipient row, and the token of their link."""
    incident = ticketing(stage)
    body = {"incident": incident, "team": stage.cast.teams["security"], "title": "到<售票厅>", "text": "维持秩序"}
    key = stage["commander"].fact("/orders", body)
    stage["commander"].sync()
    alert = str(stage["commander"].one("order", id=key)["alert"])
    where = (Recipient.alert == alert) & (Recipient.person == stage.cast.people["security_one"])
    with stage.database.read() as session:
        row = str(session.scalar(select(Recipient.id).where(where)))
    token = make_token(SECRET, ANSWER, row, alert, now() + timedelta(hours=1))
    return {"incident": incident, "alert": alert, "row": row, "token": token}


def browser(stage: Stage) -> FlaskClient:
    """A browser nobody has signed in on."""
    return stage.app.test_client()


def answers(stage: Stage, alert: str) -> list[str]:
    with stage.database.read() as session:
        return list(session.scalars(select(Answer.kind).where(Answer.alert == alert).order_by(Answer.received_at)))


def form(page: str, **values: str) -> dict[str, str]:
    """What a browser would send from the page with these fields filled in."""
    found = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
    return {**found, **values}


def said(answer: Any) -> str:
    return html.unescape(str(answer.get_data(as_text=True)))


def test_looking_answers_nothing_however_often_and_whoever_looks(stage: Stage, asked: dict[str, str]) -> None:
    for headers in ({}, PREVIEW):
        for method in ("GET", "HEAD", "GET"):
            page = browser(stage).open(f"/a/{asked['token']}", method=method, headers=headers)
            assert page.status_code == 200
    assert answers(stage, asked["alert"]) == []
    stage["commander"].sync()
    row = stage["commander"].one("recipient", id=asked["row"])
    assert (row["opened_at"], row["answered_at"], row["delivered_at"]) == (None, None, None)
    page = browser(stage).get(f"/a/{asked['token']}")
    assert "到&lt;售票厅&gt;" in page.get_data(as_text=True)
    assert "form-action 'self'" in page.headers["Content-Security-Policy"]
    assert (page.headers["Cache-Control"], page.headers["Referrer-Policy"]) == ("no-store", "same-origin")


def test_the_button_answers_for_the_one_the_text_was_sent_to(stage: Stage, asked: dict[str, str]) -> None:
    client, path = browser(stage), f"/a/{asked['token']}"
    filled = form(client.get(path).get_data(as_text=True), kind="on_my_way")
    for _ in range(2):  # pressed twice
        answer = client.post(path, data=filled, headers={"Origin": "http://localhost"})
        assert (answer.status_code, answer.headers["Location"]) == (303, path)
    assert answers(stage, asked["alert"]) == ["on_my_way"]
    assert "已回执： 出发 · 10:00" in said(client.get(path))
    clock.move(1)
    client.post(path, data={**filled, "kind": "cannot", "reason": " 在\x00医院 "})
    assert answers(stage, asked["alert"]) == ["on_my_way", "cannot"]
    stage["commander"].sync()
    row = stage["commander"].one("recipient", id=asked["row"])
    assert (row["person"], row["answer"], row["reason"]) == (stage.cast.people["security_one"], "cannot", "在医院")


def test_a_link_that_is_none_is_over_or_is_for_something_else_opens_nothing(
    stage: Stage, asked: dict[str, str]
) -> None:
    hour, client = now() + timedelta(hours=1), browser(stage)
    other = new_id()
    wrong = {
        "x": 401, asked["token"][:-2] + "AA": 401, "文": 401,
        make_token("another secret", ANSWER, asked["row"], asked["alert"], hour): 401,
        make_token(SECRET, RECEIPT, asked["row"], asked["alert"], hour): 403,
        make_token(SECRET, GROUP, asked["incident"], asked["incident"], hour): 403,
        make_token(SECRET, ANSWER, asked["row"], other, hour): 404,
        make_token(SECRET, ANSWER, other, asked["alert"], hour): 404,
        make_token(SECRET, ANSWER, asked["row"], asked["alert"], now() - timedelta(seconds=1)): 401,
    }  # fmt: skip
    for token, status in wrong.items():
        read = client.get(f"/a/{token}")
        assert (read.status_code, read.mimetype) == (status, "text/html"), token
        pressed = client.post(f"/a/{token}", data={"id": new_id(), "alert": asked["alert"], "kind": "received"})
        assert pressed.status_code in (status, 403), token
    assert answers(stage, asked["alert"]) == []


def test_a_form_of_another_alert_or_with_a_strange_answer_is_refused(stage: Stage, asked: dict[str, str]) -> None:
    client, path = browser(stage), f"/a/{asked['token']}"
    good = form(client.get(path).get_data(as_text=True), kind="received")
    for change, status in (
        ({"alert": new_id()}, 403),
        ({"id": "x"}, 403),
        ({"kind": "dance"}, 422),
        ({"kind": ""}, 422),
    ):
        assert client.post(path, data={**good, **change}).status_code == status
    cross = client.post(path, data=good, headers={"Origin": "https://evil.example"})
    assert cross.status_code == 403
    assert answers(stage, asked["alert"]) == []


def test_the_link_ends_with_its_time_and_says_so_in_the_readers_language(stage: Stage, asked: dict[str, str]) -> None:
    client, path = browser(stage), f"/a/{asked['token']}"
    good = form(client.get(path).get_data(as_text=True), kind="received")
    clock.move(3601)
    assert client.post(path, data=good).status_code == 401
    late = client.get(path, headers={"Accept-Language": "en"})
    assert (late.status_code, "expired" in said(late)) == (401, True)
    assert answers(stage, asked["alert"]) == []


def test_in_a_groups_chat_each_finds_themselves_by_their_number(stage: Stage, asked: dict[str, str]) -> None:
    client = browser(stage)
    path = f"/g/{make_token(SECRET, GROUP, asked['incident'], asked['incident'], now() + timedelta(hours=1))}"
    page = said(client.get(path))
    assert "security_one" in page
    assert "finance_lead" not in page
    assert not re.search(r"1390000\d{4}", page), "no number is shown to a group"
    with stage.database.read() as session:
        number = str(session.scalar(select(Recipient.person).where(Recipient.id == asked["row"])))
    person = {"person": number}
    assert client.post(path, data={**person, "digits": "0000"}).status_code == 403
    assert client.post(path, data={"person": new_id(), "digits": "0007"}).status_code == 403
    found = client.post(path, data={**person, "digits": "0006"})
    assert found.status_code == 303
    assert answers(stage, asked["alert"]) == []
    own = found.headers["Location"]
    client.post(own, data=form(client.get(own).get_data(as_text=True), kind="received"))
    assert answers(stage, asked["alert"]) == ["received"]
    assert "security_one" not in said(client.get(path)), "who has answered is not on the list"


def test_guessing_numbers_is_slowed(stage: Stage, asked: dict[str, str]) -> None:
    client = browser(stage)
    path = f"/g/{make_token(SECRET, GROUP, asked['incident'], asked['incident'], now() + timedelta(hours=1))}"
    person = stage.cast.people["security_one"]
    tries = [client.post(path, data={"person": person, "digits": f"{n:04d}"}).status_code for n in range(100, 130)]
    assert tries[0] == 403
    assert tries[-1] == 429


@pytest.mark.expects_error_logs
def test_no_log_holds_a_link_even_when_something_fails(
    stage: Stage, asked: dict[str, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("server.domain.links.asked", lambda *_: 1 / 0)
    with caplog.at_level(logging.DEBUG):
        assert browser(stage).get(f"/a/{asked['token']}").status_code == 500
    assert "/a/<token>" in caplog.text
    assert asked["token"] not in caplog.text
