"""Every route answers every person as the table of rights says, and a refusal changes nothing."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from server.api.session import OPEN
from server.db import Database, Model, new_id
from tests.api.rights import PRINCIPALS, ROWS, Row
from tests.cast import Phone, Stage
from tests.situation import full_swing


@pytest.fixture(scope="module")
def ids(shared_stage: Stage) -> dict[str, str]:
    """The ids of everything in the incident the rights are tried on."""
    return full_swing(shared_stage)


def fill(value: Any, ids: dict[str, str]) -> Any:
    """A body or path with its names in braces replaced by ids."""
    if isinstance(value, dict):
        return {key: fill(one, ids) for key, one in value.items()}
    if isinstance(value, str):
        for name, id in ids.items():
            value = value.replace("{" + name + "}", id)
    return value


def send(phone: Phone, row: Row, ids: dict[str, str]) -> Any:
    """The answer this person gets to the row's request; sent anew each time, since signing out takes the cookie."""
    phone = Phone(phone.app, phone.name, phone.person, phone.device, phone.token)
    ids = {**ids, "new": new_id(), "my_device": phone.device}
    path = fill(row.path, ids)
    if (
        not path.startswith(("/docs", "/openapi", "/metrics", "/sw.js", "/manifest", "/assets", "/a/", "/g/"))
        and path != "/"
    ):
        path = f"/api/v1{path}"
    headers = {"X-Tocsin": "1", "Accept-Language": "en"}
    body = {} if row.body is None else {"json": fill(copy.deepcopy(row.body), ids)}
    answer = phone.client.open(path, method=row.method, headers=headers, **body)
    if row.path != "/stream":
        answer.get_data()
    answer.close()
    return answer


@contextmanager
def rehearsal(database: Database) -> Iterator[None]:
    """Everything runs and nothing is kept, so that each case meets the same situation."""

    def write(unit: Any, *, long: bool = False) -> Any:
        with Session(database._writing, expire_on_commit=False) as session:
            result = unit(session)
            database._finish(session)
            session.rollback()
            return result

    database.write = write  # type: ignore[method-assign]
    try:
        yield
    finally:
        del database.write


def everything(database: Database) -> dict[str, list[str]]:
    """Every row of every table but the count of failed sign-ins."""
    with database.read() as session:
        return {
            table.name: sorted(str(tuple(row)) for row in session.execute(select(table)))
            for table in Model.metadata.sorted_tables
            if table.name != "sign_in_try"
        }


def test_the_table_names_every_route_and_no_other(shared_stage: Stage) -> None:
    there = {rule.endpoint for rule in shared_stage.app.url_map.iter_rules()}
    assert there == set(ROWS)
    adapter = shared_stage.app.url_map.bind("localhost")
    for endpoint, row in ROWS.items():
        path = fill(row.path, dict.fromkeys(("new",), new_id()))
        whole = (
            path
            if endpoint.split(".")[0] in {"shell", "documents", "pages"} or path == "/metrics"
            else f"/api/v1{path}"
        )
        assert adapter.match(whole, method=row.method)[0] == endpoint


def test_every_open_route_is_one_of_the_app(shared_stage: Stage) -> None:
    assert set(ROWS) >= OPEN


@pytest.mark.parametrize("endpoint", ROWS)
def test_each_person_gets_the_answer_of_the_table(shared_stage: Stage, ids: dict[str, str], endpoint: str) -> None:
    row = ROWS[endpoint]
    got = {}
    for principal in PRINCIPALS:
        with rehearsal(shared_stage.database):
            got[principal] = send(shared_stage[principal], row, ids).status_code
    assert got == {principal: row.expected(principal) for principal in PRINCIPALS}


@pytest.mark.parametrize("endpoint", sorted(set(ROWS) - OPEN - {"uploads.options"}))
def test_nobody_else_passes(shared_stage: Stage, ids: dict[str, str], endpoint: str) -> None:
    row = ROWS[endpoint]
    assert send(shared_stage.anonymous(), row, ids).status_code == 401
    assert send(shared_stage["leaver"], row, ids).status_code == 401
    shut_out = send(shared_stage["loser"], row, ids)
    assert shut_out.status_code == 403
    if row.method != "HEAD":
        assert (shut_out.get_json()["code"], shut_out.get_json()["wipe"]) == ("device_revoked", True)


def test_a_refusal_changes_nothing(shared_stage: Stage, ids: dict[str, str]) -> None:
    before = everything(shared_stage.database)
    for endpoint, row in ROWS.items():
        for principal in PRINCIPALS:
            if row.expected(principal) >= 400:
                assert send(shared_stage[principal], row, ids).status_code == row.expected(principal), endpoint
    after = everything(shared_stage.database)
    assert {name: rows for name, rows in after.items() if rows != before[name]} == {}


@pytest.mark.parametrize(
    "endpoint", [name for name, row in ROWS.items() if " 404" in row.answers[-4:] and "{" in row.path]
)
def test_what_is_hidden_looks_like_what_is_not_there(shared_stage: Stage, ids: dict[str, str], endpoint: str) -> None:
    row = ROWS[endpoint]
    invented = {name: new_id() if len(id) == 36 else id for name, id in ids.items()}
    invented |= {name: ids[name] for name in ("team", "supply", "place", "person")}
    hidden, absent = (send(shared_stage["outsider"], row, known) for known in (ids, invented))
    assert hidden.status_code == absent.status_code == 404
    if row.method != "HEAD":
        hidden_body, absent_body = hidden.get_json(), absent.get_json()
        hidden_body.pop("request_id"), absent_body.pop("request_id")
        assert hidden_body == absent_body


def test_rights_taken_away_count_at_the_next_request(stage: Stage) -> None:
    ids = {"team": stage.cast.teams["security"], "person": stage.cast.people["security_two"]}
    ids["incident"] = new_id()
    stage["security_two"].put(f"/incidents/{ids['incident']}", {"title": "冒烟"})
    other = new_id()
    stage["security_lead"].put(f"/incidents/{other}", {"title": "漏水"})
    assert stage["security_two"].get(f"/incidents/{other}/timeline")["entries"]
    with stage.database.read() as session:
        post = session.scalar(
            select(Model.metadata.tables["membership"].c.id).where(
                Model.metadata.tables["membership"].c.person == ids["person"]
            )
        )
    body = {"person": ids["person"], "team": ids["team"], "role": "member", "ended": True}
    stage["admin"].put(f"/memberships/{post}", body, 204)
    stage["security_two"].get(f"/incidents/{other}/timeline", 404)
    assert stage["security_two"].get(f"/incidents/{ids['incident']}/timeline")["entries"]
