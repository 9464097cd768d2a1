"""Statements that go to the driver ready made say what SQLAlchemy would say, and what was read is kept until a commit."""

from datetime import UTC, datetime

import orjson
import pytest
from sqlalchemy import bindparam, insert, literal, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from server.bulk import Given, as_rows
from server.db import Database, new_id
from server.domain.feed import Space
from server.statements import Statement

AT = datetime(2026, 11, 23, 8, 3, 0, 250_000, tzinfo=UTC)
ADD = Statement(insert(Space))
FOUND = Statement(select(Space.version, Space.changed_at.label("moved")).where(Space.id == bindparam("id")))
RAISE = Statement(
    update(Space)
    .where(Space.id == bindparam("which"), or_(Space.version == 0, Space.version == 7))
    .values(version=Space.version + bindparam("by"))
    .returning(Space.id, Space.version)
)
GIVEN = Given()
ADD_MANY = Statement(
    insert(Space).from_select(
        ["id", "version", "min_version", "changed_at"],
        select(GIVEN.text(0), GIVEN.number(1), literal(0), GIVEN.number(2)).select_from(GIVEN.source),
    )
)
READ_MANY = Statement(
    select(GIVEN.id(0).label("id"), GIVEN.text(1).label("said"), GIVEN.number(2).label("count")).select_from(
        GIVEN.source
    )
)
MARK = Statement(update(Space).where(Space.id == bindparam("which")).values(min_version=3))


def add(session: Session, id: str) -> None:
    ADD.run_each(session, [{"id": id, "version": 0, "min_version": 0, "changed_at": AT}])


def test_rows_values_and_counts_are_what_the_columns_say(database: Database) -> None:
    database.write(lambda session: add(session, "org"))

    def unit(session: Session) -> None:
        (found,) = FOUND.rows(session, id="org")
        assert (found.version, found.moved) == (0, AT)
        assert FOUND.first(session, id="me:nobody") is None
        (raised,) = RAISE.rows(session, which="org", by=7)
        assert (raised.id, raised.version) == ("org", 7)
        assert RAISE.rows(session, which="org", by=7)[0].version == 14
        assert RAISE.rows(session, which="org", by=7) == []
        assert (MARK.run(session, which="org"), MARK.run(session, which="me:nobody")) == (1, 0)

    database.write(unit)
    with database.read() as session:
        assert session.get_one(Space, "org").min_version == 3


def test_the_database_takes_many_rows_apart_as_they_were_given(database: Database) -> None:
    ids, words = [new_id(), new_id(), new_id()], ['启动 "预案" \\u0000 \n', None, [1, "二"]]
    given = as_rows([(ids[0], words[0], -(2**60)), (ids[1], words[1], None), (ids[2], words[2], 0)])
    with database.read() as session:
        rows = READ_MANY.rows(session, rows=given)
    assert [(row.id, row.count) for row in rows] == [(ids[0], -(2**60)), (ids[1], None), (ids[2], 0)]
    assert [row.said for row in rows[:2]] == words[:2]
    assert orjson.loads(rows[2].said) == words[2], "an array comes as its text"
    made = [(f"me:{id}", number, AT) for number, id in enumerate(ids)]
    assert database.write(lambda session: ADD_MANY.run(session, rows=as_rows(made))) == 3
    assert database.write(lambda session: ADD_MANY.run(session, rows="[]")) == 0
    with database.read() as session:
        assert [
            (one.id, one.version, one.changed_at) for one in session.scalars(select(Space).order_by(Space.version))
        ] == made


def test_an_id_taken_twice_is_sqlalchemys_own_error_and_undoes_the_unit(database: Database) -> None:
    database.write(lambda session: add(session, "org"))

    def unit(session: Session) -> None:
        add(session, "incident:one")
        add(session, "org")

    with pytest.raises(IntegrityError):
        database.write(unit)
    with database.read() as session:
        assert session.get(Space, "incident:one") is None


def test_what_was_read_is_kept_until_any_process_commits(database: Database) -> None:
    other, id = Database(database.url), new_id()
    try:
        assert database.rows(FOUND, id=id) == []
        kept = database.kept()
        if kept is None:
            assert database.engine.dialect.name == "postgresql"
            return
        assert database.kept() is kept, "nobody has written"
        with other.read() as session:
            session.get(Space, id)
        assert database.kept() is kept, "reading is no writing"
        other.write(lambda session: add(session, id))
        assert database.kept() is not kept
        assert [row.version for row in database.rows(FOUND, id=id)] == [0], "the very next look sees it"
    finally:
        other.dispose()
