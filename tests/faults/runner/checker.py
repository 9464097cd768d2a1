"""The judge of a run: reads the phones' logs, the database and the photo folder, and trusts none of them alone."""

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import select, text
from sqlalchemy.orm import Session

import server.app  # noqa: F401 - every type that phones are sent is known
from server.clock import clock
from server.config import Config
from server.db import Model
from server.domain import feed, incidents, people, timeline
from server.domain.alerts import Alert, Answer, Board
from server.domain.facts import Fact
from server.domain.field_reports import Photo
from server.domain.limits import PASSED, RUNNING, Limit
from server.domain.people import Contact, Person
from server.domain.tallies import Tally
from server.domain.timeline import Entry
from server.opening import open_database
from tests.faults.runner.effects import effect_of
from tests.faults.runner.phones import digest

DECLARED = {503, 507}


@dataclass
class Verdict:
    """What a run came to; `wrong` is empty when everything held."""

    figures: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def hold(self, rule: str, fine: bool, *what: object) -> None:
        """Note that a rule was broken."""
        if not fine:
            self.wrong.append(f"{rule}: " + " ".join(str(one) for one in what))


def judge(logs: Path, url: str, photos: Path, at: datetime) -> Verdict:
    """Check every promise. `logs` holds a folder for each phone, `at` is the processes' time at the end."""
    verdict = Verdict()
    heard = {
        path.parent.name: [json.loads(line) for line in path.read_text().splitlines()]
        for path in sorted(logs.glob("*/log.jsonl"))
    }
    database = open_database(Config(database_url=url))
    clock.hold(at)
    try:
        with database.read() as session:
            _facts(session, heard, verdict)
            _counted_effects(session, verdict)
            limits_fired_once(session, at, verdict)
            chains_hold(session, verdict)
            _photos(session, heard, photos, verdict)
            feed_says_what_rows_say(session, verdict)
            _phones(session, heard, verdict)
            if database.is_sqlite:
                found = session.scalars(text("PRAGMA integrity_check")).all()
                verdict.hold("the file is sound", found == ["ok"], found)
                broken = session.execute(text("PRAGMA foreign_key_check")).all()
                verdict.hold("foreign keys hold", not broken, broken[:5])
    finally:
        clock.release()
        database.dispose()
    return verdict


def _facts(session: Session, heard: dict[str, list[dict[str, Any]]], verdict: Verdict) -> None:
    """Every fact answered as applied is there once with its effect; one answered as refused has none; none is forgotten."""
    kept = {row.id: row for row in session.execute(select(Fact.id, Fact.outcome))}
    life = session.scalar(select(feed.Epoch.id).order_by(feed.Epoch.id.desc()).limit(1))
    totals: Counter[str] = Counter()
    for phone, lines in heard.items():
        made: dict[str, str] = {}
        said: dict[str, list[tuple[str, str]]] = {}
        sent: Counter[str] = Counter()
        for line in lines:
            if line["event"] == "made":
                made[line["id"]] = line["path"]
            elif line["event"] == "sent":
                sent.update(line["ids"])
            elif line["event"] == "heard":
                for one in line["results"]:
                    said.setdefault(one["id"], []).append((line["epoch"], one["status"]))
                    verdict.hold("only ids that were sent are answered", one["id"] in made, phone, one)
            elif line["event"] == "whole":
                verdict.hold("no undeclared error", line["status"] in DECLARED, phone, line)
            elif line["event"] == "other_content":
                known = (kept.get(line["id"]) or (None, None))[1] == "applied"
                fine = line["status"] in DECLARED or not known or (line["status"], line["code"]) == (409, "id_reused")
                verdict.hold("an id cannot be used twice", fine, phone, line)
            elif line["event"] == "drained":
                verdict.hold("the queue drains", not line["waiting"] and not line["photos"], phone, line)
        for id, path in made.items():
            heard_of = said.get(id, [])
            answers = {status for epoch, status in heard_of if epoch == life}
            there = id in kept and kept[id].outcome == "applied"
            effects = effect_of(session, path, id)
            totals["attempted"] += 1
            totals["applied" if there else "refused"] += 1
            totals["sent again"] += max(sent[id] - 1, 0)
            acknowledged = bool(answers & {"applied", "duplicate"})
            # A life that ended with a restored backup took its acknowledgments along: the next one must have spoken again.
            before = any(epoch != life and status in ("applied", "duplicate") for epoch, status in heard_of)
            totals["refused after a restore"] += before and not there
            verdict.hold("acknowledged is kept", there or not acknowledged, phone, id, path, heard_of)
            verdict.hold("every fact is answered in the end", bool(answers), phone, id, path, heard_of)
            verdict.hold("once with its effect", effects == (1 if there else 0), phone, id, path, effects, heard_of)
            twice = [one for one, times in Counter(heard_of).items() if one[1] == "applied" and times > 1]
            verdict.hold("applied once in each life", not twice, phone, id, heard_of)
    verdict.figures.update(totals)


def _counted_effects(session: Session, verdict: Verdict) -> None:
    """Answers and tallies have exactly one timeline entry each, though an entry does not name them."""
    for kind, query in (
        ("tally", select(Tally.incident)),
        ("answer", select(Alert.incident).join(Answer, Answer.alert == Alert.id)),
    ):
        rows = Counter(session.scalars(query))
        entries = Counter(session.scalars(select(Entry.incident).where(Entry.kind == kind)))
        verdict.hold(f"one entry for each {kind}", rows == entries, (rows - entries) + (entries - rows))


def limits_fired_once(session: Session, at: datetime, verdict: Verdict) -> None:
    """Every limit that was due fired exactly once and not before its time, or had ended."""
    fired = Counter(entry.refs["limit"] for entry in session.scalars(select(Entry).where(Entry.kind == "limit_passed")))
    found = list(session.scalars(select(Limit)))
    for limit in found:
        passed = limit.status == PASSED
        verdict.hold(
            "a due limit fires", not (limit.status == RUNNING and limit.due_at <= at), limit.id, limit.key, limit.due_at
        )
        verdict.hold(
            "a limit fires once",
            fired[limit.id] == (1 if passed else 0),
            limit.id,
            limit.key,
            limit.status,
            fired[limit.id],
        )
        early = passed and (limit.fired_at is None or limit.fired_at < limit.due_at)
        verdict.hold("a limit is never early", not early, limit.id, limit.fired_at, limit.due_at)
    verdict.figures |= {"limits": len(found), "limits fired": sum(fired.values())}


def chains_hold(session: Session, verdict: Verdict) -> None:
    for incident in session.scalars(select(incidents.Incident.id)):
        broken = timeline.broken_at(session, incident)
        verdict.hold("the hash chain is intact", broken is None, incident, broken)


def _photos(session: Session, heard: dict[str, list[dict[str, Any]]], folder: Path, verdict: Verdict) -> None:
    """A photo a phone was told has arrived is shown, and its file is there; no file is without its row."""
    rows = {photo.id: photo for photo in session.scalars(select(Photo))}
    for phone, lines in heard.items():
        told = {line["id"]: line["state"] for line in lines if line["event"] == "photo"}
        # Its report came to nothing in the life after a restored backup, and its phone was told so.
        unpromised = {id for id, last in told.items() if last == "not promised"}
        for line in lines:
            if line["event"] == "photo" and line["state"] == "sent":
                state = rows[line["id"]].state if line["id"] in rows else "unknown"
                fine = state == "delivered" or line["id"] in unpromised
                verdict.hold("a photo that was sent is shown", fine, phone, line, state)
    for photo in rows.values():
        files = [folder / f"{photo.id}.{ending}" for ending in ("jpg", "thumbnail.jpg")]
        there = all(file.is_file() and file.stat().st_size for file in files)
        verdict.hold("no photo without its file", there or photo.state != "delivered", photo.id)
    for file in folder.glob("*") if folder.is_dir() else ():
        verdict.hold("no file without its photo", file.name.partition(".")[0] in rows, file.name)
    verdict.figures["photos"] = sum(photo.state == "delivered" for photo in rows.values())


def feed_says_what_rows_say(session: Session, verdict: Verdict) -> None:
    """The feed says what the rows say: every document worked out afresh is the one that phones are sent."""
    stored = {
        (row.space, row.type, row.entity): orjson.loads(row.document)
        for row in session.execute(
            select(feed.Change.space, feed.Change.type, feed.Change.entity, feed.Change.document)
        )
        if row.document is not None
    }
    fresh: dict[tuple[str, str, str], Any] = {}
    for thing in _synced(session):
        for space in set(thing.spaces(session)):
            document = thing.document(session, space)
            if document is not None:
                fresh[(space, thing.synced_type, thing.id)] = document
    for key in sorted(stored.keys() | fresh.keys()):
        verdict.hold(
            "the feed says what the rows say", stored.get(key) == fresh.get(key), *key, stored.get(key), fresh.get(key)
        )
    verdict.figures["documents"] = len(stored)


def _synced(session: Session) -> list[Any]:
    found: list[Any] = [Board(id) for id in session.scalars(select(Alert.incident).distinct())]
    found += [Contact(person) for person in session.scalars(select(Person))]
    for mapper in Model.registry.mappers:
        if hasattr(mapper.class_, "synced_type"):
            found += session.scalars(select(mapper.class_))
    return found


def _phones(session: Session, heard: dict[str, list[dict[str, Any]]], verdict: Verdict) -> None:
    """Every phone holds exactly what the feed has for the spaces its person may read, and nothing else."""
    known: dict[str, dict[str, str]] = {}
    for row in session.execute(select(feed.Change)).scalars():
        if row.document is not None:
            known.setdefault(row.space, {})[f"{row.type} {row.entity}"] = digest(json.loads(row.document))
    for phone, lines in heard.items():
        person = next(line["person"] for line in lines if line["event"] == "signed_in")
        allowed = set(incidents.spaces(session, people.standing(session, person)))
        final = next((line["spaces"] for line in reversed(lines) if line["event"] == "final"), None)
        if final is None:
            verdict.hold("every phone finishes", False, phone)
            continue
        held = {space: rows for space, rows in final.items() if rows}
        wanted = {space: known[space] for space in allowed if known.get(space)}
        for space in sorted(held.keys() | wanted.keys()):
            mine, theirs = held.get(space, {}), wanted.get(space, {})
            different = {key for key in mine.keys() | theirs.keys() if mine.get(key) != theirs.get(key)}
            verdict.hold("phones and server agree", not different, phone, space, sorted(different)[:5])


def state_hash(url: str) -> str:
    """One hash over everything in the feed, to compare two databases."""
    database = open_database(Config(database_url=url))
    try:
        with database.read() as session:
            query = select(feed.Change.space, feed.Change.type, feed.Change.entity, feed.Change.document)
            rows = sorted((row.space, row.type, row.entity, row.document or "") for row in session.execute(query))
    finally:
        database.dispose()
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
