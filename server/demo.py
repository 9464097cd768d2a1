"""The demo organisation: a scenic area with its teams, people, places, supplies and two plans, seeded once."""

import json
import os
import secrets
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.api.session import hash_password
from server.clock import now
from server.config import Config
from server.db import Database, new_id
from server.domain import feed, places, plans, supplies
from server.domain.people import Contact, Duty, Membership, Organisation, Person, Team
from server.planning.compiler import compile_plan

LIBRARY = Path(__file__).resolve().parent / "planning" / "library"
PLANS = ("000-21-scenic-ticketing-failure.yaml", "001-07-large-crowd.yaml")
SIGN_INS = "demo.json"
TEAMS = (
    ("leadership", "应急领导小组", "Leadership group"),
    ("it", "信息技术组", "IT"),
    ("security", "安全保卫组", "Security"),
    ("logistics", "后勤保障组", "Logistics"),
    ("communications", "综合宣传组", "Communications"),
    ("visitor_centre", "游客中心", "Visitor centre"),
    ("finance", "财务组", "Finance"),
    ("inspection", "稽查办", "Inspection"),
)
# The least each shift must have, by post; the shift that is seeded just meets it, so that one who goes off duty is missed.
STRENGTH: dict[str, dict[str, int]] = {
    "leadership": {"leader": 1, "any": 2},
    "it": {"any": 3},
    "security": {"leader": 1, "member": 3},
    "logistics": {"any": 2},
    "visitor_centre": {"any": 4},
}


@dataclass(frozen=True)
class Figure:
    """A person of the demo: their sign-in name, their name, role and posts."""

    username: str
    name: str
    role: str
    posts: tuple[tuple[str, str], ...]


FIGURES = (
    Figure("admin", "顾清和", "admin", ()),
    Figure("commander", "林致远", "commander", (("leadership", "leader"),)),
    Figure("deputy", "沈若溪", "commander", (("leadership", "deputy"),)),
    Figure("director", "韩知行", "commander", (("leadership", "member"),)),
    Figure("it-lead", "周启明", "leader", (("it", "leader"),)),
    Figure("it-1", "吴思远", "responder", (("it", "deputy"),)),
    Figure("it-2", "郑一帆", "responder", (("it", "member"),)),
    Figure("security-lead", "高建峰", "leader", (("security", "leader"),)),
    Figure("security-1", "罗大勇", "responder", (("security", "deputy"),)),
    Figure("security-2", "唐小川", "responder", (("security", "member"),)),
    Figure("security-3", "何晓东", "responder", (("security", "member"),)),
    Figure("security-4", "谢国强", "responder", (("security", "member"),)),
    Figure("logistics-lead", "许文博", "leader", (("logistics", "leader"),)),
    Figure("logistics-1", "曹阳", "responder", (("logistics", "deputy"),)),
    Figure("logistics-2", "邓丽娟", "responder", (("logistics", "member"),)),
    Figure("communications-lead", "宋雨桐", "leader", (("communications", "leader"),)),
    Figure("communications-1", "程可欣", "responder", (("communications", "deputy"),)),
    Figure("visitors-lead", "陆佳宁", "leader", (("visitor_centre", "leader"),)),
    Figure("visitors-1", "叶子晴", "responder", (("visitor_centre", "deputy"),)),
    Figure("visitors-2", "蒋梦洁", "responder", (("visitor_centre", "member"),)),
    Figure("visitors-3", "薛明", "responder", (("visitor_centre", "member"),)),
    Figure("finance-lead", "方敏", "leader", (("finance", "leader"),)),
    Figure("finance-1", "潘志伟", "responder", (("finance", "deputy"),)),
    Figure("inspection-lead", "于海涛", "leader", (("inspection", "leader"),)),
    Figure("inspection-1", "石磊", "responder", (("inspection", "deputy"),)),
    Figure("observer", "秦朗", "observer", ()),
)
# In each row: code, parent, kind, zh, en, capacity, and the pin as x and y.
PLACES: tuple[tuple[str, str | None, str, str, str, int | None, tuple[float, float] | None], ...] = (
    ("site", None, "site", "云栖谷景区", "Yunqi Valley scenic area", 12000, None),
    ("centre", "site", "hall", "游客中心", "Visitor centre", 800, (0.22, 0.72)),
    ("windows", "centre", "point", "售票窗口", "Ticket windows", 120, (0.26, 0.66)),
    ("east-gate", "site", "gate", "东检票口", "East gate", 400, (0.80, 0.62)),
    ("west-gate", "site", "gate", "西检票口", "West gate", 400, (0.14, 0.44)),
    ("square", "site", "area", "中心广场", "Central square", 2500, (0.48, 0.52)),
    ("cableway", "site", "area", "索道下站", "Lower cableway station", 600, (0.66, 0.30)),
    ("bridge", "site", "point", "观景桥", "Viewing bridge", 150, (0.54, 0.22)),
    ("server-room", "centre", "room", "信息机房", "Server room", None, (0.18, 0.80)),
    ("store", "site", "room", "应急物资库", "Emergency store", None, (0.34, 0.86)),
)
# key, zh, en, unit zh, unit en, quantity, minimum, serial range
SUPPLIES: tuple[tuple[str, str, str, str, str, int, int, tuple[int, int] | None], ...] = (
    ("paper-tickets", "备用纸质门票", "Paper tickets", "张", "tickets", 5000, 2000, (100001, 105000)),
    ("hand-stamps", "验票章", "Ticket stamps", "枚", "stamps", 12, 6, None),
    ("barriers", "隔离栏", "Crowd barriers", "组", "sets", 80, 40, None),
    ("cordon-tape", "警戒带", "Cordon tape", "卷", "rolls", 60, 20, None),
    ("radios", "对讲机", "Radios", "台", "units", 40, 25, None),
    ("megaphones", "扩音器", "Megaphones", "个", "units", 10, 6, None),
    ("display-boards", "展牌", "Display boards", "块", "boards", 20, 10, None),
    ("power-banks", "移动电源", "Power banks", "个", "units", 30, 15, None),
    ("lamps", "应急照明灯", "Emergency lamps", "盏", "lamps", 24, 12, None),
    ("first-aid", "急救箱", "First-aid kits", "个", "kits", 15, 10, None),
    ("water", "瓶装水", "Bottled water", "箱", "boxes", 100, 40, None),
    ("mobile-terminal", "移动售票机", "Mobile ticket terminals", "台", "units", 6, 4, None),
)
FLOOR_PLAN = {
    "width": 1000, "height": 700,
    "shapes": [
        {"kind": "path", "d": "M120 320 C260 360 300 470 480 370 S700 300 820 430", "label": {"zh": "主游线", "en": "Main trail"}},
        {"kind": "rect", "x": 140, "y": 440, "w": 190, "h": 150, "label": {"zh": "游客中心", "en": "Visitor centre"}},
        {"kind": "rect", "x": 390, "y": 290, "w": 190, "h": 150, "label": {"zh": "中心广场", "en": "Central square"}},
        {"kind": "rect", "x": 600, "y": 150, "w": 150, "h": 110, "label": {"zh": "索道下站", "en": "Cableway"}},
        {"kind": "water", "d": "M420 60 C520 120 600 100 680 60 L720 0 L400 0 Z", "label": {"zh": "云栖湖", "en": "Lake"}},
    ],
}  # fmt: skip


def seed(database: Database, config: Config) -> bool:
    """Fill an empty database with the demo organisation; False when there is an organisation already."""
    with database.read() as session:
        if session.scalar(select(Organisation.id).limit(1)) is not None:
            return False
    password = f"tocsin-{secrets.randbelow(900_000) + 100_000}"
    hashed = hash_password(password)
    made = database.write(lambda session: _fill(session, hashed))
    if made:
        _keep_sign_ins(config, password)
    return made


def sign_ins(config: Config) -> dict[str, Any] | None:
    """The demo's address and sign-ins, or None when this installation is no demo."""
    path = config.data_folder / SIGN_INS
    if not path.is_file():
        return None
    kept = json.loads(path.read_text())
    return {
        "url": config.origin,
        "sign_ins": [
            {
                "username": one.username,
                "password": kept["password"],
                "name": one.name,
                "role": one.role,
                "teams": [team for team, _ in one.posts],
            }
            for one in FIGURES
        ],
    }


def _keep_sign_ins(config: Config, password: str) -> None:
    config.data_folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(config.data_folder / SIGN_INS, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump({"password": password}, file)


def _fill(session: Session, hashed: str) -> bool:
    if session.scalar(select(Organisation.id).limit(1)) is not None:
        return False
    session.add(
        Organisation(
            id=new_id(), name={"zh": "云栖谷景区（演示）", "en": "Yunqi Valley scenic area (demo)"}, timezone="Asia/Shanghai",
            demo=True, settings={"holidays": []},
        )
    )  # fmt: skip
    teams = {kind: new_id() for kind, _, _ in TEAMS}
    for rank, (kind, zh, en) in enumerate(TEAMS):
        session.add(
            Team(
                id=teams[kind], kind=kind, title={"zh": zh, "en": en}, rank=rank, active=True,
                strength=STRENGTH.get(kind, {}),
            )
        )  # fmt: skip
    session.flush()
    for number, figure in enumerate(FIGURES):
        person = Person(
            id=new_id(), username=figure.username, name=figure.name, role=figure.role, phone=f"1390000{number + 1:04d}",
            locale="zh", password_hash=hashed, active=True,
        )  # fmt: skip
        session.add(person)
        session.flush()
        for team, post in figure.posts:
            session.add(Membership(id=new_id(), person=person.id, team=teams[team], role=post, rank=number))
            session.add(
                Duty(
                    id=new_id(), person=person.id, team=teams[team], kind="on", starts_at=now() - timedelta(hours=1), by=None,
                    occurred_at=now(), received_at=now(),
                )
            )  # fmt: skip
        session.flush()
        feed.touch(session, Contact(person))
    _fill_places(session)
    _fill_supplies(session)
    for file in PLANS:
        text = (LIBRARY / file).read_text()
        revision, _ = plans.keep(session, compile_plan(text, file), text, None)
        plans.approve_at_set_up(session, revision, "demo")
    return True


def _fill_places(session: Session) -> None:
    ids = {code: new_id() for code, *_ in PLACES}
    for code, parent, kind, zh, en, capacity, pin in PLACES:
        session.add(
            places.Place(
                id=ids[code], parent=ids[parent] if parent else None, kind=kind, title={"zh": zh, "en": en}, code=code,
                capacity=capacity, plan_pin={"x": pin[0], "y": pin[1]} if pin else None,
                floor_plan=FLOOR_PLAN if parent is None else None, lat=30.2741 if parent is None else None,
                lon=120.0551 if parent is None else None,
            )
        )  # fmt: skip
        session.flush()


def _fill_supplies(session: Session) -> None:
    store = session.scalar(select(places.Place.id).where(places.Place.code == "store"))
    for key, zh, en, unit_zh, unit_en, quantity, minimum, serial in SUPPLIES:
        ranges = [{"from": serial[0], "to": serial[1], "state": "stock"}] if serial else []
        session.add(
            supplies.Supply(
                id=new_id(), key=key, title={"zh": zh, "en": en}, unit={"zh": unit_zh, "en": unit_en}, place=store,
                quantity=quantity, minimum=minimum, serial=serial is not None, serials=ranges,
            )
        )  # fmt: skip
