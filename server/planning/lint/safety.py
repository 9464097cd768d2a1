"""Safety: physical facts that contradict each other (LINT-7), and asking for a phone where none may be used (LINT-12)."""

from __future__ import annotations

import itertools
import re

from server.domain.rules.situations import SafetyFact
from server.planning.compiler import Compiled
from server.planning.findings import Finding
from server.planning.lint.report import Report, texts_in

_LOWER_LIMIT = re.compile(r"爆炸(?:极限|下限)[^\d。；]{0,8}?(?:为|是|：|约)\s*(\d+(?:\.\d+)?)\s*[%％]")
_PHONE = re.compile(r"手机|对讲机|移动电话|\bphones?\b|\bradios?\b", re.IGNORECASE)
_BAN = re.compile(r"不准|禁止|严禁|不得|\bno\b|\bnever\b|\bnobody\b|must not|forbidden", re.IGNORECASE)


def look(report: Report) -> None:
    """Physical facts and phone bans of one plan."""
    first: dict[tuple[str, str, str], SafetyFact] = {}
    for fact in report.plan.safety_facts:
        before = first.setdefault((fact.subject, fact.title.zh, fact.unit), fact)
        if _contradict(before, fact):
            _say(report, fact, before)
    limits = [fact for fact in report.plan.safety_facts if "爆炸下限" in fact.title.zh]
    for path, words in texts_in(report.plan) if limits else ():
        for value in _LOWER_LIMIT.findall(words.zh):
            for fact in limits:
                if report.full:
                    return
                if float(value) != float(fact.value) and not path.startswith(("safety_facts", "notes")):
                    _say(report, fact, None, path, value)
    _phones(report)


def look_together(plans: list[Compiled]) -> list[Finding]:
    """LINT-7 across plans: the same fact about the same substance with two values."""
    found: list[Finding] = []
    for one, other in itertools.combinations(plans, 2):
        for first, second in itertools.product(one.plan.safety_facts, other.plan.safety_facts):
            if _contradict(first, second):
                report = Report(other)
                _say(report, second, first)
                found += report.findings
    return found


def _contradict(one: SafetyFact, other: SafetyFact) -> bool:
    same = one.subject == other.subject and one.title.zh == other.title.zh and one.unit == other.unit
    return same and one.value != other.value


def _say(report: Report, fact: SafetyFact, other: SafetyFact | None, path: str = "", value: str = "") -> None:
    against = f"{other.value:g}" if other else value
    report.add(
        "LINT-7",
        path or f"safety_facts.{fact.key}",
        (
            f"安全数据矛盾：“{fact.title.zh}”为 {fact.value:g} {fact.unit}，别处写 {against}。",
            f"Safety facts contradict each other: {fact.title.en} is {fact.value:g} {fact.unit} here and {against} elsewhere.",
        ),
        (
            "查证安全技术说明书，只留一个值；未查清前取更安全的一个。",
            "Check the safety data sheet and keep one value; until then the safer one.",
        ),
    )


def _phones(report: Report) -> None:
    plan = report.plan
    banned = {zone.key for zone in plan.zones if zone.no_phone}
    for order in plan.orders:
        asks = order.answers or order.read_back or order.checklist
        if order.zone in banned and asks and order.answer_from != "outside":
            report.add(
                "LINT-12",
                f"orders.{order.key}",
                (
                    f"“{order.title.zh}”在禁用手机的区域内要求用手机回执。",
                    f"“{order.title.en}” asks for a tap where phones are banned.",
                ),
                (
                    "改为 answer_from: outside，由区域外的人代报。",
                    "Set answer_from: outside, so that someone outside answers.",
                ),
            )
    rules = [(f"prohibitions.{one.key}", one.words, one.zone in banned) for one in plan.prohibitions]
    rules += [(f"zones.{zone.key}", zone.words, zone.no_phone) for zone in plan.zones]
    for path, words, covered in rules:
        if not covered and _PHONE.search(words.zh) and _BAN.search(words.zh):
            report.add(
                "LINT-12",
                path,
                (
                    "禁用手机的规定没有落到区域，系统仍会要求区域内的人点手机。",
                    "Phones are forbidden, but no zone says so; people inside would still be asked to tap.",
                ),
                (
                    "给对应区域写上 no_phone: true，并在规定中引用该区域。",
                    "Give the zone no_phone: true and name it in the prohibition.",
                ),
            )
