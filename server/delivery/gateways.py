"""SMS and voice through any gateway with an HTTP interface, described by a template instead of a program.

A template says method, address, headers and body with `{number}`, `{text}` and `{id}` where they belong, and what the
answer looks like when the gateway took the message. Two examples stand below: a provider's signed interface and a
modem in the house.
"""

import hashlib
import hmac
import re
import urllib.parse
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import orjson

from server.delivery.circuits import back_off
from server.delivery.outcomes import Message, Outcome, Result
from server.delivery.web_call import Call, Said, WebCall

_NUMBER = re.compile(r"\+?[0-9]{5,15}")
_HOLE = re.compile(r"\{(number|text|id)\}")
LONGEST_TEXT = 140
"""Characters; what is longer becomes several paid messages and arrives in pieces."""


@dataclass(frozen=True, slots=True)
class Template:
    """How a gateway is asked, and how its answer is read.

    `body`: a text with holes, form encoded or JSON by `encoding`; every value is escaped for its place.
    `accepted`: a path into the JSON answer and the value it has on success (`Code=OK`); empty: status 2xx is enough.
    `signing`: `aliyun-v3` signs with `key` and `secret`; empty: headers as they stand.
    """

    method: Literal["GET", "POST"]
    url: str = field(repr=False)
    encoding: Literal["form", "json", "query"] = "form"
    fields: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    accepted: str = ""
    signing: Literal["", "aliyun-v3"] = ""
    action: str = ""
    version: str = ""
    key: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)


ALIYUN_SMS = Template(
    method="POST",
    url="https://dysmsapi.aliyuncs.com/",
    encoding="query",
    fields={
        "PhoneNumbers": "{number}",
        "SignName": "",
        "TemplateCode": "",
        "TemplateParam": '{{"text":{text}}}',
        "OutId": "{id}",
    },
    accepted="Code=OK",
    signing="aliyun-v3",
    action="SendSms",
    version="2017-05-25",
)
"""A provider: SignName, TemplateCode, key and secret are the operator's."""

MODEM = Template(
    method="POST",
    url="http://modem.lan/api/messages",
    encoding="json",
    fields={"to": "{number}", "content": "{text}", "reference": "{id}"},
    accepted="status=queued",
)
"""A box with a SIM card that works without the internet."""


class Gateway:
    """Sends short texts; a message's address is `{"number": …}`."""

    def __init__(
        self,
        name: str,
        template: Template,
        call: WebCall,
        link: str,
        now: Callable[[], datetime],
        dry_run: bool = False,
    ) -> None:
        """`name`: sms or voice. `link`: where the app is. `dry_run` sends nothing and says so in the outcome."""
        self.name = name
        self._template = template
        self._call = call
        self._link = link
        self._now = now
        self._dry_run = dry_run

    async def send(self, message: Message) -> Outcome:
        """Send one text."""
        number = re.sub(r"[\s()-]", "", str(message.address.get("number", "")))
        if not _NUMBER.fullmatch(number):
            return Outcome(Result.BLOCKED, detail="number_malformed")
        holes = {
            "number": number,
            "text": spoken(message.payload["notification"])
            if self.name == "voice"
            else short_text(message.payload["notification"], self._link),
            "id": message.delivery,
        }
        call = filled(self._template, holes, self._now(), str(uuid.uuid4()))
        if self._dry_run:
            return Outcome(Result.ACCEPTED, detail="dry_run", confirmed=False)
        return judged(await self._call(call), self._template, message.attempt)


def short_text(told: Mapping[str, Any], link: str) -> str:
    """Title, then as much of the text as fits, then the link that opens the alert; opening it answers nothing."""
    where = f" {link}{told.get('navigate', '')}" if link else ""
    words = f"{told['title']} {told.get('body', '')}".strip()
    room = max(LONGEST_TEXT - len(where), 20)
    return (words if len(words) <= room else words[: room - 1] + "…") + where


def spoken(told: Mapping[str, Any]) -> str:
    """Title and text without the link, which nobody can hear."""
    words = f"{told['title']} {told.get('body', '')}".strip()
    return words if len(words) <= LONGEST_TEXT else words[: LONGEST_TEXT - 1] + "…"


def filled(template: Template, holes: Mapping[str, str], at: datetime, nonce: str) -> Call:
    """The call with every hole filled and, where wanted, signed."""
    values = {name: _fill(text, holes) for name, text in template.fields.items()}
    headers, url, body = dict(template.headers), template.url, b""
    if template.encoding == "json":
        body = orjson.dumps(values)
        headers.setdefault("Content-Type", "application/json")
    elif template.encoding == "form":
        body = urllib.parse.urlencode(values).encode()
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    query = (
        urllib.parse.urlencode(sorted(values.items()), quote_via=urllib.parse.quote)
        if template.encoding == "query"
        else ""
    )
    if template.signing == "aliyun-v3":
        headers |= _aliyun_headers(template, query, body, at, nonce)
    if query:
        url += ("&" if "?" in url else "?") + query
    return Call(template.method, url, body, headers)


def judged(said: Said, template: Template, attempt: int) -> Outcome:
    """What a gateway's answer means: a status of 2xx alone counts only when the template asks for nothing more."""
    if said.fault:
        return Outcome(Result.FAILED, back_off(attempt), detail=said.fault)
    if said.status == 429:
        return Outcome(Result.THROTTLED, max(back_off(attempt), 5.0), said.status)
    if not 200 <= said.status < 300:
        return Outcome(Result.FAILED, back_off(attempt) if said.status >= 500 else None, said.status)
    if not template.accepted:
        return Outcome(Result.ACCEPTED, status=said.status, confirmed=False)
    path, _, wanted = template.accepted.partition("=")
    try:
        found: Any = orjson.loads(said.body)
        for step in path.split("."):
            found = found[int(step)] if isinstance(found, list) else found[step]
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError, ValueError):
        return Outcome(Result.FAILED, None, said.status, "answer_unreadable")
    if str(found) == wanted:
        return Outcome(Result.ACCEPTED, status=said.status)
    word = re.sub(r"[^A-Za-z0-9_.-]", "", str(found))[:40]
    return Outcome(Result.FAILED, None, said.status, f"refused_{word}")


def _fill(text: str, holes: Mapping[str, str]) -> str:
    """Fill the holes; `{{` … `}}` marks a value that is itself JSON, in which the holes are JSON strings."""
    if text.startswith("{{") and text.endswith("}}"):
        return _HOLE.sub(lambda hole: orjson.dumps(holes[hole[1]]).decode(), text[1:-1])
    return _HOLE.sub(lambda hole: holes[hole[1]], text)


def _aliyun_headers(template: Template, query: str, body: bytes, at: datetime, nonce: str) -> dict[str, str]:
    """Aliyun's signature version 3 (ACS3-HMAC-SHA256) over method, query, headers and body."""
    parts = urllib.parse.urlsplit(template.url)
    digest = hashlib.sha256(body).hexdigest()
    signed = {
        "host": parts.netloc,
        "x-acs-action": template.action,
        "x-acs-content-sha256": digest,
        "x-acs-date": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": nonce,
        "x-acs-version": template.version,
    }
    names = ";".join(sorted(signed))
    lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
    canonical = f"{template.method}\n{parts.path or '/'}\n{query}\n{lines}\n{names}\n{digest}"
    to_sign = "ACS3-HMAC-SHA256\n" + hashlib.sha256(canonical.encode()).hexdigest()
    seal = hmac.new(template.secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    authorization = f"ACS3-HMAC-SHA256 Credential={template.key},SignedHeaders={names},Signature={seal}"
    return {**signed, "Authorization": authorization}
