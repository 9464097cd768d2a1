"""Words in two languages, the clause a rule comes from, and the marks that tell a reader of these types what a string means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True)
class Ref:
    """Marks a string that names another rule of the same plan; `kind` is the kind of rule it must name."""

    kind: str


@dataclass(frozen=True)
class Key:
    """Marks a string that is the stable name of a rule: lower-case letters, digits, hyphens; dots where `dotted`."""

    dotted: bool = False


@dataclass(frozen=True)
class Url:
    """Marks a string that must be an https address."""


@dataclass(frozen=True)
class Zone:
    """Marks a string that must be an IANA time zone such as Asia/Shanghai."""


@dataclass(frozen=True)
class Words:
    """One text for people, in Simplified Chinese and in English."""

    zh: str
    en: str


@dataclass(frozen=True)
class Clause:
    """The place of the written plan a rule comes from: its number there, and what it says in our words."""

    ref: str
    words: Words


RuleKey = Annotated[str, Key()]
DottedKey = Annotated[str, Key(dotted=True)]
TeamRef = Annotated[str, Ref("team")]
PostRef = Annotated[str, Ref("post")]
FactRef = Annotated[str, Ref("fact")]
MeasureRef = Annotated[str, Ref("measure")]
OrderRef = Annotated[str, Ref("order")]
ChecklistRef = Annotated[str, Ref("checklist")]
ItemRef = Annotated[str, Ref("item")]
LadderRef = Annotated[str, Ref("ladder")]
LimitRef = Annotated[str, Ref("limit")]
ScaleRef = Annotated[str, Ref("scale")]
LevelRef = Annotated[str, Ref("level")]
PhaseRef = Annotated[str, Ref("phase")]
ZoneRef = Annotated[str, Ref("zone")]
TierRef = Annotated[str, Ref("tier")]
NoticeRef = Annotated[str, Ref("notice")]
ReportRef = Annotated[str, Ref("report")]
RouteRef = Annotated[str, Ref("route")]
LockRef = Annotated[str, Ref("lock")]
HttpsUrl = Annotated[str, Url()]
TimeZone = Annotated[str, Zone()]
