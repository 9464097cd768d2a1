"""The judge of a storm: a few queries over everything say whether each acknowledged fact is there once with its effect."""

from collections import Counter
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from server.clock import now
from server.config import Config
from server.db import Model
from server.domain.alerts import Alert, Answer
from server.domain.facts import Fact
from server.domain.feed import Change
from server.domain.field_reports import Report
from server.domain.incidents import Incident
from server.domain.orders import Order
from server.domain.tallies import Tally
from server.domain.timeline import Entry
from server.opening import open_database
from tests.faults.runner.checker import Verdict, chains_hold, limits_fired_once
from tests.faults.runner.storm_phones import Acknowledged

ROWS: dict[str, type[Model]] = {
    "incident": Incident, "report": Report, "tally": Tally, "answer": Answer, "order": Order,
}  # fmt: skip
NAMED = {("field_report", "report"): "report", ("order", "order"): "order", ("log", "fact"): "entry"}
"""Kind of a timeline entry and the name under which it refers to the fact, for those that name one."""
SHOWN = 5


def judge(url: str, heard: Acknowledged, verdict: Verdict) -> None:
    """Check every promise of a storm."""
    database = open_database(Config(database_url=url))
    verdict.wrong += heard.wrong
    try:
        with database.read() as session:
            _receipts(session, heard, verdict)
            _rows(session, heard, verdict)
            _entries(session, heard, verdict)
            _told(session, verdict)
            limits_fired_once(session, now(), verdict)
            chains_hold(session, verdict)
            if database.is_sqlite:
                found = session.scalars(text("PRAGMA integrity_check")).all()
                verdict.hold("the file is sound", found == ["ok"], found)
    finally:
        database.dispose()


def _same(verdict: Verdict, rule: str, wanted: set[str], found: set[str]) -> None:
    for missing, ids in ((True, wanted - found), (False, found - wanted)):
        verdict.hold(rule, not ids, len(ids), "missing" if missing else "too many", sorted(ids)[:SHOWN])


def _receipts(session: Session, heard: Acknowledged, verdict: Verdict) -> None:
    """Every acknowledged fact has its receipt, and there is no other: whatever was sent was sent until it was answered."""
    acknowledged: set[str] = set().union(*heard.ids.values())
    outcomes = Counter[str]()
    applied = set()
    for id, outcome in session.execute(select(Fact.id, Fact.outcome)):
        outcomes[outcome] += 1
        if outcome == "applied":
            applied.add(id)
    _same(verdict, "acknowledged is kept", acknowledged, applied)
    verdict.hold("nothing is refused", set(outcomes) <= {"applied"}, outcomes)
    verdict.figures |= {"acknowledged": len(acknowledged)} | {kind: len(ids) for kind, ids in heard.ids.items()}


def _rows(session: Session, heard: Acknowledged, verdict: Verdict) -> None:
    """Every fact has its row under its own id; what the limits stand on was put there by the storm itself."""
    for kind, table in ROWS.items():
        query: Any = select(table.id)  # type: ignore[attr-defined]
        if table is Incident:
            query = query.where(Incident.title == "漏水")
        _same(verdict, f"each {kind} has its row", heard.ids.get(kind, set()), set(session.scalars(query)))


def _entries(session: Session, heard: Acknowledged, verdict: Verdict) -> None:
    """Every fact has exactly one line on the timeline, and every line is in the feed once or more."""
    named: dict[str, Counter[str]] = {kind: Counter() for kind in NAMED.values()}
    counted: dict[str, Counter[str]] = {"tally": Counter(), "answer": Counter(), "report": Counter()}
    lines = set()
    for id, incident, kind, refs in session.execute(select(Entry.id, Entry.incident, Entry.kind, Entry.refs)):
        lines.add(id)
        if kind in counted:
            counted[kind][incident] += 1
        for (line, name), fact in NAMED.items():
            if kind == line and name in refs:
                named[fact][refs[name]] += 1
    for kind, found in named.items():
        _same(verdict, f"each {kind} has its line", heard.ids.get(kind, set()), set(found))
        twice = [id for id, count in found.items() if count != 1]
        verdict.hold(f"each {kind} has one line", not twice, twice[:SHOWN])
    for kind, query in (
        ("tally", select(Tally.incident, func.count()).group_by(Tally.incident)),
        (
            "answer",
            select(Alert.incident, func.count()).join(Answer, Answer.alert == Alert.id).group_by(Alert.incident),
        ),
        ("report", select(Incident.id, func.count()).where(Incident.title == "漏水").group_by(Incident.id)),
    ):
        rows = Counter(dict(session.execute(query).all()))
        verdict.hold(
            f"as many lines as rows: {kind}", rows == counted[kind], (rows - counted[kind]) + (counted[kind] - rows)
        )
    fed = set(session.scalars(select(Change.entity).where(Change.type == "entry")))
    _same(verdict, "each line is in the feed", lines, fed)
    verdict.figures["lines"] = len(lines)


def _told(session: Session, verdict: Verdict) -> None:
    """Every order has alerted somebody, exactly once."""
    alerted = Counter(session.scalars(select(Alert.order).where(Alert.order.is_not(None))))
    orders = set(session.scalars(select(Order.id)))
    _same(verdict, "each order has its alert", orders, {id for id in alerted if id is not None})
    twice = [id for id, count in alerted.items() if count != 1]
    verdict.hold("each order has one alert", not twice, twice[:SHOWN])
