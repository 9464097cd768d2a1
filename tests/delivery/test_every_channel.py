"""One alert through the running worker and out by every door: signed, gathered, answered by its links; never a drill, never a secret."""

import asyncio
import base64
import hashlib
import hmac
import html
import logging
import re
import socketserver
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path
from threading import Thread
from typing import Any

import orjson
import pytest
import uvloop
from aiohttp import web
from sqlalchemy import select
from sqlalchemy.orm import Session

from server.clock import iso, now
from server.db import new_id
from server.delivery.email import Email, MailServer
from server.delivery.gateways import MODEM, Gateway
from server.delivery.others import opened
from server.delivery.outcomes import Channel
from server.delivery.robots import Robot, Robots
from server.delivery.web_call import Caller
from server.domain import messages, outbox, people, reachability
from server.domain.alerts import Answer
from server.domain.devices import Device, subscribe
from server.domain.outbox import Delivery
from server.domain.people import Membership, Person
from tests.cast import TICKETING, Stage
from tests.delivery.at_work import wait_until, working
from tests.delivery.mail import Mail
from tests.push_service import PushService
from tests.situation import ticketing

KEY = "k" * 40
LINK = "https://tocsin.example.org"
SECRETS = ("ROBOT-KEY", "DING-SECRET", "LARK-SECRET", "MODEM-PASSWORD", "APPRISE-TOKEN")
GUARDS = ("security_lead", "security_one", "security_two")
WAYS = {"sms": True, "voice": True, "email": True, "other": {"other": []}, "robot": {"we": [], "ding": [], "lark": []}}
LADDER = {
    "steps": [
        {"after_seconds": 0, "by": ["robot", "other"]},
        {"after_seconds": 30, "unless": "delivered", "by": ["sms", "email"]},
        {"after_seconds": 120, "by": ["voice"]},
    ]
}


class FarSide:
    """The services beyond the building, in a thread of their own: keep what they are asked, answer as each of them does."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Mapping[str, str], dict[str, Any]]] = []
        self.refused_numbers: set[str] = set()
        self.port = 0
        self._loop = uvloop.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(10)

    async def _open(self) -> None:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]

    async def _answer(self, request: web.Request) -> web.Response:
        said = orjson.loads(await request.read())
        self.asked.append((request.path, {**request.query, **request.headers}, said))
        if request.path in ("/sms", "/voice"):
            return web.json_response({"status": "refused" if said["to"] in self.refused_numbers else "queued"})
        return web.json_response({"code": 0} if request.path == "/lark" else {"errcode": 0})

    def at(self, path: str) -> list[dict[str, Any]]:
        """The documents one service has been sent."""
        return [said for one, _, said in list(self.asked) if one == path]

    def said_to(self, path: str, numbers: Mapping[str, str]) -> list[dict[str, Any]]:
        """What these people were sent; the incident's own alerts go to others as well."""
        return [said for said in self.at(path) if said["to"] in numbers.values()]

    def close(self) -> None:
        """End the services."""
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture
def far() -> Iterator[FarSide]:
    running = FarSide()
    yield running
    running.close()


@pytest.fixture
def mail_port() -> Iterator[int]:
    Mail.refuse, Mail.taken = {}, []
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def push() -> Iterator[PushService]:
    with PushService() as running:
        yield running


@pytest.fixture
def numbers(stage: Stage, push: PushService) -> dict[str, str]:
    """The guards take pushes and have a mailbox; their numbers."""

    def unit(session: Session) -> dict[str, str]:
        people.set_setting(session, "channels", WAYS)
        found = {}
        for name in GUARDS:
            phone, device = push.phone(), session.get(Device, stage.cast.devices[name])
            assert device is not None
            subscribe(session, device, phone.endpoint, push.origin, phone.point, phone.secret, "key")
            person = session.get(Person, stage.cast.people[name])
            assert person is not None
            person.mailbox = f"{name}@example.org"
            found[name] = str(person.phone)
        return found

    found = stage.database.write(unit)
    stage["admin"].put("/organisation/ladder", LADDER, 204)
    return found


@contextmanager
def open_doors(
    stage: Stage, push: PushService, far: FarSide, mail_port: int, folder: Path, **more: Any
) -> Iterator[None]:
    """The worker with every channel there is, each leading to the far side."""
    base, caller = f"http://127.0.0.1:{far.port}", Caller()
    robots = {
        "we": Robot("wecom", f"{base}/we?key=ROBOT-KEY"),
        "ding": Robot("dingtalk", f"{base}/ding?access_token=ROBOT-KEY", "DING-SECRET"),
        "lark": Robot("feishu", f"{base}/lark", "LARK-SECRET"),
    }
    modem = replace(MODEM, headers={"Authorization": "MODEM-PASSWORD"})
    channels: dict[str, Channel] = {
        "robot": Robots(robots, caller, LINK, gather=0.05),
        "sms": Gateway("sms", replace(modem, url=f"{base}/sms"), caller, LINK, now),
        "voice": Gateway("voice", replace(modem, url=f"{base}/voice"), caller, LINK, now),
        "email": Email(MailServer("127.0.0.1", mail_port, "tocsin@example.org", security="none"), LINK),
        "other": opened([f"json://127.0.0.1:{far.port}/other?-token=APPRISE-TOKEN"], LINK),
    }
    with working(stage.database, push, folder, channels=channels, caller=caller, secret_key=KEY, **more):
        yield


def order(stage: Stage, incident: str, title: str = "到售票厅维持秩序", **more: Any) -> str:
    body = {"incident": incident, "team": stage.cast.teams["security"], "title": title, "critical": True, **more}
    key = stage["commander"].fact("/orders", body)
    stage["commander"].sync()
    return str(stage["commander"].one("order", id=key)["alert"])


def answers(stage: Stage, alert: str) -> list[str]:
    with stage.database.read() as session:
        return list(session.scalars(select(Answer.kind).where(Answer.alert == alert)))


def answer_by_link(stage: Stage, text: str, kind: str = "received") -> str:
    """Open the link of a text twice, as a preview does too, then press its button; returns the page."""
    client, path = stage.app.test_client(), text.rpartition(LINK)[2].split()[0]
    page = [client.get(path).get_data(as_text=True) for _ in range(2)][1]
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
    assert answers(stage, hidden["alert"]) == [], "looking answers nothing"
    said = client.post(path, data={**hidden, "kind": kind}, headers={"Origin": "http://localhost"})
    assert said.status_code == 303
    assert answers(stage, hidden["alert"]) == [kind]
    return html.unescape(page)


def reach(stage: Stage, name: str) -> dict[str, tuple[str, str]]:
    """What is known of reaching somebody, by channel: the word and why."""
    with stage.database.read() as session:
        return {row.channel: (row.word, row.why) for row in reachability.rows_of(session, stage.cast.people[name])}


def test_one_alert_goes_out_by_every_door_and_its_links_answer(
    stage: Stage, push: PushService, far: FarSide, mail_port: int, numbers: dict[str, str], tmp_path: Path,
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    far.refused_numbers = {numbers["security_two"]}
    incident = ticketing(stage)
    with caplog.at_level(logging.DEBUG), open_doors(stage, push, far, mail_port, tmp_path):
        alert = order(stage, incident)
        push.wait_for(3)
        stage.move(seconds=3)
        wait_until(lambda: all(far.at(path) for path in ("/we", "/ding", "/lark", "/other")))
        stage.move(seconds=27)
        stage.move(seconds=3)
        wait_until(lambda: len(far.said_to("/sms", numbers)) == 3 and len(Mail.taken) == 3)
        wait_until(lambda: "sms" in reach(stage, "security_two"))
        texts = {one["to"]: one["content"] for one in far.said_to("/sms", numbers)}
        answer_by_link(stage, texts[numbers["security_one"]])
        stage.move(seconds=87)
        stage.move(seconds=3)
        wait_until(lambda: len(far.said_to("/voice", numbers)) == 2)
    assert {one["to"] for one in far.said_to("/voice", numbers)} == {numbers["security_lead"], numbers["security_two"]}
    _, asked, ding = next(one for one in far.asked if one[0] == "/ding")
    seal = hmac.digest(b"DING-SECRET", f"{asked['timestamp']}\nDING-SECRET".encode(), hashlib.sha256)
    assert base64.b64decode(asked["sign"]) == seal
    lark = far.at("/lark")[0]
    seal = hmac.digest(f"{lark['timestamp']}\nLARK-SECRET".encode(), b"", hashlib.sha256)
    assert base64.b64decode(lark["sign"]) == seal
    said = [
        lark["content"]["text"],
        ding["text"]["content"],
        far.at("/we")[0]["text"]["content"],
        far.at("/other")[0]["message"],
    ]
    assert all(f"{LINK}/g/" in one and "到售票厅维持秩序" in one for one in said)
    assert [len(far.at(path)) for path in ("/we", "/ding", "/lark", "/other")] == [1, 1, 1, 1]
    mail = message_from_bytes(Mail.taken[0], policy=policy.default)
    assert f"{LINK}/a/" in mail.get_content()
    assert reach(stage, "security_one")["sms"] == ("reachable", "accepted")
    assert reach(stage, "security_two")["sms"] == ("dead", "refused")
    assert reach(stage, "security_one")["email"] == ("unproven", "accepted")
    assert answers(stage, alert) == ["received"]
    out, err = capfd.readouterr()
    tokens = [texts[number].rpartition("/a/")[2] for number in texts]
    for secret in (*SECRETS, KEY, *numbers.values(), *tokens):
        assert secret not in caplog.text + out + err


def test_six_orders_to_one_leader_are_one_text_that_leads_to_all(
    stage: Stage, push: PushService, far: FarSide, mail_port: int, numbers: dict[str, str], tmp_path: Path
) -> None:
    incident = ticketing(stage)
    titles = [f"任务{number}" for number in range(6)]
    with open_doors(stage, push, far, mail_port, tmp_path):
        made = [order(stage, incident, title, audience="leaders") for title in titles]
        stage.move(seconds=30)
        stage["security_lead"].fact(f"/alerts/{made[5]}/answers", {"kind": "received"})
        stage.move(seconds=3)
        wait_until(lambda: len(far.said_to("/sms", numbers)) >= 1)
    (text,) = far.said_to("/sms", numbers)
    assert text["to"] == numbers["security_lead"]
    assert text["content"].startswith("5 条指令 任务0；任务1；任务2；任务3；任务4")
    page = answer_by_link(stage, text["content"])
    assert [title in page for title in titles] == [True, True, True, True, True, False]
    lead = Delivery.person == stage.cast.people["security_lead"]
    with stage.database.read() as session:
        sent = session.scalars(select(Delivery.outcome).where(Delivery.channel == "sms", lead)).all()
    assert sorted(map(str, sent)) == ["accepted"] * 5 + ["cancelled"]


def test_thirty_posts_into_one_chat_at_once_stay_under_its_twenty_a_minute(
    stage: Stage, push: PushService, far: FarSide, mail_port: int, tmp_path: Path
) -> None:
    incident = ticketing(stage)

    def crowd(session: Session) -> None:
        for number in range(30):
            line, title = {"zh": f"第{number}条。", "en": f"line {number}."}, {"zh": "故障", "en": "Failure"}
            until = now() + timedelta(hours=1)
            messages.post(session, "robot", "we", incident, f"kind-{number}", title, line, expires_at=until)

    stage.database.write(crowd)
    stage.move(seconds=3)
    with open_doors(stage, push, far, mail_port, tmp_path):
        wait_until(
            lambda: all(f"第{n}条" in "".join(one["text"]["content"] for one in far.at("/we")) for n in range(30))
        )
    assert len(far.at("/we")) <= 20


def test_a_dry_run_sends_nothing_by_any_door_and_says_what_it_would(
    stage: Stage, push: PushService, far: FarSide, mail_port: int, tmp_path: Path, numbers: dict[str, str],
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    with caplog.at_level(logging.INFO), open_doors(stage, push, far, mail_port, tmp_path, dry_run=True):
        order(stage, ticketing(stage))
        stage.move(seconds=30)
        stage.move(seconds=3)

        def over() -> bool:
            with stage.database.read() as session:
                rows = session.execute(select(Delivery.channel, Delivery.outcome)).all()
            return {row.channel for row in rows} == {"push", "robot", "other", "sms", "email"} and {
                row.outcome for row in rows
            } == {"dry_run"}

        wait_until(over)
    assert (far.asked, Mail.taken, push.requests) == ([], [], 0)
    said = caplog.text + "".join(capfd.readouterr())
    assert said.count("dry run: not sent") >= 5
    assert not any(number in said for number in numbers.values())
    assert all("sms" not in reach(stage, name) for name in GUARDS)


def test_a_drill_reaches_only_its_own_people_says_so_and_leaves_by_no_real_door(
    stage: Stage, push: PushService, far: FarSide, mail_port: int, numbers: dict[str, str], tmp_path: Path
) -> None:
    drill = stage["commander"].fact("/drills", {
        "plan": TICKETING, "title": "演练", "scheduled_at": iso(now()), "scenario": "断网", "risk_check": "已评估",
        "participants": [stage.cast.teams["security"]],
    })  # fmt: skip
    incident = new_id()
    stage["commander"].fact(f"/drills/{drill}/starts", {"incident": incident})
    alert = order(stage, incident)

    def force(session: Session) -> None:
        """What no verb does: a text, a call, a mail and posts about a drill are put into the outbox all the same."""
        for channel in ("sms", "voice", "email"):
            person = stage.cast.people["security_one"]
            row = session.scalars(select(Delivery).where(Delivery.subject == alert, Delivery.person == person)).first()
            assert row is not None
            assert messages.enqueue(
                session, channel, [(person, str(row.recipient))], alert, "alert", expires_at=row.expires_at
            )

    stage.database.write(force)
    stage.move(seconds=3)
    with open_doors(stage, push, far, mail_port, tmp_path):
        notes = push.wait_for(3)

        def blocked() -> list[tuple[str, str]]:
            with stage.database.read() as session:
                query = select(Delivery.channel, Delivery.outcome).where(Delivery.channel != "push")
                return sorted((row[0], str(row[1])) for row in session.execute(query))

        wait_until(lambda: blocked() == [("email", "drill"), ("sms", "drill"), ("voice", "drill")])
    assert (far.asked, Mail.taken) == ([], [])
    assert all(note.data["notification"]["title"].startswith("【演练】") for note in notes)
    assert all("sms" not in reach(stage, name) for name in GUARDS), "it says nothing about the channel"
    security = stage.cast.teams["security"]
    with stage.database.read() as session:
        members = set(session.scalars(select(Membership.person).where(Membership.team == security)))
        pushed = select(Delivery.person).where(Delivery.channel == "push", Delivery.state != outbox.CANCELLED)
        assert set(session.scalars(pushed)) <= members
