"""What a marked string may be: the name of another rule, a key, a public address, a time zone."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from server.domain.rules.words import Key, Ref, Url, Zone
from server.planning.names import Names

KEY = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
DOTTED_KEY = re.compile(r"[a-z][a-z0-9]*([-_.][a-z0-9]+)*")
_ZONES = available_timezones()

_KIND_WORDS = {
    "team": "组", "post": "岗位", "fact": "事实", "measure": "指标", "order": "指令", "checklist": "检查单", "item": "检查项",
    "limit": "时限", "scale": "级别体系", "level": "级别", "phase": "阶段", "zone": "区域", "tier": "手工分级",
    "notice": "公告", "report": "报告", "route": "报告路线", "ladder": "通知阶梯", "lock": "可锁定对象",
}  # fmt: skip


@dataclass(frozen=True)
class Misfit:
    """Why a string does not fit its mark, and the words that would."""

    code: str
    zh: str
    en: str
    known: Collection[str] = ()


def misfit_of(mark: Any, word: str, names: Names, items: Collection[str]) -> Misfit | None:
    """What is wrong with a string under its mark, or None; `items` are those of the checklist around it."""
    if isinstance(mark, Ref):
        known = items if mark.kind == "item" else names.by_kind[mark.kind]
        if word not in known:
            zh = f"没有名为“{word}”的{_KIND_WORDS[mark.kind]}。"
            return Misfit(f"unknown_{mark.kind}", zh, f"No {mark.kind} is called {word!r}.", known)
    elif isinstance(mark, Key):
        if len(word) > 60 or not (DOTTED_KEY if mark.dotted else KEY).fullmatch(word):
            zh = f"名称“{word}”只能用小写字母、数字和连字符，以字母开头，不超过 60 字。"
            return Misfit("key_form", zh, f"The key {word!r} must be lower-case letters, digits and hyphens.")
    elif isinstance(mark, Url) and not _is_public_https(word):
        return Misfit("url", "链接只能是公开的 https 地址。", "A link must be a public https address.")
    elif isinstance(mark, Zone) and word not in _ZONES:
        zh, en = f"没有时区“{word}”，写法如 Asia/Shanghai。", f"There is no time zone {word!r}; write Asia/Shanghai."
        return Misfit("timezone", zh, en, _ZONES)
    return None if word.strip() else Misfit("blank", "这里不能为空。", "This must not be blank.")


def _is_public_https(address: str) -> bool:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    named = "." in host and not re.fullmatch(r"[\d.]+|.*\.(local|internal|lan|localhost|home|corp)", host)
    return parts.scheme == "https" and named and port in (None, 443) and not parts.username and ":" not in host
