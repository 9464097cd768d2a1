"""The operator's channels beside push, read from one TOML file (`TOCSIN_CHANNELS`) that only the owner may read.

dry_run = true                       # nothing leaves; outcomes say so

[robots.operations]
kind = "wecom"                       # wecom, dingtalk, feishu
url = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…"
teams = ["security"]                 # kinds of teams it posts for; left out: every team

[sms]
like = "modem"                       # modem, aliyun, or every field by hand
url = "http://192.168.1.20/api/messages"

[email]
host = "mail.example.org"
port = 587
sender = "tocsin@example.org"

[other]
urls = ["matrixs://…"]               # any address Apprise knows; needs the extra `others`, and is never confirmed
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from server.delivery import others
from server.delivery.email import Email, MailServer
from server.delivery.gateways import ALIYUN_SMS, MODEM, Gateway, Template
from server.delivery.outcomes import Channel, Message, Outcome, Result
from server.delivery.robots import HOSTS, Robot, Robots
from server.delivery.web_call import WebCall

LIKE = {"aliyun": ALIYUN_SMS, "modem": MODEM}
KNOWN = {"dry_run", "robots", "sms", "voice", "email", "other"}

T = TypeVar("T")


class ChannelsFault(RuntimeError):
    """The channels file cannot be used; the text says what and where, and holds no secret."""


class DryRun:
    """Stands for a channel without sending anything."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def send(self, message: Message) -> Outcome:
        """Nothing is sent, and the outcome says so."""
        return Outcome(Result.ACCEPTED, detail="dry_run", confirmed=False)


def open_channels(path: Path, call: WebCall, link: str, now: Callable[[], datetime]) -> dict[str, Channel]:
    """The channels the file sets up, by name. Raises ChannelsFault."""
    found = _read(path)
    channels: dict[str, Channel] = {}
    if "robots" in found:
        robots = {name: _robot(name, given) for name, given in _table(found["robots"], "robots").items()}
        channels["robot"] = Robots(robots, call, link)
    for name in ("sms", "voice"):
        if name in found:
            channels[name] = Gateway(name, _template(name, found[name]), call, link, now)
    if "email" in found:
        channels["email"] = Email(_made(MailServer, found["email"], "email"), link)
    if "other" in found:
        channels["other"] = _other(found["other"], link)
    return {name: DryRun(name) for name in channels} if found.get("dry_run") else channels


def ways_of(path: Path) -> dict[str, Any]:
    """The channels by name as the organisation's settings keep them: for chats whose they are, for the others True.

    Nothing in it is secret. Raises ChannelsFault.
    """
    found = _read(path)
    ways: dict[str, Any] = {name: True for name in ("sms", "voice", "email") if name in found}
    if "robots" in found:
        robots = _table(found["robots"], "robots")
        ways["robot"] = {name: list(_robot(name, given).teams) for name, given in robots.items()}
    if "other" in found:
        ways["other"] = {"other": []}
    return ways


def _other(given: Any, link: str) -> Channel:
    try:
        return others.opened(_urls(given), link)
    except ValueError as error:
        raise ChannelsFault(f"other: {error}") from None


def _urls(given: Any) -> list[str]:
    urls = _table(given, "other").get("urls")
    _only_known(given, {"urls"}, "other")
    if not isinstance(urls, list) or not urls or not all(isinstance(one, str) for one in urls):
        raise ChannelsFault("other.urls must be a list of addresses")
    if not others.INSTALLED:
        raise ChannelsFault("other: Apprise is not installed; install the extra `others`")
    return urls


def _read(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_mode & 0o077:
            raise ChannelsFault(f"{path} may be read by others; run: chmod 600 {path}")
        found = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ChannelsFault(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ChannelsFault(f"{path} is not TOML: {error}") from None
    _only_known(found, KNOWN, str(path))
    return found


def _robot(name: str, given: Any) -> Robot:
    values = dict(_table(given, f"robots.{name}"))
    teams = values.pop("teams", [])
    if not isinstance(teams, list) or not all(isinstance(one, str) for one in teams):
        raise ChannelsFault(f"robots.{name}.teams must be a list of kinds of teams")
    robot = replace(_made(Robot, values, f"robots.{name}"), teams=tuple(teams))
    parts = urlsplit(robot.url)
    if robot.kind not in HOSTS or parts.scheme != "https" or parts.hostname != HOSTS[robot.kind]:
        raise ChannelsFault(f"robots.{name}: kind and https address do not belong together")
    return robot


def _template(name: str, given: Any) -> Template:
    values = dict(_table(given, name))
    like = values.pop("like", None)
    if like is None:
        return _made(Template, values, name)
    if like not in LIKE:
        raise ChannelsFault(f"{name}.like must be one of {', '.join(LIKE)}")
    _only_known(values, {field.name for field in fields(Template)}, name)
    for part in ("fields", "headers"):
        values[part] = {**getattr(LIKE[like], part), **_table(values.get(part, {}), f"{name}.{part}")}
    return replace(LIKE[like], **values)


def _made(kind: Callable[..., T], given: Any, where: str) -> T:
    values = _table(given, where)
    _only_known(values, {field.name for field in fields(kind)}, where)  # type: ignore[arg-type]
    try:
        return kind(**values)
    except TypeError:
        raise ChannelsFault(f"{where}: a field is missing") from None


def _table(given: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(given, dict):
        raise ChannelsFault(f"{where} must be a table")
    return given


def _only_known(given: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(given) - known)
    if unknown:
        raise ChannelsFault(f"{where}: unknown {', '.join(unknown)}")
