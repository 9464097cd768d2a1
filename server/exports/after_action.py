"""The after-action document: a review as a Word file, with its limits, sections, decisions, improvements and signature."""

from collections.abc import Sequence
from datetime import datetime
from io import BytesIO
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.domain import activation, incidents, people, plans
from server.domain.incidents import Decision, Incident
from server.domain.reviews import Action, Review

FONT = "Noto Sans SC"
LABELS = {
    "zh": {
        "title": "总结报告", "drill": "演练", "plan": "预案", "version": "版本", "level": "级别", "began": "开始", "activated": "启动",
        "restored": "恢复", "ended": "结束", "limits": "时限执行情况", "limit": "时限", "result": "结果", "by": "提前或超时",
        "met": "按时", "late": "超时完成", "unmet": "未完成", "decisions": "决定", "time": "时间", "who": "决定人", "what": "决定",
        "why": "理由", "actions": "改进措施跟踪", "action": "措施", "owner": "责任人", "due": "期限", "done": "完成",
        "signed": "签发", "draft": "草稿，尚未签发", "answers": "告警回执", "none": "无", "early": "提前", "over": "超时",
        "empty": "（未填写）",
    },
    "en": {
        "title": "After-action report", "drill": "DRILL", "plan": "Plan", "version": "version", "level": "Level", "began": "Began",
        "activated": "Activated", "restored": "Restored", "ended": "Ended", "limits": "How the limits were kept", "limit": "Limit",
        "result": "Result", "by": "Early or late", "met": "in time", "late": "late", "unmet": "not done", "decisions": "Decisions",
        "time": "Time", "who": "By", "what": "Decision", "why": "Why", "actions": "Improvements", "action": "Action", "owner": "Owner",
        "due": "Due", "done": "Done", "signed": "Signed", "draft": "Draft, not signed", "answers": "Answers to alerts", "none": "None",
        "early": "early by", "over": "late by", "empty": "(empty)",
    },
}  # fmt: skip


def write(session: Session, incident: Incident, review: Review, language: str) -> bytes:
    """The review of an incident as a .docx file in `language` (zh or en)."""
    say = LABELS[language]
    zone = ZoneInfo(people.organisation(session).timezone)

    def words(found: Any) -> str:
        return plain(found.get(language) or found.get("zh") or "") if isinstance(found, dict) else ""

    def at(moment: datetime | None) -> str:
        return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}" if moment else say["none"]

    def name(person: str | None) -> str:
        found = session.get(people.Person, person) if person else None
        return found.name if found else say["none"]

    page = _empty_page()
    mark = f"【{say['drill']}】" if incident.drill else ""
    page.add_heading(
        plain(
            f"{mark}{say['title']}：{incident.title}" if language == "zh" else f"{mark}{say['title']}: {incident.title}"
        ),
        0,
    )
    plan = session.get(plans.Plan, incident.plan) if incident.plan else None
    revision = session.get(plans.Revision, incident.revision) if incident.revision else None
    facts = [
        (say["plan"], f"{words(plan.title)} {say['version']} {revision.version}" if plan and revision else say["none"]),
        (say["level"], words(incident.level["title"]) if incident.level else say["none"]),
        (say["began"], at(incident.started_at)), (say["activated"], at(incident.activated_at)),
        (say["restored"], at(incident.restored_at)), (say["ended"], at(incident.ended_at)),
        (say["answers"], f"{review.figures.get('answered', 0)} / {review.figures.get('asked', 0)}"),
    ]  # fmt: skip
    _table(page, facts)
    page.add_heading(say["limits"], 1)
    rows = [(say["limit"], say["result"], say["by"])]
    rows += [(words(one["title"]), say[one["result"]], _span(one["by_seconds"], language)) for one in review.outcomes]
    _table(page, rows, head=True)
    for section in review.sections:
        page.add_heading(words(section["title"]), 1)
        for line in (plain(section["text"]) or say["empty"]).splitlines():
            page.add_paragraph(line)
    page.add_heading(say["decisions"], 1)
    query = select(Decision).where(Decision.incident == incident.id).order_by(Decision.occurred_at, Decision.id)
    taken = [(say["time"], say["who"], say["what"], say["why"])]
    for one in session.scalars(query):
        what = activation.TITLES[one.kind][0 if language == "zh" else 1]
        taken.append((at(one.occurred_at), name(one.by), what, plain(one.reason or "")))
    _table(page, taken, head=True)
    page.add_heading(say["actions"], 1)
    asked = select(Action).where(Action.review == review.id).order_by(Action.occurred_at, Action.id)
    todo = [(say["action"], say["owner"], say["due"], say["done"])]
    todo += [(plain(one.title), name(one.owner), at(one.due), at(one.done_at)) for one in session.scalars(asked)]
    _table(page, todo, head=True)
    signed = f"{say['signed']}  {name(review.signed_by)}  {at(review.signed_at)}" if review.signed_by else say["draft"]
    page.add_paragraph().add_run(signed).bold = True
    for part in page.sections:
        part.footer.paragraphs[0].text = plain(f"{mark}{incident.title}")
    file = BytesIO()
    page.save(file)
    return file.getvalue()


def may_read(incident: Incident, review: Review, role: str) -> bool:
    """Whether a role may take the document: an observer only once it is signed."""
    return role != "observer" or review.status == "signed" and incident.status in incidents.CLOSED


def plain(text: str) -> str:
    """Text without the control characters that no XML file may hold."""
    return "".join(one for one in text if one in "\n\t" or ord(one) >= 32)


def _span(seconds: int | None, language: str) -> str:
    if seconds is None:
        return ""
    say, size = LABELS[language], abs(seconds)
    said = f"{size // 3600}:{size // 60 % 60:02d}:{size % 60:02d}"
    return f"{say['over' if seconds > 0 else 'early']} {said}"


def _table(page: Any, rows: Sequence[Sequence[str]], *, head: bool = False) -> None:
    table = page.add_table(rows=0, cols=len(rows[0]), style="Table Grid")
    for number, row in enumerate(rows):
        cells = table.add_row().cells
        for cell, text in zip(cells, row, strict=True):
            run = cell.paragraphs[0].add_run(text)
            run.bold = head and number == 0
    page.add_paragraph()


def _empty_page() -> Any:
    """A document in one font that has both scripts; Word keeps a second name for the Chinese one."""
    # Loading this takes longer than anything else here, and a process may never be asked for a document.
    from docx import Document  # noqa: PLC0415
    from docx.oxml.ns import qn  # noqa: PLC0415
    from docx.shared import Pt  # noqa: PLC0415

    page = Document()
    for key in ("Normal", "Title", "Heading 1"):
        style = page.styles[key]
        style.font.name = FONT
        style.element.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), FONT)
    page.styles["Normal"].font.size = Pt(11)
    return page
