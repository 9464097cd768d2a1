"""The paper pack: a plan as a page to print, whole or for one team, for when the systems are down."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from server.domain import rules
from server.domain.rules import Plan, Words
from server.domain.rules.teams import TeamRule
from server.domain.rules.units import unit
from server.exports.phone_list import Group

STYLE = """
body{font:11pt/1.5 "PingFang SC","Noto Sans SC","Noto Sans CJK SC",system-ui,sans-serif;color:#000;max-width:178mm;margin:0 auto}
h1{font-size:19pt;line-height:1.3;margin:0 0 2mm}h2{font-size:13pt;border-bottom:1px solid #000;margin:7mm 0 2mm;break-after:avoid}
h3{font-size:11.5pt;margin:4mm 0 1mm;break-after:avoid}p{margin:1mm 0;orphans:3;widows:3}ul{margin:1mm 0;padding-left:6mm}
.ref{color:#444;font-size:9pt}.part{break-before:page}.part>h2:first-child{font-size:16pt;border-bottom-width:2px;margin-top:0}
.about{border:1px solid #666;padding:2mm 3mm;margin:3mm 0}.order,.keep{break-inside:avoid}
table{border-collapse:collapse;width:100%;margin:1mm 0}thead{display:table-header-group}tr{break-inside:avoid}
td,th{border:1px solid #666;padding:1.5mm 2mm;text-align:left;vertical-align:top}th{background:#eee;font-size:10pt}
.phone{white-space:nowrap;font-variant-numeric:tabular-nums;width:38mm}.post{white-space:nowrap;width:26mm}
ol.items{list-style:none;padding:0;margin:1mm 0}ol.items li{display:flex;gap:3mm;padding:1mm 0;break-inside:avoid}
.box{flex:none;width:4.5mm;height:4.5mm;border:1.2px solid #000;margin-top:1mm}.fill{border-bottom:1px solid #000;min-width:35mm;display:inline-block}
.sign{display:flex;gap:8mm;margin-top:12mm;break-inside:avoid}.sign span{flex:1;border-top:1px solid #000;padding-top:1mm}
@media screen{body{padding:8mm}.part{border-top:3px double #000;margin-top:10mm;padding-top:4mm}}
"""
PAGES = """@page{size:A4;margin:20mm 16mm 18mm;
@top-left{content:%s;font:9pt sans-serif;color:#444}@top-right{content:%s;font:9pt sans-serif;color:#444}
@bottom-left{content:%s;font:9pt sans-serif;color:#444}@bottom-right{content:%s;font:9pt sans-serif;color:#444}}
"""
LABELS = {
    "zh": {
        "version_before": "第 ", "version_after": " 版", "team": "组", "colon": "：", "printed": "打印于", "page_before": "第 ",
        "page_between": " 页，共 ", "page_after": " 页", "phones": "联络电话", "post": "职务", "phone": "电话", "outside": "外部单位和报警电话",
        "nobody": "本单位没有对应的组，由领导小组承担", "more_lists": "其他检查单", "all": "全文", "limits": "时限", "limit": "时限", "length": "时长", "owner": "责任组",
        "after": "到时", "levels": "级别", "orders": "指令", "stop": "禁止事项",
        "notices": "公告用语", "end": "结束条件", "name": "姓名", "time": "时间", "supplies": "物资", "clause": "依据",
        "used": "断网或系统停用时使用。填写后按补录要求录入。", "manual": "手工方式",
    },
    "en": {
        "version_before": "version ", "version_after": "", "team": "Team", "colon": ": ", "printed": "printed", "page_before": "page ",
        "page_between": " of ", "page_after": "", "phones": "Telephone numbers", "post": "Post", "phone": "Telephone",
        "outside": "Other organisations and emergency numbers", "nobody": "Nobody here; the leadership group takes it over",
        "more_lists": "Other checklists", "all": "whole plan", "limits": "Limits", "limit": "Limit", "length": "Length", "owner": "Owner",
        "after": "When it passes", "levels": "Levels", "orders": "Orders",
        "stop": "Never", "notices": "Wording of notices", "end": "The response ends when", "name": "Name", "time": "Time",
        "supplies": "Supplies", "clause": "Clause", "used": "For use while systems are down. Enter it again afterwards.",
        "manual": "On paper",
    },
}  # fmt: skip
BLANK = re.compile(r"\{[a-z_]+\}")
POSTS = {
    "zh": {"leader": "组长", "deputy": "副组长", "liaison": "联络员", "member": "组员"},
    "en": {"leader": "leader", "deputy": "deputy", "liaison": "liaison", "member": "member"},
}
# The public numbers of mainland China; whoever is elsewhere writes theirs on the empty lines.
EMERGENCY = {
    "zh": [("火警", "119"), ("急救", "120"), ("报警", "110"), ("交通事故", "122"), ("", ""), ("", "")],
    "en": [
        ("Fire (mainland China)", "119"), ("Ambulance (mainland China)", "120"), ("Police (mainland China)", "110"),
        ("Road accidents (mainland China)", "122"), ("", ""), ("", ""),
    ],
}  # fmt: skip


@dataclass(frozen=True)
class Print:
    """What a printed pack says about itself: whose it is, and the local time it was printed, as `2026-11-27 10:03`."""

    organisation: Words
    printed: str


def pack(plan: Plan, language: str, groups: Sequence[Group], about: Print, team: str | None = None) -> str:
    """The plan as one HTML page in `language` (zh or en): what everybody needs first, then each team on pages of its own.

    With `team` only that team's part follows.
    """
    say = LABELS[language]
    named = next((one for one in plan.teams if one.key == team), None)
    whom = _words(named.title, language) if named else say["all"]
    version = f"{say['version_before']}{plan.version}{say['version_after']}"
    title = _words(plan.title, language)
    pages = PAGES % (
        css_text(f"{getattr(plan.title, language)} · {version}"),
        css_text(getattr(named.title, language) if named else say["all"]),
        css_text(f"{getattr(about.organisation, language)} · {say['printed']} {about.printed}"),
        f"{css_text(say['page_before'])} counter(page) {css_text(say['page_between'])} counter(pages) {css_text(say['page_after'])}",
    )
    parts = [
        f"<!doctype html><html lang={language}><meta charset=utf-8><title>{title} {version}</title><style>{STYLE}{pages}</style>",
        f"<h1>{title}</h1><p>{_words(about.organisation, language)} · {version} · {say['team']}{say['colon']}{whom} · {say['printed']} {about.printed}</p>",
        f"<div class=about><b>{say['used']}</b><p>{_words(plan.scope, language)}</p></div>",
        *_phones(groups, language, team),
        *_limits(plan, language),
        *_levels(plan, language),
        *_prohibitions(plan, language),
        *_manual(plan, language),
        *_closing(plan, language),
    ]
    attached: set[str] = set()
    for one in plan.teams:
        orders = [order for order in plan.orders if order.team == one.key]
        mine = {order.checklist for order in orders if order.checklist}
        attached |= mine
        if (named is None or one is named) and not one.external and (orders or one is named):
            parts.append(_team(plan, one, orders, [item for item in plan.checklists if item.key in mine], language))
    others = [one for one in plan.checklists if one.key not in attached]
    if named is None and others:
        parts.append(
            f"<section class=part><h2>{say['more_lists']}</h2>{''.join(_checklist(one, language) for one in others)}{_sign(language)}</section>"
        )
    return "\n".join([*parts, "</html>"])


def css_text(text: str) -> str:
    """A text as a CSS string that can stand inside a style element."""
    return '"' + "".join(c if c.isalnum() or c in " ·-:,.（）：，。" else f"\\{ord(c):x} " for c in text) + '"'


def _words(found: Words | None, language: str) -> str:
    return escape(getattr(found, language)) if found is not None else ""


def _blanks(text: str) -> str:
    """What is filled in when it is published, such as {eta}, as a line to write on."""
    return BLANK.sub("<span class=fill></span>", text)


def _phones(groups: Sequence[Group], language: str, team: str | None) -> list[str]:
    """The telephone list: every team's people, of other teams than the named one those who lead; other organisations to fill in."""
    say, posts = LABELS[language], POSTS[language]
    rows = []
    for group in groups:
        if group.external:
            continue
        shown = [one for one in group.lines if team in (None, group.team) or one.post != "member"]
        for n, one in enumerate(shown):
            head = f"<td rowspan={len(shown)}>{_words(group.title, language)}</td>" if n == 0 else ""
            phone = escape(one.phone) if one.phone else "<span class=fill></span>"
            rows.append(
                f"<tr>{head}<td class=post>{posts[one.post]}</td><td>{escape(one.name)}</td><td class=phone>{phone}</td></tr>"
            )
        if not group.lines:
            rows.append(
                f"<tr><td>{_words(group.title, language)}</td><td colspan=3 class=ref>{say['nobody']}</td></tr>"
            )
    head = f"<thead><tr><th>{say['team']}</th><th>{say['post']}</th><th>{say['name']}</th><th>{say['phone']}</th></tr></thead>"
    outside = [(_words(one.title, language), "") for one in groups if one.external] + EMERGENCY[language]
    lines = "".join(
        f"<tr><td>{name}</td><td class=phone>{number or '<span class=fill></span>'}</td></tr>"
        for name, number in outside
    )
    return [
        f"<h2>{say['phones']}</h2><table>{head}{''.join(rows)}</table>",
        f"<div class=keep><h3>{say['outside']}</h3><table>{lines}</table></div>",
    ]


def _levels(plan: Plan, language: str) -> list[str]:
    parts = []
    for scale in plan.scales:
        rows = "".join(
            f"<tr><td>{_words(level.title, language)}</td><td>{_words(level.action, language)}<br><span class=ref>{escape(level.clause.ref)}</span></td></tr>"
            for level in sorted(scale.levels, key=lambda one: one.rank)
        )
        label = LABELS[language]
        parts.append(f"<h2>{label['levels']}{label['colon']}{_words(scale.title, language)}</h2><table>{rows}</table>")
    return parts


def _prohibitions(plan: Plan, language: str) -> list[str]:
    lines = "".join(
        f"<li>{_words(one.words, language)} <span class=ref>{escape(one.clause.ref)}</span></li>"
        for one in plan.prohibitions
    )
    return [f"<h2>{LABELS[language]['stop']}</h2><ul>{lines}</ul>"] if lines else []


def _manual(plan: Plan, language: str) -> list[str]:
    if plan.manual is None:
        return []
    tiers = "".join(
        f"<div class=keep><h3>{_words(one.title, language)}</h3><p>{_words(one.words, language)}</p></div>"
        for one in plan.manual.tiers
    )
    return [f"<h2>{LABELS[language]['manual']}</h2>{tiers}"]


def _closing(plan: Plan, language: str) -> list[str]:
    """The wording of notices, and when the response ends."""
    say, parts = LABELS[language], []
    if plan.notices:
        texts = "".join(
            f"<div class=keep><h3>{_words(one.title, language)}</h3><p>{_blanks(_words(one.text, language))}</p></div>"
            for one in plan.notices
        )
        parts.append(f"<h2>{say['notices']}</h2>{texts}")
    if plan.end is not None:
        lines = "".join(f"<li>{_words(one.words, language)}</li>" for one in plan.end.conditions)
        parts.append(f"<h2>{say['end']}</h2><p>{_words(plan.end.words, language)}</p><ul>{lines}</ul>")
    return parts


def _team(
    plan: Plan,
    team: TeamRule,
    orders: Sequence[rules.OrderRule],
    lists: Sequence[rules.ChecklistRule],
    language: str,
) -> str:
    """What one team takes along: its duties, its orders, the limits it owns are with everybody's, its checklists to fill in."""
    say = LABELS[language]
    parts = [f"<section class=part><h2>{_words(team.title, language)}</h2>"]
    if team.duties:
        parts.append("<ul>" + "".join(f"<li>{_words(one, language)}</li>" for one in team.duties) + "</ul>")
    if orders:
        parts.append(f"<h3>{say['orders']}</h3>")
    parts += [
        f"<div class=order><p><b>{_words(one.title, language)}</b></p><p>{_words(one.text, language)}</p>"
        f"<p class=ref>{say['clause']} {escape(one.clause.ref)}</p></div>"
        for one in orders
    ]
    parts += [_checklist(one, language) for one in lists]
    return "".join([*parts, _sign(language), "</section>"])


def _sign(language: str) -> str:
    say = LABELS[language]
    return f"<div class=sign><span>{say['name']}</span><span>{say['time']}</span></div>"


def _limits(plan: Plan, language: str) -> list[str]:
    """The time limits as a table: all of them, since every team works against them."""
    say, titles = LABELS[language], {one.key: one.title for one in plan.teams}
    rows = []
    for limit in plan.limits:
        then = "；" if language == "zh" else "; "
        texts = [getattr(one.words, language) for one in rules.consequences(limit) if one.words]
        said = then.join([*(one.rstrip("。.") for one in texts[:-1]), *texts[-1:]])
        owner = titles.get(limit.owner)
        rows.append(
            f"<tr><td>{escape(getattr(limit.title, language))}<br><span class=ref>{escape(limit.clause.ref)}</span></td>"
            f"<td>{_length(limit.length, language)}</td><td>{escape(getattr(owner, language)) if owner else ''}</td><td>{escape(said)}</td></tr>"
        )
    head = f"<thead><tr><th>{say['limit']}</th><th>{say['length']}</th><th>{say['owner']}</th><th>{say['after']}</th></tr></thead>"
    return [f"<h2>{say['limits']}</h2><table>{head}{''.join(rows)}</table>"] if rows else []


def _length(length: rules.Length, language: str) -> str:
    zh = language == "zh"
    if length.kind == "end_of_day":
        return (
            ("当日内" if zh else "same day")
            if not length.days
            else (f"{length.days} 日内" if zh else f"within {length.days} days")
        )
    if length.kind == "at_once":
        return "立即" if zh else "at once"
    if length.kind == "measured":
        return escape(length.measure or "")
    for size, name_zh, name_en in ((86400, "天", "d"), (3600, "小时", "h"), (60, "分钟", "min")):
        if length.seconds % size == 0 and length.seconds >= size:
            return f"{length.seconds // size} {name_zh if zh else name_en}"
    return f"{length.seconds} {'秒' if zh else 's'}"


def _checklist(rule: rules.ChecklistRule, language: str) -> str:
    lines = []
    for item in rule.items:
        said = escape(getattr(item.text, language))
        blank = "" if item.kind == "tick" else f" <span class=fill></span> {escape(unit(item.unit, language))}"
        if item.kind == "choice":
            blank = " " + " / ".join(f"□ {escape(getattr(one.title, language))}" for one in item.options)
        lines.append(f"<li><span class=box></span><span>{said}{blank}</span></li>")
    return f"<h3>{escape(getattr(rule.title, language))}</h3><ol class=items>{''.join(lines)}</ol>"
