"""The ticketing system fails: from the first report to the signed review, with a moved clock, alert by alert."""

from typing import Any

from server.clock import iso, now
from server.db import new_id
from server.domain import escalation
from tests.cast import TICKETING, Stage
from tests.pictures import jpeg, promise, tus_headers

RESPONSE = {
    "office-publish": "communications", "paper-sale": "visitor_centre", "paper-check": "inspection",
    "keep-order": "security", "ticket-accounts": "finance", "it-restore": "it", "paper-supply": "logistics",
}  # fmt: skip


class Watch:
    """Every alert of the incident is accounted for: a message nobody expected fails the test."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.seen = stage, set[str]()
        self.team_of = {id: kind for kind, id in stage.cast.teams.items()}

    def told(self) -> list[tuple[str | None, str]]:
        """The alerts issued since the last look as (team, English title), sorted."""
        commander = self.stage["commander"]
        commander.sync()
        new = [alert for alert in commander.all("alert") if alert["id"] not in self.seen]
        self.seen |= {alert["id"] for alert in new}
        return sorted((self.team_of.get(alert["team"], ""), alert["title"]["en"]) for alert in new)


def report_fault(stage: Stage) -> str:
    incident = new_id()
    body = {
        "plan": TICKETING, "trigger": "sale-or-check-fails", "title": "三号窗口无法出票", "place": stage.cast.places["windows"],
        "position": {"lat": 30.27, "lon": 120.05, "accuracy": 8}, "occurred_at": iso(now()),
    }  # fmt: skip
    stage["visitors_one"].put(f"/incidents/{incident}", body)
    return incident


def decide(stage: Stage, incident: str, kind: str, **more: Any) -> None:
    stage["commander"].fact(f"/incidents/{incident}/decisions", {"kind": kind, **more})


def board_of(stage: Stage, team: str) -> dict[str, Any]:
    stage["commander"].sync()
    teams = stage["commander"].one("board")["teams"]
    found = [row for row in teams if row["team"] == stage.cast.teams[team]]
    assert len(found) == 1
    return {name: found[0][name] for name in ("asked", "delivered", "opened", "answered", "silent", "by_answer")}


def item_of(stage: Stage, who: str, checklist: str, item: str) -> str:
    stage[who].sync()
    listing = stage[who].one("checklist", key=checklist)
    return str(stage[who].one("item", checklist=listing["id"], key=item)["id"])


def kinds(stage: Stage, incident: str) -> list[str]:
    found: list[str] = []
    after: int | None = 0
    while after is not None:
        page = stage["commander"].get(f"/incidents/{incident}/timeline?after={after}")
        found += [entry["kind"] for entry in page["entries"]]
        after = page["next"]
    return found


def test_the_fault_is_reported_and_it_has_fifteen_minutes(stage: Stage) -> None:
    watch = Watch(stage)
    incident = report_fault(stage)
    assert watch.told() == [("it", "Find and repair the fault")]
    limit = stage["commander"].one("limit", key="restore")
    assert (limit["status"], limit["length_seconds"]) == ("running", 900)
    assert limit["clause"]["ref"]
    assert limit["consequence"]["zh"]
    stage["it_one"].sync()
    assert stage["it_one"].one("limit", key="restore")["due_at"] == limit["due_at"]
    for person in ("it_lead", "it_one"):
        stage[person].sync()
        for alert in stage[person].all("alert"):
            stage[person].fact(f"/alerts/{alert['id']}/answers", {"kind": "on_my_way", "eta_minutes": 3})

    stage.move(minutes=14, seconds=59)
    assert watch.told() == [("", "Answered, not on scene: it_lead, it_one")]  # on their way for three minutes
    stage.move(seconds=1)
    # the leadership group hears of the same minute once, the IT leaders that their order is not done
    assert watch.told() == [("it", "Find and repair the fault"), ("leadership", "Restored within 15 minutes")]
    commander = stage["commander"]
    for key in ("restore", "order-it-repair"):
        passed = commander.one("limit", key=key)
        assert (passed["status"], passed["fired_at"]) == ("passed", passed["due_at"])
    people = {row["person"] for row in commander.all("recipient") if row["team"] == stage.cast.teams["leadership"]}
    assert people == {stage.cast.people["commander"], stage.cast.people["second"]}
    for _ in range(2):
        assert stage.database.write(lambda session: escalation.fire_due(session)) == 0
    assert watch.told() == []
    assert commander.one("proposal", kind="activate")["status"] == "open"
    assert kinds(stage, incident).count("limit_passed") == 2


def test_a_fault_repaired_in_time_troubles_nobody(stage: Stage) -> None:
    watch = Watch(stage)
    incident = report_fault(stage)
    watch.told()
    stage.move(minutes=2)
    stage["it_lead"].sync()
    for alert in stage["it_lead"].all("alert"):
        for person in ("it_lead", "it_one"):
            stage[person].fact(f"/alerts/{alert['id']}/answers", {"kind": "received"})
    stage.move(minutes=10)
    stage["it_one"].fact(f"/incidents/{incident}/facts", {"key": "service.restored"})
    stage.move(hours=1)
    assert watch.told() == []  # nobody went to paper, so nobody is sent back from it
    assert stage["commander"].one("limit", key="restore")["status"] == "met"
    assert stage["commander"].one("limit", key="order-it-repair")["status"] == "cancelled"


def test_what_was_activated_early_is_not_put_to_anybody_again(stage: Stage) -> None:
    incident, commander = report_fault(stage), stage["commander"]
    commander.sync()
    assert "whether to activate" in commander.one("limit", key="restore")["consequence"]["en"]
    decide(stage, incident, "activate")
    commander.sync()
    late = "Not done in time; find out how far it is and help"
    assert commander.one("limit", key="restore")["consequence"]["en"] == late
    stage.move(minutes=15)
    commander.sync()
    assert commander.one("limit", key="restore")["status"] == "passed"
    told = [one for one in commander.all("alert") if one["title"]["en"] == "Restored within 15 minutes"]
    assert [one["body"]["en"] for one in told] == [f"{late}."]
    waiting = [one["kind"] for one in commander.all("proposal") if one["status"] == "open"]
    assert "activate" not in waiting
    assert [one for one in commander.all("alert") if "Decide: Activate" in one["title"]["en"]] == []


def test_the_whole_walk(stage: Stage) -> None:
    watch = Watch(stage)
    cast, commander = stage.cast, stage["commander"]
    incident = report_fault(stage)
    for person in ("it_lead", "it_one"):
        stage[person].sync()
        for alert in stage[person].all("alert"):
            stage[person].fact(f"/alerts/{alert['id']}/answers", {"kind": "received"})
    stage.move(minutes=15)
    watch.told()
    for person in ("commander", "second"):
        stage[person].sync()
        alert = stage[person].one("alert", team=cast.teams["leadership"])
        stage[person].fact(f"/alerts/{alert['id']}/answers", {"kind": "on_scene"})
    stage["it_lead"].sync()
    for alert in stage["it_lead"].all("alert"):  # also that their order is not done in time
        stage["it_lead"].fact(f"/alerts/{alert['id']}/answers", {"kind": "received"})

    # The decision: one order with its checklist and its alert for each team, at once.
    stage.move(minutes=1)
    decide(stage, incident, "activate")
    told = watch.told()
    assert [team for team, _ in told] == sorted(RESPONSE.values())
    orders = {order["key"]: order for order in commander.all("order") if order["key"] in RESPONSE}
    assert set(orders) == set(RESPONSE)
    for key, team in RESPONSE.items():
        assert orders[key]["team"] == cast.teams[team]
        assert None not in (orders[key]["checklist"], orders[key]["alert"], orders[key]["clause"])
    stage["finance_lead"].sync()
    assert [order["key"] for order in stage["finance_lead"].all("order")] == ["ticket-accounts"]
    assert commander.one("incident")["status"] == "activated"
    assert stage.tick() == 0

    # Receipts and answers, and the silent asked again.
    alert = orders["keep-order"]["alert"]
    stage["security_lead"].fact(f"/alerts/{alert}/receipts", {"kind": "delivered", "channel": "push"})
    stage["security_lead"].fact(f"/alerts/{alert}/receipts", {"kind": "opened", "channel": "app"})
    assert board_of(stage, "security") == {
        "asked": 3, "delivered": 1, "opened": 1, "answered": 0, "silent": 3, "by_answer": {},
    }  # fmt: skip
    stage["security_lead"].fact(f"/alerts/{alert}/answers", {"kind": "on_my_way", "eta_minutes": 4})
    stage["security_one"].fact(f"/alerts/{alert}/answers", {"kind": "cannot", "reason": "在医院"})
    board = board_of(stage, "security")
    assert (board["answered"], board["silent"]) == (2, 1)
    assert board["by_answer"] == {"on_my_way": 1, "cannot": 1}
    for team in ("it", "logistics", "communications", "visitor_centre", "finance", "inspection"):
        for key in [key for key, kind in RESPONSE.items() if kind == team]:
            for person in [row["person"] for row in commander.all("recipient") if row["alert"] == orders[key]["alert"]]:
                name = next(name for name, id in cast.people.items() if id == person)
                body = {"kind": "received", "read_back": "改用纸质门票"}
                stage[name].fact(f"/alerts/{orders[key]['alert']}/answers", body)
    before = kinds(stage, incident).count("reminder")
    stage.move(seconds=119)
    assert kinds(stage, incident).count("reminder") == before
    stage.move(seconds=1)
    reminders = [
        entry
        for entry in commander.get(f"/incidents/{incident}/timeline?after=0")["entries"]
        if entry["kind"] == "reminder"
    ]
    assert [entry["refs"]["alert"] for entry in reminders] == [alert]
    assert "1 silent" in reminders[0]["text"]["en"]
    stage["security_two"].fact(f"/alerts/{alert}/answers", {"kind": "received"})
    stage.move(minutes=9)
    assert kinds(stage, incident).count("reminder") == 1
    late = {"communications", "logistics", "security"}  # their orders were for ten minutes, and command hears of it
    others = [one for one in watch.told() if one[0] not in late | {"leadership"}]
    assert others == [("", "Answered, not on scene: security_lead")]

    # Security without a network: a report with photo and position, and half of the checklist.
    one, lead = stage["security_one"], stage["security_lead"]
    exits = item_of(stage, "security_one", "keep-order", "exits")
    picture = jpeg()
    photo = promise(picture)
    happened = iso(now())
    filed = one.later(
        "/reports",
        {
            "incident": incident, "type": "crowd", "place": cast.places["gate"], "text": "东口约三百人",
            "position": {"lat": 30.271234, "lon": 120.051234, "accuracy": 12.5}, "counts": {"people": 300}, "photos": [photo],
        },
    )  # fmt: skip
    mine = one.later(f"/items/{exits}/marks", {"value": "done"})
    stage.move(seconds=30)
    theirs = lead.later(f"/items/{exits}/marks", {"value": "not_done", "note": "南口有货架"})
    stage.move(seconds=60)
    assert [result["status"] for result in one.drain()] == ["applied", "applied"]
    assert [result["status"] for result in lead.drain()] == ["applied"]
    commander.sync()
    report = commander.one("report", id=filed)
    assert (report["occurred_at"], report["late"], report["photos"][0]["state"]) == (happened, False, "waiting")
    assert report["received_at"] > report["occurred_at"]
    upload(stage, "security_one", photo, picture)
    commander.sync()
    assert commander.one("report", id=filed)["photos"][0]["state"] == "delivered"
    entries = kinds(stage, incident)
    assert entries.count("contested") == 1
    assert {mark["id"] for mark in commander.all("mark") if mark["item"] == exits} == {mine, theirs}
    one.fact(f"/items/{exits}/marks", {"value": "done", "based_on": theirs})
    assert kinds(stage, incident).count("contested") == 1

    # Paper tickets by number, and their balance.
    request = stage["visitors_lead"].fact(
        "/requests",
        {
            "incident": incident, "supply": cast.supplies["paper-tickets"], "quantity": 200,
            "for_team": cast.teams["visitor_centre"], "to_place": cast.places["windows"],
        },
    )  # fmt: skip
    numbers = {"serial_from": 5001, "serial_to": 5200}
    stage["logistics_one"].fact(f"/requests/{request}/movements", {"kind": "approved"})
    stage["logistics_one"].fact(f"/requests/{request}/movements", {"kind": "dispatched", "carrier": "老王", **numbers})
    stage["visitors_lead"].fact(f"/requests/{request}/movements", {"kind": "received", **numbers})
    for item, value in (("drawn", "done"), ("first", "5001"), ("last", "5200")):
        stage["visitors_lead"].fact(
            f"/items/{item_of(stage, 'visitors_lead', 'paper-sale', item)}/marks", {"value": value}
        )
    for item in ("told", "released", "checking"):
        stage["inspection_lead"].fact(
            f"/items/{item_of(stage, 'inspection_lead', 'paper-check', item)}/marks", {"value": "done"}
        )
    stage["visitors_lead"].fact(
        f"/requests/{request}/movements", {"kind": "used", "serial_from": 5001, "serial_to": 5150}
    )
    stage["visitors_lead"].fact(
        f"/requests/{request}/movements", {"kind": "void", "serial_from": 5151, "serial_to": 5152}
    )
    stage["visitors_lead"].fact(
        f"/requests/{request}/movements", {"kind": "returned", "serial_from": 5153, "serial_to": 5200}
    )
    commander.sync()
    row = commander.one("request")
    assert (row["sent"], row["received"], row["used"], row["void"], row["returned"]) == (200, 200, 150, 2, 48)
    assert (row["open"], row["contested"]) == (0, False)
    assert commander.one("limit", key="paper-in-place")["status"] == "met"

    # Going to paper has opened the line of the ledger; the clerks say how much there is.
    ledger = commander.one("back_entry", key="paper-sales")["id"]
    stage["visitors_lead"].fact(f"/back-entries/{ledger}/counts", {"quantity": 150})

    # Back to normal: the switch-back orders, the end, the review.
    watch.told()
    decide_too_early = stage["commander"].put(f"/incidents/{incident}/decisions/{new_id()}", {"kind": "end"}, 422)
    assert decide_too_early["code"] == "end_conditions_open"
    for item in ("repaired", "tested", "restored"):
        stage["it_lead"].fact(f"/items/{item_of(stage, 'it_lead', 'it-restoration', item)}/marks", {"value": "done"})
    assert watch.told() == [("inspection", "Back to electronic check"), ("visitor_centre", "Back to electronic sale")]
    assert commander.one("incident")["status"] == "restored"
    for person, checklist, team in (
        ("inspection_lead", "gates-back", "inspection"), ("visitors_lead", "windows-back", "visitor_centre"),
        ("visitors_one", "windows-back", "visitor_centre"),
    ):  # fmt: skip
        order = commander.one("order", key=checklist, team=cast.teams[team])
        stage[person].fact(f"/alerts/{order['alert']}/answers", {"kind": "received", "read_back": "恢复电子验票"})
    stage.move(minutes=20)
    overdue = "Gates switched back within 15 minutes"
    assert {("inspection", overdue), ("leadership", overdue)} <= {*watch.told()}
    gates = item_of(stage, "inspection_lead", "gates-back", "electronic")
    stage["inspection_lead"].fact(f"/items/{gates}/marks", {"value": "done"})
    assert stage["commander"].put(f"/incidents/{incident}/decisions/{new_id()}", {"kind": "end"}, 422)["code"] == (
        "end_conditions_open"
    )
    commander.fact(f"/incidents/{incident}/facts", {"key": "order-normal"})
    commander.refused(f"/incidents/{incident}/decisions", {"kind": "end"}, 422, "ledger_open")
    decide(stage, incident, "end", reason="补录当日完成")
    assert watch.told() == [("finance", "Settle the paper tickets")]
    assert commander.one("incident")["status"] == "ended"
    review = commander.one("review")
    for quantity in (100, 50):
        assert commander.one("limit", key="back-entry-paper-sales")["status"] == "running"
        stage["visitors_one"].fact(f"/back-entries/{ledger}/completions", {"quantity": quantity})
        commander.sync()
    assert commander.one("limit", key="back-entry-paper-sales")["status"] == "met"
    assert commander.one("back_entry")["remaining"] == 0
    limit = commander.one("limit", key="review")
    assert limit["length_seconds"] == 2 * 86400
    assert (review["status"], review["due_at"]) == ("draft", limit["due_at"])
    results = {one["key"]: one["result"] for one in review["outcomes"]}
    assert (results["restore"], results["paper-in-place"], results["switched-back"]) == ("late", "met", "late")
    course = next(section for section in review["sections"] if section["key"] == "course")
    assert "三号窗口无法出票" in course["text"]
    assert "决定启动预案" in course["text"]
    assert "10:15 时限已到：15 分钟内恢复" in course["text"].splitlines()
    commander.refused(f"/reviews/{incident}/signatures", {}, 422, "sections_open")
    for section in review["sections"]:
        if not section["filled"]:
            commander.fact(f"/reviews/{incident}/sections", {"section": section["key"], "text": "已查明。"})
    commander.fact(f"/reviews/{incident}/signatures")
    commander.sync()
    assert (commander.one("review")["status"], commander.one("incident")["status"]) == ("signed", "reviewed")
    stage.move(days=3)
    settling = {("finance", "Settle the paper tickets"), ("leadership", "Settle the paper tickets")}
    assert settling <= {*watch.told()}  # by the end of the day, and nobody has; the rest is over
    assert commander.one("limit", key="order-windows-back")["status"] != "running"
    assert commander.get(f"/incidents/{incident}/verification") == {"intact": True, "broken_at": None}


def upload(stage: Stage, who: str, photo: dict[str, Any], picture: bytes) -> None:
    """Send a promised photo in two pieces."""
    phone = stage[who]
    created = phone.call("POST", "/uploads", headers=tus_headers(photo))
    assert created.status_code == 201, created.get_data()
    half = len(picture) // 2
    for start, piece in ((0, picture[:half]), (half, picture[half:])):
        answer = phone.call(
            "PATCH", created.headers["Location"], data=piece, content_type="application/offset+octet-stream",
            headers={"Tus-Resumable": "1.0.0", "Upload-Offset": str(start)},
        )  # fmt: skip
        assert answer.status_code == 204, answer.get_data()
