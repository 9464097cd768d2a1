"""Histories of sync: several phones, people joining and leaving teams, batches in any order and half heard; all converge."""

import os
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from flask import Flask
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from sqlalchemy import select

from server.db import new_id
from server.domain import feed, incidents, people
from server.domain.facts import Fact
from tests.cast import Cast, Phone, Stage
from tests.faults.runner.checker import Verdict, feed_says_what_rows_say
from tests.postgres import Databases, name_in
from tests.stage import opened_at, set_stage

Rows = dict[tuple[str, str, str], dict[str, Any]]
pytestmark = pytest.mark.timeout(900)
PHONES = ("commander", "visitors_one", "security_one", "it_lead", "outsider", "observer", "visitors_one again")
WRITERS = tuple(name for name in PHONES if name != "observer")
MOVERS = ("security_one", "outsider", "it_lead")
TEAMS = ("security", "it", "logistics", "visitor_centre")
HISTORIES = int(os.environ.get("TOCSIN_TEST_HISTORIES", "0"))
"""How many histories to play on each database; 0: the five hundred of every run."""


class Histories(RuleBasedStateMachine):
    """What phones and an administrator may do, in any order; at the end the network is whole and everybody syncs."""

    open_stage: Callable[[], tuple[Stage, Callable[[], None]]]
    begun: dict[str, tuple[dict[str, int], Rows]]
    """What every phone has pulled of the incident that each history begins with: its cursors and rows."""

    def __init__(self) -> None:
        super().__init__()
        self.stage, self.close = self.open_stage()
        self.phones: dict[str, Phone] = {}
        self.sent: dict[str, list[dict[str, Any]]] = {name: [] for name in PHONES}
        self.applied: set[str] = set()
        self.posts: dict[tuple[str, str], str] = {}
        self.made = 0

    def phone(self, name: str) -> Phone:
        if name not in self.phones:
            known = self.stage[name.removesuffix(" again")]
            self.phones[name] = phone = Phone(known.app, name, known.person, known.device, known.token)
            cursors, rows = self.begun[name]
            phone.cursors, phone.rows = dict(cursors), dict(rows)
        return self.phones[name]

    @rule(name=st.sampled_from(WRITERS), choice=st.integers(0, 5), which=st.integers(0, 50))
    def do_something_offline(self, name: str, choice: int, which: int) -> None:
        phone = self.phone(name)
        self.made += 1
        known, items, asked = phone.all("incident"), phone.all("item"), phone.all("alert")
        ticks = [item for item in items if item["kind"] == "tick"]
        if choice == 0 and self.made % 4 == 0 or not known:
            phone.later("/incidents", {"title": f"事件 {self.made}"})
        elif choice in (1, 2) and ticks:
            value = ("done", "not_done")[which % 2]
            phone.later(f"/items/{ticks[which % len(ticks)]['id']}/marks", {"value": value})
        elif choice == 3 and asked:
            alert = asked[which % len(asked)]
            phone.later(f"/alerts/{alert['id']}/answers", {"kind": alert["answers"][which % len(alert["answers"])]})
        elif choice == 4:
            report = {"incident": known[which % len(known)]["id"], "type": "status", "text": f"情况 {self.made}"}
            phone.later("/reports", report)
        else:
            phone.later(f"/incidents/{known[which % len(known)]['id']}/entries", {"text": f"记录 {self.made}"})

    @rule(
        name=st.sampled_from(WRITERS),
        most=st.integers(1, 6),
        order=st.randoms(use_true_random=False),
        heard=st.booleans(),
    )
    def send(self, name: str, most: int, order: Any, heard: bool) -> None:
        """Some of what waits goes out in any order, with some that went before; perhaps the answer is not heard."""
        phone = self.phone(name)
        again = order.sample(self.sent[name], min(len(self.sent[name]), 2))
        batch = phone.queue[:most] + again
        order.shuffle(batch)
        if not batch:
            return
        results = phone.batch(batch)["results"]
        self.note(results)
        if heard:
            settled = {one["id"] for one in results}
            self.sent[name] += [item for item in phone.queue if item["id"] in settled]
            phone.queue = [item for item in phone.queue if item["id"] not in settled]

    @rule(name=st.sampled_from(PHONES), limit=st.sampled_from((1, 3, 20, 500)))
    def pull_once(self, name: str, limit: int) -> None:
        """One page, as when the network goes again in the middle."""
        self.phone(name).sync(limit, pages=1)

    @rule(person=st.sampled_from(MOVERS), team=st.sampled_from(TEAMS), stays=st.booleans())
    def join_or_leave(self, person: str, team: str, stays: bool) -> None:
        cast = self.stage.cast
        key = (person, team)
        with self.stage.database.read() as session:
            query = select(people.Membership.id).where(
                people.Membership.person == cast.people[person], people.Membership.team == cast.teams[team]
            )
            self.posts[key] = session.scalar(query) or new_id()
        body = {
            "person": cast.people[person],
            "team": cast.teams[team],
            "role": "member",
            "rank": 9,
            "ended": not stays,
        }
        self.stage["admin"].put(f"/memberships/{self.posts[key]}", body, expect=204)

    @rule(kind=st.sampled_from(("activate", "decline")))
    def decide(self, kind: str) -> None:
        phone = self.phone("commander")
        known = [one for one in phone.all("incident") if one["plan"]]
        if known:
            phone.later(f"/incidents/{known[0]['id']}/decisions", {"kind": kind, "reason": "现场情况"})

    @rule(minutes=st.integers(1, 20))
    def time_passes(self, minutes: int) -> None:
        self.stage.move(minutes=minutes)

    @precondition(lambda self: self.made > 3)
    @rule(name=st.sampled_from(PHONES))
    def forget_everything_but_the_queue(self, name: str) -> None:
        phone = self.phone(name)
        phone.rows, phone.cursors = {}, {}

    def note(self, results: list[dict[str, Any]]) -> None:
        for one in results:
            if one["status"] == "applied":
                assert one["id"] not in self.applied, "applied twice"
                self.applied.add(one["id"])
            assert one["status"] != "retry_later", one

    def teardown(self) -> None:
        try:
            self.converge()
        finally:
            self.close()

    def converge(self) -> None:
        for name in WRITERS:
            phone = self.phone(name)
            while phone.queue:
                batch, phone.queue = phone.queue[:50], phone.queue[50:]
                self.note(phone.batch(batch)["results"])
        for name in PHONES:
            self.phone(name).sync()
        verdict, parsed = Verdict(), cache(orjson.loads)
        with self.stage.database.read() as session:
            feed_says_what_rows_say(session, verdict)
            applied = set(session.scalars(select(Fact.id).where(Fact.outcome == "applied")))
            assert self.applied <= applied
            for name in PHONES:
                phone = self.phone(name)
                allowed = incidents.spaces(session, people.standing(session, phone.person))
                rows = session.scalars(select(feed.Change).where(feed.Change.space.in_(allowed)))
                wanted = {(row.space, row.type, row.entity): row.document for row in rows if row.document is not None}
                assert phone.rows == {key: parsed(text) for key, text in wanted.items()}, name
        assert not verdict.wrong, verdict.wrong[:5]


@pytest.mark.parametrize(("kind", "count"), [("sqlite", 460), ("postgresql", 40)])
def test_all_phones_converge_whatever_happens_in_whatever_order(
    kind: str, count: int, filled: Callable[[str], tuple[str, Cast]], application: Callable[[str], Flask],
    postgres: Databases,
) -> None:  # fmt: skip
    # What all histories begin with is made once: somebody has raised an incident and every phone knows of it.
    staging = set_stage(kind, filled, application)
    first = next(staging)
    first["visitors_one"].fact("/incidents", {"plan": "scenic-ticketing-failure", "title": "窗口无法出票"})
    begun = {}
    for name in PHONES:
        known = first[name.removesuffix(" again")]
        known.cursors, known.rows = {}, {}
        known.sync()
        begun[name] = (known.cursors, known.rows)
    staging.close()

    def copied(kind: str) -> tuple[str, Cast]:
        if kind == "postgresql":
            return postgres.create(template=name_in(first.database.url)), first.cast
        original = Path(first.database.url.removeprefix("sqlite:///"))
        shutil.copyfile(original, original.with_name("history.db"))
        return f"sqlite:///{original.with_name('history.db')}", first.cast

    opened = cache(opened_at)  # of the same file again and again the statements are worked out once

    def open_stage() -> tuple[Stage, Callable[[], None]]:
        staging = set_stage(kind, copied, application, postgres if kind == "postgresql" else None, opened)
        return next(staging), staging.close

    machine = type("Machine", (Histories,), {"open_stage": staticmethod(open_stage), "begun": begun})
    profile = settings(
        max_examples=HISTORIES or count,
        stateful_step_count=30 if HISTORIES else 15,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=profile)
