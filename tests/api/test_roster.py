"""A table of people is taken over whole or not at all; a lost phone is shut out by whoever may."""

import pytest
from sqlalchemy import select

from server.db import new_id
from server.domain.people import Membership, Person
from tests.cast import Stage

TABLE = """用户名,姓名,角色,电话,组,职务
wang,王芳,组员,13900001111,security,组员
wang,王芳,组员,13900001111,it,联络员
it_one,换了名字,,13900002222,,
"""


def everybody(stage: Stage) -> tuple[int, int]:
    with stage.database.read() as session:
        return len(session.scalars(select(Person.id)).all()), len(session.scalars(select(Membership.id)).all())


def test_a_table_is_looked_at_first_and_then_taken_over_as_a_whole(stage: Stage) -> None:
    before = everybody(stage)
    seen = stage["admin"].post("/people/imports", {"text": TABLE, "preview": True})
    assert (seen["errors"], seen["done"], everybody(stage)) == ([], False, before)
    assert [(one["username"], one["known"], len(one["posts"])) for one in seen["people"]] == [
        ("wang", False, 2), ("it_one", True, 0),
    ]  # fmt: skip
    assert stage["admin"].post("/people/imports", {"text": TABLE})["done"]
    assert everybody(stage) == (before[0] + 1, before[1] + 2)
    leader = stage["security_lead"]
    leader.sync()
    wang = leader.one("person", name="王芳")
    assert leader.one("contact", person=wang["id"])["phone"] == "13900001111", "a leader sees the number at once"
    with stage.database.read() as session:
        kept = session.scalars(select(Person).where(Person.username == "it_one")).one()
        assert (kept.name, kept.role, kept.phone) == ("换了名字", "responder", "13900002222")
    stage["admin"].post("/people/imports", {"text": TABLE})
    assert everybody(stage) == (before[0] + 1, before[1] + 2), "once more changes nothing"


@pytest.mark.parametrize("mark", [",", ";", "\t", "，"])
def test_tables_of_a_spreadsheet_are_read_as_they_are_pasted(shared_stage: Stage, mark: str) -> None:
    text = "\ufeff" + TABLE.replace(",", mark).replace("\n", "\r\n")
    seen = shared_stage["admin"].post("/people/imports", {"text": text, "preview": True})
    assert (len(seen["people"]), seen["errors"]) == (2, [])


GOOD = "a-new-one,名"
FAULTS = {
    "no heading": ("wang,王芳\n", 1, "wang", "column_unknown"),
    "empty": ("\n\n", 1, "", "table_empty"),
    "no name": ("用户名\nwang", 1, "name", "column_missing"),
    "strange column": ("用户名,姓名,鞋码\nwang,王芳,42", 1, "鞋码", "column_unknown"),
    "column twice": ("用户名,姓名,name\nwang,王芳,王", 1, "name", "column_unknown"),
    "no user name": ("用户名,姓名\n,王芳", 2, "username", "missing"),
    "role": ("用户名,姓名,角色\nwang,王芳,皇帝", 2, "role", "unknown"),
    "post": ("用户名,姓名,组,职务\nwang,王芳,it,门卫", 2, "post", "unknown"),
    "team": ("用户名,姓名,组\nwang,王芳,不存在", 2, "team", "unknown"),
    "post without team": ("用户名,姓名,组,职务\nwang,王芳,,组长", 2, "team", "missing"),
    "language": ("用户名,姓名,语言\nwang,王芳,法文", 2, "locale", "unknown"),
    "long name": (f"用户名,姓名\nwang,{'长' * 81}", 2, "name", "text_unfit"),
    "long phone": (f"用户名,姓名,电话\nwang,王芳,{'1' * 41}", 2, "phone", "text_unfit"),
    "too many cells": ("用户名,姓名\nwang,王芳,多,了", 2, "", "row_malformed"),
    "two names": ("用户名,姓名\nwang,王芳\nwang,李强", 3, "username", "said_twice"),
    "one team twice": ("用户名,姓名,组\nwang,王芳,it\nwang,王芳,it", 3, "team", "said_twice"),
    "own role": ("用户名,姓名,角色\nadmin,管理员,组员", 2, "role", "own_role"),
    "after good ones": (f"用户名,姓名\n{GOOD}\n\n\nwang,", 5, "name", "missing"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_names_its_line_and_column_and_nobody_is_taken_over(shared_stage: Stage, fault: str) -> None:
    text, line, column, code = FAULTS[fault]
    before = everybody(shared_stage)
    seen = shared_stage["admin"].post("/people/imports", {"text": text, "preview": True})
    first = seen["errors"][0]
    assert (first["line"], first["path"], first["code"]) == (line, column, code)
    assert first["message"]
    refused = shared_stage["admin"].post("/people/imports", {"text": text}, 422)
    assert (refused["code"], refused["errors"]) == ("table_unfit", seen["errors"])
    assert everybody(shared_stage) == before


def test_too_many_rows_and_too_much_text_are_refused(shared_stage: Stage) -> None:
    rows = "用户名,姓名\n" + "\n".join(f"u{number},n" for number in range(2001))
    seen = shared_stage["admin"].post("/people/imports", {"text": rows, "preview": True})
    assert [one["code"] for one in seen["errors"]] == ["too_many_rows"]
    for text in ("x" * 80_001, "用户名,姓名\nwang,\x00", "", 7, None):
        answer = shared_stage["admin"].post("/people/imports", {"text": text}, 422)
        assert answer["errors"][0]["path"] == "text"


def test_a_leader_shuts_out_a_lost_phone_of_the_team_and_the_phone_is_told_to_wipe(stage: Stage) -> None:
    leader, lost = stage["security_lead"], stage["security_one"]
    [theirs] = leader.get(f"/people/{lost.person}/devices")["devices"]
    assert theirs["id"] == lost.device
    for stranger in ("it_lead", "commander", "security_two", "observer"):
        assert stage[stranger].call("DELETE", f"/devices/{lost.device}").status_code == 404
        assert stage[stranger].call("GET", f"/people/{lost.person}/devices").status_code == 403
    assert leader.call("DELETE", f"/devices/{lost.device}").status_code == 204
    answer = lost.get("/me", 403)
    assert (answer["code"], answer["wipe"]) == ("device_revoked", True)
    assert leader.get(f"/people/{lost.person}/devices")["devices"] == []


def test_nobody_but_an_admin_shuts_out_an_admin(stage: Stage) -> None:
    post = {"person": stage.cast.people["admin"], "team": stage.cast.teams["security"], "role": "member"}
    stage["admin"].put(f"/memberships/{new_id()}", post, 204)
    leader, device = stage["security_lead"], stage.cast.devices["admin"]
    assert leader.call("DELETE", f"/devices/{device}").status_code == 404
    assert stage["admin"].get("/me", 200)["person"]["name"] == "admin"
