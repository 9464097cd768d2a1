"""The short phrases of the plan language: numbers, lengths of time, cadences and conditions."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final, Literal

from server.domain.rules.conditions import COMPARISONS, Condition, Value
from server.domain.rules.lengths import TIME_UNITS, Cadence, Length
from server.domain.rules.situations import MeasureRule

MAX_SPAN_SECONDS: Final = 400 * TIME_UNITS["d"]
UNIT_WORDS: Final = {
    "s": "s", "sec": "s", "second": "s", "seconds": "s", "秒": "s",
    "min": "min", "minute": "min", "minutes": "min", "分": "min", "分钟": "min",
    "h": "h", "hour": "h", "hours": "h", "小时": "h", "时": "h",
    "d": "d", "day": "d", "days": "d", "天": "d", "日": "d",
}  # fmt: skip
DAY_ENDS: Final = {"end of day": 0, "当日": 0, "当天": 0, "end of next day": 1, "next day": 1, "次日": 1, "第二天": 1}
AT_ONCE: Final = ("at once", "立即")
WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_NUMBER = re.compile(r"-?(0|[1-9]\d{0,11})(\.\d{1,6})?")
_SPAN = re.compile(r"((?:0|[1-9]\d*)(?:\.\d+)?)\s*([a-z]+|[\u4e00-\u9fff]+)")
_MEASURED = re.compile(r"measured ([a-z][a-z0-9.-]*)(?: less (.+))?")
_EVERY = re.compile(r"every (\d{1,3}) (day|week|month|year)s?")
_TOKEN = re.compile(
    r"\s*(?:(?P<op><=|>=|!=|<|>|=|≤|≥|＜|＞)|(?P<mark>[()（）])|(?P<number>-?\d[\w.]*)"
    r"|(?P<word>[A-Za-z][A-Za-z0-9._-]*)|(?P<han>且|或|非|为|[秒分小时钟天日]+)|(?P<percent>%)|(?P<other>\S))"
)
_HAN = {"且": "and", "或": "or", "非": "not", "为": "is"}
_SIGNS = {"≤": "<=", "≥": ">=", "＜": "<", "＞": ">"}


class PhraseError(Exception):
    """A phrase is not of the language; carries the sentence in both languages and the word that is not known."""

    def __init__(self, zh: str, en: str, unknown: str | None = None) -> None:
        super().__init__(en)
        self.zh, self.en, self.unknown = zh, en, unknown


def number(text: str) -> int | float:
    """A plain decimal; full-width digits count as digits. Raises PhraseError."""
    plain = unicodedata.normalize("NFKC", text).strip()
    if not _NUMBER.fullmatch(plain):
        raise PhraseError(f"“{text}”不是普通十进制数。", f"{text!r} is not a plain decimal number.")
    value = Decimal(plain)
    return int(value) if value == value.to_integral_value() else float(value)


def length(text: str) -> Length:
    """A length of time. Raises PhraseError.

    `15 min`, `15分钟`, `1 h 30 min`, `2 d`, `30 s`; `end of day`/`当日`, `next day`/`次日`; `at once`/`立即`;
    `measured ups.runtime less 5 min` (the unit comes from the measure). At least one second, at most 400 days.
    """
    plain = unicodedata.normalize("NFKC", text).strip().lower()
    if plain in DAY_ENDS:
        return Length("end_of_day", days=DAY_ENDS[plain])
    if plain in AT_ONCE:
        return Length("at_once")
    measured = _MEASURED.fullmatch(plain)
    if measured:
        less = length(measured.group(2)).seconds if measured.group(2) else 0
        return Length("measured", seconds=less, measure=measured.group(1))
    seconds = _span_seconds(plain, text)
    if not 1 <= seconds <= MAX_SPAN_SECONDS:
        raise PhraseError(f"时长“{text}”超出范围（1 秒至 400 天）。", f"{text!r} is not between 1 second and 400 days.")
    return Length("span", int(seconds))


def _span_seconds(plain: str, text: str) -> Decimal:
    seconds, at = Decimal(0), 0
    while at < len(plain):
        found = _SPAN.match(plain, at)
        unit = UNIT_WORDS.get(found.group(2)) if found else None
        if not found or not unit or len(found.group(1)) > 12:
            raise PhraseError(
                f"“{text}”不是时长；写法如“15 min”“15分钟”“2 h”“end of day”。",
                f"{text!r} is not a length of time; write 15 min, 2 h, 2 d, end of day, next day or at once.",
            )
        seconds += Decimal(found.group(1)) * TIME_UNITS[unit]
        at = found.end()
        at += len(plain) - at - len(plain[at:].lstrip())
    if seconds != seconds.to_integral_value():
        raise PhraseError(f"“{text}”不是整秒。", f"{text!r} is not a whole number of seconds.")
    return seconds


def cadence(text: str) -> Cadence:
    """How often: `daily`, `daily 04:00`, `weekly friday`, `monthly`, `quarterly`, `yearly`, `every 6 months`, `each shift`,
    `on occasion`. Raises PhraseError."""
    plain = unicodedata.normalize("NFKC", text).strip().lower()
    every = _EVERY.fullmatch(plain)
    if every and int(every.group(1)) > 0:
        units: dict[str, Literal["day", "week", "month", "year"]] = {
            "day": "day", "week": "week", "month": "month", "year": "year",
        }  # fmt: skip
        return Cadence(int(every.group(1)), units[every.group(2)])
    first, _, rest = plain.partition(" ")
    if first == "daily" and (not rest or re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", rest)):
        return Cadence(1, "day", at=rest or None)
    if first == "weekly" and (not rest or rest in WEEKDAYS):
        return Cadence(1, "week", weekday=WEEKDAYS.index(rest) if rest else None)
    fixed = {
        "monthly": Cadence(1, "month"),
        "quarterly": Cadence(3, "month"),
        "yearly": Cadence(1, "year"),
        "each shift": Cadence(1, "shift"),
        "on occasion": Cadence(1, "occasion"),
    }
    if plain in fixed:
        return fixed[plain]
    raise PhraseError(
        f"“{text}”不是周期；写法如 daily 04:00、weekly friday、monthly、every 6 months。",
        f"{text!r} is not a cadence; write daily 04:00, weekly friday, monthly, quarterly, yearly or every 6 months.",
    )


def condition(text: str, measures: Mapping[str, MeasureRule], is_fact: Callable[[str], bool]) -> Condition:
    """A condition such as `heat.loss >= 50 % and heat.minutes > 120 min`. Raises PhraseError.

    `and`, `or`, `not`, round brackets (且、或、非 too); `name < <= > >= = != number [unit]`; `name is option`;
    `name` alone: a yes/no measure that is true, or a fact that has happened. Time units are converted to the measure's.
    """
    return _ConditionReader(text, measures, is_fact).read()


class _ConditionReader:
    def __init__(self, text: str, measures: Mapping[str, MeasureRule], is_fact: Callable[[str], bool]) -> None:
        self.text, self.measures, self.is_fact = text, measures, is_fact
        self.at, self.depth = 0, 0
        self.tokens = [(_token_kind(found), _token_text(found)) for found in _TOKEN.finditer(text)]

    def read(self) -> Condition:
        found = self.joined("or", "any")
        if self.at < len(self.tokens):
            self.fail()
        return found

    def joined(self, word: str, op: Literal["any", "all"]) -> Condition:
        parts = [self.joined("and", "all") if op == "any" else self.single()]
        while self.peek() == word:
            self.at += 1
            parts.append(self.joined("and", "all") if op == "any" else self.single())
        return parts[0] if len(parts) == 1 else Condition(op, parts=tuple(parts))

    def single(self) -> Condition:
        self.depth += 1
        if self.depth > 50:
            self.fail()
        if self.peek() == "not":
            self.at += 1
            return Condition("not", parts=(self.single(),))
        if self.peek() == "(":
            self.at += 1
            found = self.joined("or", "any")
            if self.peek() != ")":
                self.fail()
            self.at += 1
            return found
        return self.leaf()

    def leaf(self) -> Condition:
        if self.at >= len(self.tokens) or self.tokens[self.at][0] != "word":
            self.fail()
        name = self.tokens[self.at][1]
        self.at += 1
        measure = self.measures.get(name)
        if measure is None:
            if self.is_fact(name):
                return Condition("fact", name)
            raise PhraseError(f"没有名为“{name}”的指标或事实。", f"No measure or fact is called {name!r}.", name)
        op = self.peek()
        if op == "is":
            self.at += 1
            return Condition("=", name, self.option(measure))
        if op in COMPARISONS:
            self.at += 1
            return Condition(op, name, self.bound(measure))  # type: ignore[arg-type]
        if measure.kind != "flag":
            self.fail()
        return Condition("flag", name)

    def option(self, measure: MeasureRule) -> Value:
        word = self.peek()
        if word not in {option.key for option in measure.options}:
            zh = f"“{measure.key}”没有选项“{word}”。"
            raise PhraseError(zh, f"{measure.key} has no option {word!r}.", word)
        self.at += 1
        return word

    def bound(self, measure: MeasureRule) -> int | float:
        if measure.kind not in ("number", "elapsed") or self.at >= len(self.tokens):
            self.fail()
        value = number(self.tokens[self.at][1])
        self.at += 1
        unit = self.peek()
        if not unit or unit in ("and", "or", ")"):
            return value
        self.at += 1
        if unit == measure.unit:
            return value
        scale, own = TIME_UNITS.get(UNIT_WORDS.get(unit, "")), TIME_UNITS.get(measure.unit)
        if not scale or not own:
            zh = f"“{measure.key}”的单位是“{measure.unit}”，不是“{unit}”。"
            raise PhraseError(zh, f"{measure.key} is counted in {measure.unit!r}, not {unit!r}.")
        exact = Decimal(str(value)) * scale / own
        return int(exact) if exact == exact.to_integral_value() else float(exact)

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def fail(self) -> None:
        near = self.peek() or "…"
        raise PhraseError(
            f"条件“{self.text}”在“{near}”处读不懂。", f"The condition {self.text!r} cannot be read at {near!r}."
        )


def _token_kind(found: re.Match[str]) -> str:
    return found.lastgroup or "other"


def _token_text(found: re.Match[str]) -> str:
    text = found.group(found.lastgroup or 0)
    text = {"（": "(", "）": ")"}.get(text, text)
    return _HAN.get(text, _SIGNS.get(text, text))
