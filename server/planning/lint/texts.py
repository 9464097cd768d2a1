"""Wording: placeholders (LINT-1), counts that do not fit (LINT-6), promised sections (LINT-9), "at once" without a clock (LINT-10)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from server.domain.rules.words import Words
from server.planning.lint.report import Report, texts_in

_PLACEHOLDER = re.compile(
    r"[XＸ×]{2,}|(?<![A-Za-z])[xX]{2,}(?![A-Za-z])|[XＸ×x]\s*(?=(小时|分钟|天|日内|次|倍|人|元|米))|\b[XN] (?=(hours?|minutes?|days?|times)\b)"
    r"|_{3,}|（\s*）|\(\s*\)|【[^】]*】|待定|待填|某某|由任|\b(TODO|TBD)\b|[：:](?=\s*(副组长|组长|成员|电话)[：:])|[：:]\s*$"
)
_AT_ONCE = re.compile(
    r"立即|及时|第一时间|马上|尽快|立刻|迅速|\b(immediately|at once|promptly|as soon as possible|without delay)\b",
    re.IGNORECASE,
)
_NUMERALS = {"两": 2, "二": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9, "十": 10}
_NUMBER_WORDS = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
}  # fmt: skip
_LISTED = re.compile(r"([两二三四五六七八九十]|\d{1,2})(?:类|种|个|项|级|大)[^：:。，]{0,8}[：:]([^。：:]+)")
_KINDS = re.compile(r"([两二三四五六七八九十]|\d{1,2})(?:类|种)(?:突发)?(?:事件|情形|故障|情况)")
_KINDS_EN = re.compile(r"\b(two|three|four|five|six|seven|eight|nine|ten) (?:kinds|types|families) of")
_LEVELS = re.compile(r"分(?:为)?([两二三四五六七八九十]|\d{1,2})(?:个)?级")
_STEP = re.compile(r"[（(](\d{1,2})[)）]")


def look(report: Report) -> None:
    """All four looks at wording."""
    _placeholders(report)
    _counts(report)
    _sections(report)
    _without_clock(report)


def _placeholders(report: Report) -> None:
    for path, words in texts_in(report.plan):
        found = _PLACEHOLDER.search(words.zh) or _PLACEHOLDER.search(words.en)
        if found:
            mark = found.group().strip() or words.zh
            report.add(
                "LINT-1",
                path,
                (f"文字里有未填的空：“{mark}”。", f"A blank is still to be filled: {mark!r}."),
                (
                    "填上实际的数字或名称；人员在“人员与组”中配置。",
                    "Fill in the number or name; people belong in the teams.",
                ),
            )


def _counts(report: Report) -> None:
    plan = report.plan
    for path, words in texts_in(plan):
        for found in _LISTED.finditer(words.zh):
            parts = [part for part in re.split(r"[、，；]|以及|和(?=[^、]+$)", found.group(2)) if part.strip()]
            _compare(report, path, _count(found.group(1)), len(parts), found.group(0)[:20])
    stated = [(path, words) for path, words in (("scope", plan.scope), ("clause", plan.clause.words))]
    for path, words in stated:
        kinds = [_count(one.group(1)) for one in _KINDS.finditer(words.zh)]
        kinds += [_NUMBER_WORDS[one.group(1)] for one in _KINDS_EN.finditer(words.en)]
        for count in kinds:
            _compare(report, path, count, len(plan.triggers), "triggers")
    for scale in plan.scales:
        for found in _LEVELS.finditer(scale.clause.words.zh):
            _compare(report, f"scales.{scale.key}", _count(found.group(1)), len(scale.levels), scale.title.zh)


def _compare(report: Report, path: str, stated: int, listed: int, what: str) -> None:
    if stated != listed:
        report.add(
            "LINT-6",
            path,
            (
                f"写明 {stated} 项，实际列出 {listed} 项（{what}）。",
                f"{stated} are announced, {listed} are listed ({what}).",
            ),
            ("核对清单，改正数字或补全缺项。", "Check the list; correct the number or add what is missing."),
            "warning",
        )


def _count(numeral: str) -> int:
    return _NUMERALS.get(numeral) or int(numeral)


def _sections(report: Report) -> None:
    plan = report.plan
    known = {f"{kind}.{one.key}" for kind in _LISTS for one in getattr(plan, kind)}
    known |= {kind for kind in ("manual", "end", "review") if getattr(plan, kind)}
    for number, content in enumerate(plan.contents):
        missing = [name for name in content.rules if name not in known]
        if missing or not content.rules:
            listed = "、".join(missing) or "—"
            report.add(
                "LINT-9",
                f"contents[{number}]",
                (
                    f"预案预告了“{content.title.zh}”，但没有对应的规定（{listed}）。",
                    f"The plan announces “{content.title.en}”, but no rule makes it good ({listed}).",
                ),
                ("补上这一部分，或从目录中删去。", "Write that part, or take it out of the contents."),
            )
    for path, words in texts_in(plan):
        steps = [int(one) for one in _STEP.findall(words.zh)]
        first = (
            1 if _STEP.match(words.zh) else steps[0] if steps else 1
        )  # a text that begins with a number begins with 1
        if len(steps) > 1 and steps != list(range(first, first + len(steps))):
            report.add(
                "LINT-9",
                path,
                (f"编号不连续：{steps}。", f"The numbering does not run on: {steps}."),
                ("核对是否缺漏或颠倒，并重新编号。", "Check for missing or swapped parts and number anew."),
                "warning",
            )


_LISTS = (
    "triggers", "routes", "scales", "phases", "orders", "limits", "checklists", "interlocks", "zones", "prohibitions",
    "supplies", "notices", "reports", "drills", "duties", "teams",
)  # fmt: skip


def _without_clock(report: Report) -> None:
    for path, words in _unclocked(report):
        found = _AT_ONCE.search(words.zh) or _AT_ONCE.search(words.en)
        if found:
            report.add(
                "LINT-10",
                path,
                (f"“{found.group()}”没有时限。", f"“{found.group()}” comes without a clock."),
                (
                    "写明时限（within: 10 min），或写 within: at once，按即时办理、5 分钟报警。",
                    "Give a number (within: 10 min), or write within: at once, which is due at once and alarms at 5 minutes.",
                ),
                "warning",
            )


def _unclocked(report: Report) -> Iterator[tuple[str, Words]]:
    plan = report.plan
    for team in plan.teams:
        yield from ((f"teams.{team.key}.duties[{number}]", duty) for number, duty in enumerate(team.duties))
    for order in plan.orders:
        if order.within is None:
            yield from texts_in(order, f"orders.{order.key}", clauses=False)
    for route in plan.routes:
        if route.after is None and route.words:
            yield f"routes.{route.key}.words", route.words
    for trigger in plan.triggers:
        yield f"triggers.{trigger.key}.words", trigger.words
    clocked = {order.checklist for order in plan.orders if order.within}
    for checklist in plan.checklists:
        for item in checklist.items:
            if item.within is None and checklist.key not in clocked:
                yield f"checklists.{checklist.key}.items.{item.key}.text", item.text
