"""What leaves as a file: the after-action document in both languages, and alerts as CAP messages."""

from io import BytesIO
from xml.etree.ElementTree import fromstring

import pytest
from docx import Document

from server.clock import iso, now
from server.db import new_id
from tests.cast import TICKETING, Stage
from tests.situation import ticketing

CAP = "{urn:oasis:names:tc:emergency:cap:1.2}"


def drilled(stage: Stage) -> str:
    """A drill whose incident runs; returns the incident's id."""
    body = {
        "plan": TICKETING,
        "title": "=1+1 断网演练",
        "scheduled_at": iso(now()),
        "scenario": "断网",
        "risk_check": "已评估",
    }
    drill, incident = stage["commander"].fact("/drills", body), new_id()
    stage["commander"].fact(f"/drills/{drill}/starts", {"incident": incident})
    return incident


@pytest.mark.parametrize(("language", "title"), [("zh", "总结报告"), ("en", "After-action report")])
def test_a_review_is_a_word_document(stage: Stage, language: str, title: str) -> None:
    incident = drilled(stage)
    stage.move(minutes=16)
    stage["commander"].fact(f"/incidents/{incident}/decisions", {"kind": "end", "reason": "演练结束"})
    stage["commander"].fact(f"/reviews/{incident}/actions", {"title": "补充备用闸机"})
    answer = stage["commander"].call("GET", f"/reviews/{incident}/document?lang={language}")
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"].endswith('.docx"')
    page = Document(BytesIO(answer.data))
    text = "\n".join(one.text for one in page.paragraphs)
    cells = {cell.text for table in page.tables for row in table.rows for cell in row.cells}
    assert title in text
    assert {"zh": "【演练】", "en": "【DRILL】"}[language] in text
    assert {"补充备用闸机", "演练结束"} <= cells
    assert ({"zh": "未完成", "en": "not done"}[language]) in cells
    assert stage["observer"].call("GET", f"/reviews/{incident}/document").status_code == 403
    assert stage["commander"].call("GET", f"/reviews/{new_id()}/document").status_code == 404


def test_an_observer_takes_a_signed_review(stage: Stage) -> None:
    incident = ticketing(stage, activate=True)
    stage["commander"].fact(f"/incidents/{incident}/decisions", {"kind": "end", "reason": "误报"})
    stage["commander"].sync()
    for one in stage["commander"].one("review", id=incident)["sections"]:
        stage["commander"].fact(f"/reviews/{incident}/sections", {"section": one["key"], "text": "已核"})
    assert stage["observer"].call("GET", f"/reviews/{incident}/document").status_code == 403
    stage["commander"].fact(f"/reviews/{incident}/signatures", {})
    assert stage["observer"].call("GET", f"/reviews/{incident}/document").status_code == 200


@pytest.mark.parametrize("drill", [False, True])
def test_an_alert_is_a_cap_message_and_a_drill_an_exercise(stage: Stage, drill: bool) -> None:
    incident = drilled(stage) if drill else ticketing(stage, activate=True)
    commander = stage["commander"]
    commander.sync()
    alert = next(one for one in commander.all("alert") if one["incident"] == incident)
    answer = commander.call("GET", f"/alerts/{alert['id']}/cap")
    assert answer.mimetype == "application/cap+xml"
    root = fromstring(answer.data)  # our own text, just written
    said = {one.tag.removeprefix(CAP): one.text for one in root}
    assert said["identifier"] == f"tocsin-{alert['id']}"
    assert said["status"] == ("Exercise" if drill else "Actual")
    assert said["scope"] == "Private"
    assert said["sent"] is not None
    assert said["sent"].endswith("+08:00")
    infos = root.findall(f"{CAP}info")
    assert [one.findtext(f"{CAP}language") for one in infos] == ["zh-CN", "en-US"]
    for info, language, mark in zip(infos, ("zh", "en"), ("【演练】", "[Drill] "), strict=True):
        headline = info.findtext(f"{CAP}headline") or ""
        assert headline.removeprefix(mark) == alert["title"][language]
        assert headline.startswith(mark) is drill
        assert info.findtext(f"{CAP}urgency") in {"Immediate", "Expected"}
        assert info.findtext(f"{CAP}area/{CAP}areaDesc")
    assert stage["outsider"].call("GET", f"/alerts/{alert['id']}/cap").status_code == 404
