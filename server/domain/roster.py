"""The roster from a table: people with their teams and posts read from pasted text or CSV, all of them or none."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.db import new_id
from server.domain import feed, reachability
from server.domain.people import POSTS, ROLES, Contact, Membership, Person, Team

MOST_ROWS = 2000
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "username": ("username", "user name", "用户名", "登录名"),
    "name": ("name", "姓名"),
    "role": ("role", "account", "角色", "权限"),
    "phone": ("phone", "telephone", "电话", "手机", "手机号"),
    "team": ("team", "组", "班组", "部门"),
    "post": ("post", "职务", "任职"),
    "locale": ("language", "locale", "语言"),
}
ROLE_WORDS = {"管理员": "admin", "指挥员": "commander", "组长": "leader", "组员": "responder", "观察员": "observer"}
POST_WORDS = {"组长": "leader", "副组长": "deputy", "组员": "member", "联络员": "liaison"}
LOCALE_WORDS = {"中文": "zh", "英文": "en", "english": "en", "chinese": "zh"}
LONGEST = {"username": 80, "name": 80, "phone": 40}


@dataclass(frozen=True)
class Fault:
    """What is wrong: the line of the text (from 1), the column, a code and a sentence in both languages."""

    line: int
    field: str
    code: str
    zh: str
    en: str


@dataclass
class Line:
    """A person as the table has them; `known` says that the user name is there already and will be changed."""

    line: int
    username: str
    name: str
    role: str
    phone: str | None
    locale: str
    posts: list[tuple[str, str]] = field(default_factory=list)
    known: bool = False


@dataclass
class Reading:
    """What a text says: people in the order of the table, and every fault in it."""

    people: list[Line] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def read(session: Session, text: str, own: str) -> Reading:
    """Read a table with a heading line, separated by commas, semicolons or tabs; `own` is who imports, and is left alone.

    A person in several teams has several lines with the same user name. Nothing is changed here.
    """
    found = Reading()
    rows = _rows(text)
    heading = _heading(rows, found)
    if heading is None:
        return found
    if len(rows) - 1 > MOST_ROWS:
        found.faults.append(
            Fault(rows[0][0], "", "too_many_rows", "表格最多 2000 行。", "A table has 2,000 rows at most.")
        )
        return found
    known = {one.username: one for one in session.scalars(select(Person))}
    teams = _teams(session)
    lines: dict[str, Line] = {}
    for number, cells in rows[1:]:
        _line(
            number, dict(zip(heading, cells, strict=False)), len(cells) > len(heading), lines, known, teams, own, found
        )
    found.people = list(lines.values())
    return found


def apply(session: Session, people: list[Line]) -> int:
    """Write people that were read without a fault; returns how many. Posts that the table does not name stay."""
    known = {
        one.username: one
        for one in session.scalars(select(Person).where(Person.username.in_([line.username for line in people])))
    }
    for line in people:
        person = known.get(line.username)
        if person is None:
            person = Person(id=new_id(), username=line.username, active=True)
            session.add(person)
        person.name, person.role, person.locale = line.name, line.role, line.locale
        if line.phone is not None:
            person.phone = line.phone
        session.flush()
        for team, post in line.posts:
            _post(session, person.id, team, post)
        session.flush()
        feed.touch(session, Contact(person), *reachability.rows_of(session, person.id))
    return len(people)


def _post(session: Session, person: str, team: str, post: str) -> None:
    held = session.scalar(select(Membership).where(Membership.person == person, Membership.team == team))
    if held is None:
        session.add(Membership(id=new_id(), person=person, team=team, role=post, rank=0))
    else:
        held.role, held.ended_at = post, None


def _rows(text: str) -> list[tuple[int, list[str]]]:
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    first = text.strip("\n").split("\n", 1)[0]
    mark = max(("\t", ",", ";", "，"), key=first.count)
    if mark == "，":
        text, mark = text.replace("，", ","), ","
    reader = csv.reader(io.StringIO(text), delimiter=mark)
    found, begins = [], 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                found.append((begins, [cell.strip() for cell in cells]))
            begins = reader.line_num + 1
    except csv.Error:
        found.append((begins, []))
    return found


def _heading(rows: list[tuple[int, list[str]]], found: Reading) -> list[str] | None:
    if not rows:
        found.faults.append(Fault(1, "", "table_empty", "表格是空的。", "The table is empty."))
        return None
    number, cells = rows[0]
    names = {word: column for column, words in COLUMNS.items() for word in words}
    heading = [names.get(cell.lower(), "") for cell in cells]
    for at, column in enumerate(heading):
        if not column or column in heading[:at]:
            found.faults.append(
                Fault(
                    number, cells[at][:40], "column_unknown", f"不认识或重复的列：“{cells[at][:40]}”。",
                    f"This column is not known or there twice: “{cells[at][:40]}”.",
                )
            )  # fmt: skip
    for column in ("username", "name"):
        if column not in heading:
            found.faults.append(
                Fault(
                    number,
                    column,
                    "column_missing",
                    f"缺少“{COLUMNS[column][-1]}”列。",
                    f"The column “{column}” is missing.",
                )
            )
    return None if found.faults else heading


def _teams(session: Session) -> dict[str, str]:
    found: dict[str, str] = {}
    for team in session.scalars(select(Team).where(Team.active).order_by(Team.rank.desc(), Team.id.desc())):
        for word in (team.kind, team.title.get("zh"), team.title.get("en")):
            if word:
                found[str(word).lower()] = team.id
    return found


def _line(
    number: int, cells: dict[str, str], long: bool, lines: dict[str, Line], known: Mapping[str, Person],
    teams: Mapping[str, str], own: str, found: Reading,
) -> None:  # fmt: skip
    before = len(found.faults)

    def wrong(column: str, code: str, zh: str, en: str) -> None:
        found.faults.append(Fault(number, column, code, zh, en))

    if long or not cells:
        wrong(
            "",
            "row_malformed",
            "这一行的列数或引号不对。",
            "This row has too many columns or a quote that does not close.",
        )
        return
    for column, most in LONGEST.items():
        text = cells.get(column, "")
        if len(text) > most or any(ord(letter) < 32 for letter in text):
            wrong(
                column,
                "text_unfit",
                f"太长（最多 {most} 字）或含有不可见字符。",
                f"Longer than {most} or with unprintable characters.",
            )
    username = cells.get("username", "")
    for column in ("username", "name"):
        if not cells.get(column):
            wrong(column, "missing", "此项必填。", "This must be filled in.")
    there = known.get(username)
    role = _word(cells.get("role", ""), ROLE_WORDS, ROLES, there.role if there else "responder")
    post = _word(cells.get("post", ""), POST_WORDS, POSTS, "member")
    locale = _word(cells.get("locale", ""), LOCALE_WORDS, ("zh", "en"), there.locale if there else "zh")
    team = teams.get(cells.get("team", "").lower())
    for column, value, zh, en in (
        ("role", role, "没有这种角色。", "There is no such role."),
        ("post", post, "没有这种职务。", "There is no such post."),
        ("locale", locale, "语言须为中文或英文。", "The language is Chinese or English."),
        ("team", team if cells.get("team") else "", "没有这个组，请先建立。", "There is no such team; add it first."),
    ):
        if value is None:
            wrong(column, "unknown", zh, en)
    if cells.get("post") and not cells.get("team"):
        wrong("team", "missing", "有职务须写明组。", "A post needs its team.")
    if there is not None and role not in (None, there.role):
        if there.id == own:
            wrong("role", "own_role", "不能更改自己的角色。", "You may not change your own role.")
        elif there.role == "admin":
            wrong("role", "admin_stays", "管理员的角色请逐个更改。", "Change an administrator's role one by one.")
    earlier = lines.get(username)
    said = Line(
        number, username, cells.get("name", ""), role or "", cells.get("phone") or None, locale or "", [], there is not None
    )  # fmt: skip
    if earlier is not None and (earlier.name, earlier.role, earlier.phone) != (said.name, said.role, said.phone):
        wrong("username", "said_twice", f"与第 {earlier.line} 行不一致。", f"Line {earlier.line} says something else.")
    if earlier is not None and team in {one for one, _ in earlier.posts}:
        wrong("team", "said_twice", f"第 {earlier.line} 行已有此组。", f"Line {earlier.line} has this team already.")
    if len(found.faults) > before:
        return
    kept = lines.setdefault(username, said)
    if team:
        kept.posts.append((team, post or "member"))


def _word(text: str, words: Mapping[str, str], known: tuple[str, ...], otherwise: str) -> str | None:
    if not text:
        return otherwise
    text = text.lower()
    return words.get(text, text if text in known else None)
