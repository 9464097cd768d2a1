"""The paper pack: a plan as a page to print, whole or for one team, for when the systems are down."""

from html import escape

from server.domain import rules
from server.domain.rules import Plan, Words

STYLE = """
@page{size:A4;margin:18mm 16mm}
body{font:11pt/1.5 "PingFang SC","Noto Sans SC",system-ui,sans-serif;color:#000;max-width:178mm;margin:0 auto}
h1{font-size:18pt;margin:0 0 2mm}h2{font-size:13pt;border-bottom:1px solid #000;margin:8mm 0 3mm;break-after:avoid}
h3{font-size:11.5pt;margin:4mm 0 1mm;break-after:avoid}p{margin:1mm 0}.ref{color:#444;font-size:9pt}
table{border-collapse:collapse;width:100%;break-inside:avoid}td,th{border:1px solid #666;padding:1.5mm 2mm;text-align:left;vertical-align:top}
ol.items{list-style:none;padding:0}ol.items li{display:flex;gap:3mm;padding:1mm 0;break-inside:avoid}
.box{flex:none;width:4.5mm;height:4.5mm;border:1.2px solid #000;margin-top:1mm}.fill{border-bottom:1px solid #000;min-width:35mm;display:inline-block}
.sign{display:flex;gap:8mm;margin-top:10mm}.sign span{flex:1;border-top:1px solid #000;padding-top:1mm}
@media screen{body{padding:8mm}}
"""
LABELS = {
    "zh": {
        "version": "版本", "team": "组", "all": "全部", "limits": "时限", "limit": "时限", "length": "时长", "owner": "责任组",
        "after": "到时", "levels": "级别", "orders": "指令", "lists": "检查单", "contacts": "联络", "stop": "禁止事项",
        "notices": "公告用语", "end": "结束条件", "name": "姓名", "time": "时间", "supplies": "物资", "clause": "依据",
        "used": "断网或系统停用时使用。填写后按补录要求录入。", "manual": "手工方式",
    },
    "en": {
        "version": "version", "team": "team", "all": "all", "limits": "Limits", "limit": "Limit", "length": "Length", "owner": "Owner",
        "after": "When it passes", "levels": "Levels", "orders": "Orders", "lists": "Checklists", "contacts": "Contacts",
        "stop": "Never", "notices": "Wording of notices", "end": "The response ends when", "name": "Name", "time": "Time",
        "supplies": "Supplies", "clause": "Clause", "used": "For use while systems are down. Enter it again afterwards.",
        "manual": "On paper",
    },
}  # fmt: skip


def pack(plan: Plan, language: str, team: str | None = None) -> str:
    """The plan as one HTML page in `language` (zh or en), with only one team's orders and checklists where it is named."""
    say = LABELS[language]

    def words(found: Words | None) -> str:
        return escape(getattr(found, language)) if found is not None else ""

    named = next((one for one in plan.teams if one.key == team), None)
    orders = [one for one in plan.orders if team is None or one.team == team]
    wanted = {one.checklist for one in orders if one.checklist}
    parts = [
        f"<!doctype html><html lang={language}><meta charset=utf-8><title>{words(plan.title)}</title><style>{STYLE}</style>",
        f"<h1>{words(plan.title)}</h1><p>{say['version']} {plan.version} · {say['team']}：{words(named.title) if named else say['all']}</p>",
        f"<p><b>{say['used']}</b></p><p>{words(plan.scope)}</p>",
    ]
    parts += _limits(plan, language, team)
    for scale in plan.scales:
        rows = "".join(
            f"<tr><td>{words(level.title)}</td><td>{words(level.action)}<br><span class=ref>{escape(level.clause.ref)}</span></td></tr>"
            for level in sorted(scale.levels, key=lambda one: one.rank)
        )
        parts.append(f"<h2>{say['levels']}：{words(scale.title)}</h2><table>{rows}</table>")
    if plan.prohibitions:
        lines = "".join(
            f"<li>{words(one.words)} <span class=ref>{escape(one.clause.ref)}</span></li>" for one in plan.prohibitions
        )
        parts.append(f"<h2>{say['stop']}</h2><ul>{lines}</ul>")
    parts.append(f"<h2>{say['orders']}</h2>")
    titles = {one.key: one.title for one in plan.teams}
    for order in orders:
        parts.append(
            f"<h3>{words(titles.get(order.team))} — {words(order.title)}</h3><p>{words(order.text)}</p>"
            f"<p class=ref>{say['clause']} {escape(order.clause.ref)}</p>"
        )
    if plan.manual is not None:
        parts.append(
            f"<h2>{say['manual']}</h2>"
            + "".join(f"<h3>{words(one.title)}</h3><p>{words(one.words)}</p>" for one in plan.manual.tiers)
        )
    parts.append(f"<h2>{say['lists']}</h2>")
    parts += [_checklist(one, language) for one in plan.checklists if one.key in wanted or team is None]
    if plan.notices:
        parts.append(
            f"<h2>{say['notices']}</h2>"
            + "".join(f"<h3>{words(one.title)}</h3><p>{words(one.text)}</p>" for one in plan.notices)
        )
    if plan.end is not None:
        parts.append(
            f"<h2>{say['end']}</h2><ul>"
            + "".join(f"<li>{words(one.words)}</li>" for one in plan.end.conditions)
            + "</ul>"
        )
    parts.append(f"<div class=sign><span>{say['name']}</span><span>{say['time']}</span></div></html>")
    return "\n".join(parts)


def _limits(plan: Plan, language: str, team: str | None) -> list[str]:
    """The time limits as a table: all of them, since every team works against them."""
    say, titles = LABELS[language], {one.key: one.title for one in plan.teams}
    rows = []
    for limit in plan.limits:
        then = "；" if language == "zh" else "; "
        said = then.join(getattr(one.words, language) for one in rules.consequences(limit) if one.words)
        owner = titles.get(limit.owner)
        rows.append(
            f"<tr><td>{escape(getattr(limit.title, language))}<br><span class=ref>{escape(limit.clause.ref)}</span></td>"
            f"<td>{_length(limit.length, language)}</td><td>{escape(getattr(owner, language)) if owner else ''}</td><td>{escape(said)}</td></tr>"
        )
    head = f"<tr><th>{say['limit']}</th><th>{say['length']}</th><th>{say['owner']}</th><th>{say['after']}</th></tr>"
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
        blank = "" if item.kind == "tick" else f" <span class=fill></span> {escape(item.unit)}"
        if item.kind == "choice":
            blank = " " + " / ".join(f"□ {escape(getattr(one.title, language))}" for one in item.options)
        lines.append(f"<li><span class=box></span><span>{said}{blank}</span></li>")
    return f"<h3>{escape(getattr(rule.title, language))}</h3><ol class=items>{''.join(lines)}</ol>"
