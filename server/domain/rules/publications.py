"""What leaves the response in words: notices to the public per channel, and reports with the fields they must have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from server.domain.rules.lengths import Length
from server.domain.rules.situations import Option
from server.domain.rules.words import Clause, FactRef, PhaseRef, RuleKey, TeamRef, Words

Channel = Literal["screen", "poster", "site", "sms", "account", "broadcast", "hotline", "in_person", "internal"]
NoticeField = Literal["eta", "cause", "progress", "place", "time", "contact", "level"]


@dataclass(frozen=True, kw_only=True)
class NoticeRule:
    """Public wording, the same on every channel; `{eta}` and the other names of `fields` are filled in when approved."""

    key: RuleKey
    title: Words
    kind: Literal["warning", "notice", "update", "all_clear", "correction", "press"] = "notice"
    channels: tuple[Channel, ...]
    text: Words
    fields: tuple[NoticeField, ...] = ()
    phase: PhaseRef | None = None
    prepared_by: TeamRef
    approved_by: TeamRef
    speaker: Words | None = None
    clause: Clause


@dataclass(frozen=True, kw_only=True)
class FieldRule:
    """One field a report must have."""

    key: RuleKey
    title: Words
    kind: Literal["text", "number", "time", "place", "choice", "people", "money", "yes_no"] = "text"
    unit: str = ""
    options: tuple[Option, ...] = ()
    required: bool = True


@dataclass(frozen=True, kw_only=True)
class ReportRule:
    """A report to `to` (a team or an authority), due `within` of `starts`, with the fields of its set and its own."""

    key: RuleKey
    title: Words
    set: str | None = None
    fields: tuple[FieldRule, ...] = ()
    owner: TeamRef
    to: Words
    starts: FactRef | None = None
    within: Length | None = None
    chain: bool = False
    clause: Clause
