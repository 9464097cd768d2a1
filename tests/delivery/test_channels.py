"""Robots, gateways, mail and others: what they send, how they are signed, and what their answers mean."""

import asyncio
import base64
import hashlib
import hmac
import logging
import socketserver
import threading
import urllib.parse
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from functools import partial
from typing import Any

import orjson
import pytest
from aiohttp import web

from server.clock import now
from server.delivery import gateways
from server.delivery.email import Email, MailServer
from server.delivery.gateways import ALIYUN_SMS, MODEM, Gateway, Template
from server.delivery.others import Others
from server.delivery.outcomes import Message, Outcome, Result
from server.delivery.robots import PER_MINUTE, Robot, Robots, gathered, signed
from server.delivery.together import together
from server.delivery.web_call import Call, Caller, Said
from server.domain.outbox import Claimed
from tests.delivery.mail import Mail
from tests.loops import run

LINK = "https://tocsin.example.org"
AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


def message(title: str = "启动预案", body: str = "请立即到位。", **address: str) -> Message:
    told = {"title": title, "body": body, "navigate": "/#/alerts/7"}
    return Message("d-1", address, {"notification": told}, "0" * 32, now() + timedelta(hours=1), True)


class Far:
    """The far side: keeps what it is asked and answers in turn, the last answer again and again."""

    def __init__(self, *answers: Said) -> None:
        self.calls: list[Call] = []
        self.answers = list(answers)

    async def __call__(self, call: Call) -> Said:
        self.calls.append(call)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def said(http_status: int = 200, /, **answer: Any) -> Said:
    return Said(http_status, orjson.dumps(answer))


OK = said(errcode=0, errmsg="ok")
WECOM = Robot("wecom", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=k")


def robots(far: Far, robot: Robot = WECOM) -> Robots:
    return Robots({"ops": robot}, far, LINK, lambda: 1_700_000_000.0, gather=0.01)


def test_a_robot_posts_title_text_and_link() -> None:
    far = Far(OK)
    assert run(lambda: robots(far).send(message(robot="ops"))) == Outcome(Result.ACCEPTED, status=200)
    (call,) = far.calls
    text = "启动预案\n请立即到位。\nhttps://tocsin.example.org/#/alerts/7"
    assert orjson.loads(call.body) == {"msgtype": "text", "text": {"content": text}}


@pytest.mark.parametrize(
    ("answer", "result", "again"),
    [
        (said(errcode=93000, errmsg="invalid webhook url"), Result.FAILED, False),
        (said(errcode=310000, errmsg="sign not match"), Result.FAILED, False),
        (said(code=19021, msg="sign match fail"), Result.FAILED, False),
        (said(StatusCode=0, StatusMessage="success"), Result.ACCEPTED, False),
        (said(code=0, msg="success"), Result.ACCEPTED, False),
        (said(errcode=45009, errmsg="api freq out of limit"), Result.THROTTLED, True),
        (said(errcode=130101, errmsg="send too fast"), Result.THROTTLED, True),
        (said(code=9499, msg="too many request"), Result.THROTTLED, True),
        (Said(200, b"<html>sign in"), Result.FAILED, True),
        (Said(200, b"[]"), Result.FAILED, True),
        (Said(200, b'{"errcode":"x"}'), Result.FAILED, True),
        (said(502), Result.FAILED, True),
        (said(404), Result.FAILED, False),
        (Said(302), Result.FAILED, False),
        (Said(0, fault="timed_out"), Result.FAILED, True),
    ],
)
def test_a_robots_word_counts_and_not_its_status(answer: Said, result: Result, again: bool) -> None:
    outcome = run(lambda: robots(Far(answer)).send(message(robot="ops")))
    assert outcome.result is result
    assert (outcome.retry_after is not None) is again


def test_an_unknown_robot_is_refused() -> None:
    far = Far(OK)
    assert run(lambda: robots(far).send(message(robot="gone"))).result is Result.BLOCKED
    assert far.calls == []


def test_dingtalk_and_feishu_are_signed_their_own_way() -> None:
    url, _ = signed(Robot("dingtalk", "https://oapi.dingtalk.com/robot/send?access_token=t", "SEC"), "x", 1_700_000_000)
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)
    expected = hmac.new(b"SEC", b"1700000000000\nSEC", hashlib.sha256).digest()
    assert query["timestamp"] == ["1700000000000"]
    assert base64.b64decode(query["sign"][0]) == expected
    _, document = signed(Robot("feishu", "https://open.feishu.cn/x", "SEC"), "x", 1_700_000_000)
    expected = hmac.new(b"1700000000\nSEC", b"", hashlib.sha256).digest()
    assert document["timestamp"] == "1700000000"
    assert base64.b64decode(document["sign"]) == expected
    assert signed(Robot("feishu", "u"), "x", 1)[1] == {"msg_type": "text", "content": {"text": "x"}}


def test_orders_that_come_together_are_named_in_the_order_they_were_given_the_urgent_first() -> None:
    def written(number: int, priority: int) -> tuple[Claimed, Message]:
        row = Claimed(
            f"d-{number}", "sms", "p", "zh", "a", f"r-{number}", None, "alert", {}, priority, 1, now(), now(), None, None, None, None
        )  # fmt: skip
        told = {"title": f"任务{number}", "data": {"incident": "i", "drill": False}}
        return row, message()._replace(delivery=row.id, payload={"notification": told})

    # As a database may give them: what is due at the same moment has no order there.
    ((rows, one),) = together([written(3, 1), written(1, 1), written(4, 0), written(2, 1)])
    assert [row.id for row in rows] == ["d-4", "d-1", "d-2", "d-3"]
    assert one.delivery == "d-4"
    assert one.payload["notification"]["body"] == "任务4；任务1；任务2；任务3"


def test_posts_that_come_together_are_one_post() -> None:
    far = Far(OK)

    async def crowd() -> list[Outcome]:
        channel = robots(far)
        texts = [message(f"通知{number % 3}", robot="ops") for number in range(15)]
        return list(await asyncio.gather(*map(channel.send, texts)))

    assert {outcome.result for outcome in run(crowd)} == {Result.ACCEPTED}
    (call,) = far.calls
    content = orjson.loads(call.body)["text"]["content"]
    assert [content.count(f"通知{number}") for number in range(3)] == [1, 1, 1]


def test_no_robot_posts_more_than_twenty_times_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    far, time, slept = Far(OK), [1000.0], []

    async def crowd() -> None:
        channel = robots(far)
        real_sleep = asyncio.sleep

        async def sleep(seconds: float) -> None:
            slept.append(seconds)
            time[0] += seconds
            await real_sleep(0)

        monkeypatch.setattr("server.delivery.robots.time.monotonic", lambda: time[0])
        monkeypatch.setattr("server.delivery.robots.asyncio.sleep", sleep)
        for number in range(PER_MINUTE + 1):
            await channel.send(message(str(number), robot="ops"))

    run(crowd)
    assert len(far.calls) == PER_MINUTE + 1
    assert sum(slept) >= 60


def test_a_gathered_post_is_cut_between_characters() -> None:
    assert len(gathered(["警钟" * 2000]).encode()) <= 2048
    assert gathered(["a", "b"]) == "a\n\nb"


def gateway(template: Template, far: Far, **options: Any) -> Gateway:
    return Gateway("sms", template, far, LINK, lambda: AT, **options)


def test_a_modem_is_asked_by_json_and_its_answer_read() -> None:
    far = Far(said(status="queued"), said(status="no_credit"))
    channel = gateway(MODEM, far)
    assert run(lambda: channel.send(message(number="+86 138-0000-0000"))).result is Result.ACCEPTED
    refused = run(lambda: channel.send(message(number="13800000000")))
    assert (refused.result, refused.detail, refused.retry_after) == (Result.FAILED, "refused_no_credit", None)
    asked = orjson.loads(far.calls[0].body)
    assert asked["to"] == "+8613800000000"
    assert asked["content"] == "启动预案 请立即到位。 https://tocsin.example.org/#/alerts/7"
    assert asked["reference"] == "d-1"


def test_a_provider_is_asked_with_a_signature_it_can_check() -> None:
    fields = {**ALIYUN_SMS.fields, "SignName": "景区 & 应急", "TemplateCode": "SMS_1"}
    template = Template(
        method="POST", url=ALIYUN_SMS.url, encoding="query", fields=fields, accepted="Code=OK", signing="aliyun-v3",
        action="SendSms", version="2017-05-25", key="id", secret="secret",
    )  # fmt: skip
    far = Far(said(Code="OK"))
    quoted = message(body='说"疏散"&{number}', number="13800000000")
    assert run(lambda: gateway(template, far).send(quoted)).result is Result.ACCEPTED
    (call,) = far.calls
    query = urllib.parse.urlsplit(call.url).query
    asked = dict(urllib.parse.parse_qsl(query))
    assert orjson.loads(asked["TemplateParam"])["text"].startswith('启动预案 说"疏散"&{number}')
    assert asked["SignName"] == "景区 & 应急"
    assert "+" not in query
    assert " " not in query
    names = "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version"
    lines = "".join(f"{name}:{call.headers[name]}\n" for name in names.split(";"))
    empty = hashlib.sha256(b"").hexdigest()
    canonical = f"POST\n/\n{query}\n{lines}\n{names}\n{empty}"
    to_sign = "ACS3-HMAC-SHA256\n" + hashlib.sha256(canonical.encode()).hexdigest()
    seal = hmac.new(b"secret", to_sign.encode(), hashlib.sha256).hexdigest()
    assert call.headers["Authorization"] == f"ACS3-HMAC-SHA256 Credential=id,SignedHeaders={names},Signature={seal}"
    assert call.headers["x-acs-date"] == "2026-11-22T08:00:00Z"


@pytest.mark.parametrize(
    ("answer", "result", "again"),
    [
        (said(Code="isv.BUSINESS_LIMIT_CONTROL"), Result.FAILED, False),
        (Said(200, b"not json"), Result.FAILED, False),
        (said(429), Result.THROTTLED, True),
        (said(503), Result.FAILED, True),
        (said(400), Result.FAILED, False),
        (Said(0, fault="unreachable"), Result.FAILED, True),
    ],
)
def test_a_gateways_answer_has_its_meaning(answer: Said, result: Result, again: bool) -> None:
    outcome = run(lambda: gateway(ALIYUN_SMS, Far(answer)).send(message(number="13800000000")))
    assert outcome.result is result
    assert (outcome.retry_after is not None) is again


@pytest.mark.parametrize("number", ["", "110;rm", "abc", "12", "+", "1" * 16])
def test_a_number_that_is_none_is_not_dialled(number: str) -> None:
    far = Far(OK)
    outcome = run(lambda: gateway(MODEM, far).send(message(number=number)))
    assert (outcome.result, far.calls) == (Result.BLOCKED, [])


def test_a_dry_run_sends_nothing_and_says_so() -> None:
    far = Far(OK)
    outcome = run(lambda: gateway(MODEM, far, dry_run=True).send(message(number="13800000000")))
    assert (outcome.detail, outcome.confirmed, far.calls) == ("dry_run", False, [])


def test_a_long_text_is_cut_and_keeps_its_link() -> None:
    text = gateways.short_text({"title": "题", "body": "长" * 500, "navigate": "/#/alerts/7"}, LINK)
    assert len(text) <= gateways.LONGEST_TEXT
    assert text.endswith("… https://tocsin.example.org/#/alerts/7")


def test_secrets_do_not_show_when_things_are_printed() -> None:
    template = Template(
        method="POST", url="https://x/?token=GEHEIM", headers={"A": "GEHEIM"}, key="GEHEIM", secret="GEHEIM"
    )
    things = [
        template,
        Robot("wecom", "https://x/?key=GEHEIM", "GEHEIM"),
        Call("POST", "https://x/?key=GEHEIM", b"GEHEIM", {"A": "GEHEIM"}),
        Said(200, b"GEHEIM"),
        MailServer("mail", 25, "a@example.org", password="GEHEIM"),
    ]
    assert "GEHEIM" not in repr(things)


def test_the_caller_follows_no_redirect_and_reads_no_more_than_it_must(caplog: pytest.LogCaptureFixture) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        if request.path == "/redirect":
            return web.Response(status=302, headers={"Location": "/other"})
        if request.path == "/hang":
            await asyncio.sleep(5)
        return web.Response(body=b"x" * 200_000)

    async def calls() -> list[Said]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        caller = Caller(deadline=0.4)
        urls = [f"{base}/redirect", f"{base}/large?key=GEHEIM", f"{base}/hang", "http://127.0.0.1:9/", "no address"]
        ends = [await caller(Call("GET", url)) for url in urls]
        await caller.close()
        await runner.cleanup()
        return ends

    with caplog.at_level(logging.INFO, "server"):
        redirect, large, hang, closed, malformed = run(calls)
    assert (redirect.status, asked) == (302, ["/redirect", "/large", "/hang"])
    assert (large.status, 0 < len(large.body) <= 65_536) == (200, True)
    assert [hang.fault, closed.fault, malformed.fault] == ["timed_out", "unreachable", "address_malformed"]


@pytest.fixture
def mail() -> Iterator[Email]:
    Mail.refuse, Mail.taken = {}, []
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        port = server.server_address[1]
        yield Email(MailServer("127.0.0.1", port, "tocsin@example.org", security="none"), LINK)
        server.shutdown()
        thread.join()


def test_a_mail_says_what_happened_and_where_to_answer(mail: Email) -> None:
    outcome = run(lambda: mail.send(message(title="启动\r\nBcc: x@evil.example", mailbox="duty@example.org")))
    assert (outcome.result, outcome.confirmed) == (Result.ACCEPTED, False)
    read = message_from_bytes(Mail.taken[0], policy=policy.default)
    assert read["Subject"] == "启动 Bcc: x@evil.example"
    assert read["Bcc"] is None
    assert read["Message-ID"] == "<d-1@example.org>"
    assert read.get_content().split() == ["请立即到位。", "https://tocsin.example.org/#/alerts/7"]


@pytest.mark.parametrize(
    ("refuse", "result", "again"),
    [
        ({"RCPT": "550 no such mailbox"}, Result.GONE, False),
        ({"MAIL": "451 later"}, Result.FAILED, True),
        ({"MAIL": "554 never"}, Result.FAILED, False),
        ({"DATA": "452 full"}, Result.FAILED, True),
    ],
)
def test_a_mail_servers_no_has_its_meaning(mail: Email, refuse: dict[str, str], result: Result, again: bool) -> None:
    Mail.refuse.update(refuse)
    outcome = run(lambda: mail.send(message(mailbox="duty@example.org")))
    assert outcome.result is result
    assert (outcome.retry_after is not None) is again


def test_a_mailbox_that_is_none_and_a_server_that_is_away() -> None:
    away = Email(MailServer("127.0.0.1", 9, "tocsin@example.org", security="none"), LINK)
    for mailbox in ("", "duty", "a@b@c", "a@b\r\nRCPT TO:<x@y>", "a b@c", "a@b,c@d"):
        assert run(partial(away.send, message(mailbox=mailbox))).result is Result.BLOCKED
    outcome = run(lambda: away.send(message(mailbox="duty@example.org")))
    assert (outcome.result, outcome.retry_after is not None) == (Result.FAILED, True)


@pytest.mark.parametrize(("taken", "result"), [(True, Result.ACCEPTED), (False, Result.FAILED)])
def test_what_goes_through_another_library_is_never_confirmed(taken: bool, result: Result) -> None:
    class Notifier:
        async def async_notify(self, title: str, body: str) -> bool:
            assert (title, body) == ("启动预案", "请立即到位。\nhttps://tocsin.example.org/#/alerts/7")
            return taken

    outcome = run(lambda: Others(Notifier(), LINK).send(message()))
    assert (outcome.result, outcome.confirmed) == (result, False)
