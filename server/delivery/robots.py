"""Work-chat robots (WeCom, DingTalk, Feishu): one post into a group's chat, signed, its answer read, never too many.

A robot answers HTTP 200 also when it refuses, so only the code inside its answer counts. Twenty posts a minute are
allowed: what comes faster is gathered into one post.
"""

import asyncio
import base64
import hashlib
import hmac
import time
import urllib.parse
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from server.delivery.circuits import back_off
from server.delivery.outcomes import Message, Outcome, Result
from server.delivery.web_call import Call, Said, WebCall

Kind = Literal["wecom", "dingtalk", "feishu"]
HOSTS: Mapping[Kind, str] = {
    "wecom": "qyapi.weixin.qq.com",
    "dingtalk": "oapi.dingtalk.com",
    "feishu": "open.feishu.cn",
}
PER_MINUTE = 20
GATHER_SECONDS = 1.0
MOST_GATHERED = 20
LONGEST_TEXT = 1800
"""UTF-8 bytes; the smallest of the three limits is 2,048 for WeCom."""

_BUSY = frozenset({45009, 130101, 9499, 11232, 302035})
"""What the three answer when posts come too fast."""


@dataclass(frozen=True, slots=True)
class Robot:
    """A robot in a chat: the address its chat gave it, the secret it signs with (DingTalk, Feishu), whose chat it is.

    `teams`: kinds of teams it posts for; none: for every team.
    """

    kind: Kind
    url: str
    secret: str = ""
    teams: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Without the address: whoever has it can post."""
        return f"Robot({self.kind})"


class Robots:
    """Posts to the robots the operator has set up; a message's address names one: `{"robot": name}`."""

    name = "robot"

    def __init__(
        self,
        robots: Mapping[str, Robot],
        call: WebCall,
        link: str,
        wall_time: Callable[[], float] = time.time,
        gather: float = GATHER_SECONDS,
    ) -> None:
        """`link`: where the app is, put before a message's place in it. `gather`: seconds in which posts are joined."""
        self._chats = {name: _Chat(robot, call, wall_time, gather) for name, robot in robots.items()}
        self._link = link

    async def send(self, message: Message) -> Outcome:
        """Post the message, together with others for the same chat."""
        chat = self._chats.get(str(message.address.get("robot")))
        if chat is None:
            return Outcome(Result.BLOCKED, detail="robot_unknown")
        told = message.payload["notification"]
        return await chat.post(
            f"{told['title']}\n{told.get('body', '')}\n{self._link}{told.get('navigate', '')}".strip()
        )


class _Chat:
    """One robot's queue."""

    def __init__(self, robot: Robot, call: WebCall, wall_time: Callable[[], float], gather: float) -> None:
        self._robot = robot
        self._call = call
        self._wall_time = wall_time
        self._gather = gather
        self._waiting: list[tuple[str, asyncio.Future[Outcome]]] = []
        self._posted: deque[float] = deque(maxlen=PER_MINUTE)
        self._task: asyncio.Task[None] | None = None

    async def post(self, text: str) -> Outcome:
        ended: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((text, ended))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())
        return await ended

    async def _work(self) -> None:
        while self._waiting:
            await asyncio.sleep(max(self._gather, self._wait()))
            count = fitting([text for text, _ in self._waiting[:MOST_GATHERED]])
            part, self._waiting = self._waiting[:count], self._waiting[count:]
            self._posted.append(time.monotonic())
            # the same text for several people of a chat is one post
            texts = list(dict.fromkeys(text for text, _ in part))
            try:
                outcome = await self._post(gathered(texts))
            except Exception:  # a robot must not leave its senders waiting
                outcome = Outcome(Result.FAILED, back_off(1), detail="robot_failed")
            for _, ended in part:
                if not ended.done():
                    ended.set_result(outcome)

    def _wait(self) -> float:
        if len(self._posted) < PER_MINUTE:
            return 0.0
        return max(60.0 - (time.monotonic() - self._posted[0]), 0.0)

    async def _post(self, text: str) -> Outcome:
        url, document = signed(self._robot, text, int(self._wall_time()))
        said = await self._call(Call("POST", url, orjson.dumps(document), {"Content-Type": "application/json"}))
        return judged(said)


def fitting(texts: list[str]) -> int:
    """How many of these, from the first, are one post without anything cut off; at least one."""
    size = 0
    seen: set[str] = set()
    for count, text in enumerate(texts):
        if text not in seen:
            size += len(text.encode("utf-8")) + (2 if seen else 0)
            seen.add(text)
        if size > LONGEST_TEXT:
            return max(count, 1)
    return len(texts)


def gathered(texts: list[str]) -> str:
    """Several messages as one post, cut where the smallest of the three would refuse it."""
    joined = "\n\n".join(texts)
    raw = joined.encode("utf-8")
    return joined if len(raw) <= LONGEST_TEXT else raw[:LONGEST_TEXT].decode("utf-8", "ignore") + "…"


def signed(robot: Robot, text: str, at: int) -> tuple[str, dict[str, Any]]:
    """Address and document of a post, signed the way each of the three wants it; `at` in seconds since 1970."""
    if robot.kind == "feishu":
        document: dict[str, Any] = {"msg_type": "text", "content": {"text": text}}
        if robot.secret:
            key = f"{at}\n{robot.secret}".encode()
            document |= {"timestamp": str(at), "sign": base64.b64encode(hmac.digest(key, b"", hashlib.sha256)).decode()}
        return robot.url, document
    document = {"msgtype": "text", "text": {"content": text}}
    if robot.kind == "dingtalk" and robot.secret:
        stamp = str(at * 1000)
        seal = hmac.digest(robot.secret.encode(), f"{stamp}\n{robot.secret}".encode(), hashlib.sha256)
        query = urllib.parse.urlencode({"timestamp": stamp, "sign": base64.b64encode(seal).decode()})
        return f"{robot.url}&{query}", document
    return robot.url, document


def judged(said: Said) -> Outcome:
    """What a robot's answer means; 200 with a code other than 0 is a refusal."""
    if said.fault:
        return Outcome(Result.FAILED, back_off(1), detail=said.fault)
    if said.status != 200:
        return Outcome(Result.FAILED, back_off(1) if said.status >= 429 else None, said.status)
    try:
        answer = orjson.loads(said.body)
        code = int(answer.get("errcode", answer.get("code", answer.get("StatusCode", -1))))
    except (orjson.JSONDecodeError, AttributeError, TypeError, ValueError):
        return Outcome(Result.FAILED, back_off(1), said.status, "answer_unreadable")
    if code == 0:
        return Outcome(Result.ACCEPTED, status=said.status)
    if code in _BUSY:
        return Outcome(Result.THROTTLED, 60.0, said.status, f"code_{code}")
    return Outcome(Result.FAILED, None, said.status, f"code_{code}")
