"""People: who may activate (LINT-2), one post in two tiers (LINT-8), actors never defined (LINT-11), teams without people."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sized

from server.domain.rules.words import Words
from server.planning.lint.report import Report, texts_in

_ACTIVATES = re.compile(r"(?<!是否)(?<!决定)(?<!建议)(?<!请求)启动(?:本|应急|该|相应)*预案|下达(?:应急)?指令|宣布启动")
_ACTIVATES_EN = re.compile(r"\b(?:activates? the plan|starts? the plan|gives? the emergency order)", re.IGNORECASE)
_ACTOR = re.compile(
    r"由([\u4e00-\u9fff]{2,8}?(?:组|办公室|中心|人员|主管|大队))(?=负责|应|须|到|进行|处理|处置|组织)"
    r"|(?:报告|上报|报)([\u4e00-\u9fff]{2,8}?(?:组|办公室|主管|大队))(?=。|，|；|$)"
)
_COMMON_ACTORS = ("工作人员", "值班人员", "相关人员", "有关人员", "各组", "各小组", "本组", "全体人员", "现场人员")


def look(report: Report) -> None:
    """Authority, tiers and actors."""
    _authority(report)
    _tiers(report)
    _actors(report)


def look_at_roster(report: Report, roster: Mapping[str, Sized]) -> None:
    """Teams of the plan for which this organisation has nobody; `roster` maps team keys or kinds to people."""
    for team in report.plan.teams:
        people = roster.get(team.key, roster.get(team.kind))
        if not team.external and not people:
            report.add(
                "LINT-NOBODY",
                f"teams.{team.key}",
                (f"本单位“{team.title.zh}”没有人。", f"Nobody in this organisation is in “{team.title.en}”."),
                (
                    "把预案的组对应到本单位的组，并安排人员。",
                    "Map it to a team of the organisation and put people there.",
                ),
            )
    for limit in report.plan.limits:
        owner = report.plan.team(limit.owner)
        if not owner.external and not roster.get(owner.key, roster.get(owner.kind)):
            report.add(
                "LINT-UNMET",
                f"limits.{limit.key}.owner",
                (f"时限“{limit.title.zh}”的责任组没有人。", f"Nobody is there to meet “{limit.title.en}”."),
                ("给责任组安排人员，或换责任组。", "Put people into the owning team, or name another."),
            )


def _authority(report: Report) -> None:
    plan = report.plan
    decides = plan.authority.decides
    for trigger in plan.triggers:
        if trigger.mode == "decided" and trigger.by not in (None, decides):
            _conflict(report, f"triggers.{trigger.key}", trigger.title)
    modes: dict[str, set[str]] = {}
    for trigger in plan.triggers:
        if trigger.when is None and trigger.mode != "warning":
            modes.setdefault(trigger.on, set()).add(trigger.mode)
    for trigger in plan.triggers:
        if len(modes.get(trigger.on, ())) > 1:
            _conflict(report, f"triggers.{trigger.key}", trigger.title)
    for limit in plan.limits:
        asks = [one for one in limit.then if one.ask == "activate"]
        foreign = any(one.of != decides for one in asks)
        if foreign or (asks and any(one.activate for one in limit.then)):
            _conflict(report, f"limits.{limit.key}", limit.title)
    for path, team, words in _told(report):
        if team not in (decides, plan.authority.announces) and (
            _ACTIVATES.search(words.zh) or _ACTIVATES_EN.search(words.en)
        ):
            _conflict(report, path, words)


def _told(report: Report) -> Iterator[tuple[str, str, Words]]:
    for team in report.plan.teams:
        yield from ((f"teams.{team.key}.duties[{number}]", team.key, duty) for number, duty in enumerate(team.duties))
    for order in report.plan.orders:
        yield f"orders.{order.key}.text", order.team, order.text


def _conflict(report: Report, path: str, words: Words) -> None:
    decides = report.plan.team(report.plan.authority.decides).title
    report.add(
        "LINT-2",
        path,
        (
            f"启动权有冲突：“{words.zh}”与“由{decides.zh}决定”不一致。",
            f"Who activates is unclear: “{words.en}” against “{decides.en} decides”.",
        ),
        ("启动只由一个组决定，其他组报告或建议。", "Let one group decide on activation; the others report or propose."),
    )


def _tiers(report: Report) -> None:
    manual = report.plan.manual
    seen: dict[str, str] = {}
    for tier in manual.tiers if manual else ():
        for post in tier.posts:
            if post in seen:
                report.add(
                    "LINT-8",
                    f"manual.tiers.{tier.key}",
                    (
                        f"岗位“{post}”同时在“{seen[post]}”和“{tier.key}”两级。",
                        f"The post {post!r} is in both {seen[post]} and {tier.key}.",
                    ),
                    ("只留在较早的一级。", "Keep it in the earlier tier only."),
                )
            seen.setdefault(post, tier.key)


def _actors(report: Report) -> None:
    plan = report.plan
    titles = [*(team.title for team in plan.teams), *(post.title for post in plan.posts)]
    known = [words.zh for words in (*titles, *(alias for team in plan.teams for alias in team.aliases))]
    told = [(path, words) for path, _, words in _told(report)]
    told += [
        found
        for checklist in plan.checklists
        for found in texts_in(checklist, f"checklists.{checklist.key}", clauses=False)
    ]
    told += [found for limit in plan.limits for found in texts_in(limit, f"limits.{limit.key}", clauses=False)]
    for path, words in told:
        for actor in (one or other for one, other in _ACTOR.findall(words.zh)):
            if not actor.endswith(_COMMON_ACTORS) and not any(actor in one or one in actor for one in known):
                report.add(
                    "LINT-11",
                    path,
                    (f"“{actor}”不是本预案的任何一个组或岗位。", f"“{actor}” is no team or post of this plan."),
                    ("在 teams 中定义它，或写成它的别名 aliases。", "Define it under teams, or as an alias of a team."),
                    "warning",
                )
