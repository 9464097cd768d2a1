"""Who may use which route: the answer each person gets at every route there is, checked against the routes both ways.

The six figures of a row are the answers to: the admin, a commander, the leader of a team that takes part, a responder of
that team, the observer, and a responder who belongs to no team. Nobody signed in, a disabled person (401) and a revoked
phone (403) need no figures: they pass the open routes alone.
"""

from typing import Any, NamedTuple

from server.api.shell import WEB

PRINCIPALS = ("admin", "commander", "security_lead", "security_one", "observer", "outsider")


class Row(NamedTuple):
    """A request to a route, with ids by name in braces, and the six answers; `known` names the objects it is about."""

    method: str
    path: str
    answers: str
    body: Any = None

    def expected(self, principal: str) -> int:
        """The status this person gets."""
        return int(self.answers.split()[PRINCIPALS.index(principal)])


DUTY = {"person": "{person}", "team": "{team}", "kind": "off", "starts_at": "2026-11-23T02:00:00Z"}
DRILL = {
    "plan": "{plan}",
    "title": "演练",
    "scheduled_at": "2026-12-01T02:00:00Z",
    "scenario": "断网",
    "risk_check": "已评估",
}
LADDER = {"steps": [{"after_seconds": 30, "unless": "delivered", "by": ["sms"]}]}
WORDS = {"zh": "公告", "en": "Notice"}
PERSON = {"username": "new", "name": "新人", "role": "responder"}
PUSH = {"endpoint": "https://127.0.0.1/", "keys": {"p256dh": "x", "auth": "y"}, "vapid_public_key": "z"}

# Before the app is built its page says so and its files are missing.
BUILT = ("200 " * 6, "200 " * 6) if (WEB / "index.html").is_file() else ("503 " * 6, "404 " * 6)

ROWS: dict[str, Row] = {
    # alerts and orders
    "alerts.answer": Row("PUT", "/alerts/{alert}/answers/{new}", "404 404 201 201 404 404", {"kind": "received"}),
    "alerts.receive": Row("PUT", "/alerts/{alert}/receipts/{new}", "404 404 201 201 404 404", {"kind": "opened"}),
    "alerts.receive_push": Row("PUT", "/deliveries/{delivery}/receipts/{new}", "404 404 404 201 404 404", {"kind": "opened"}),
    "alerts.command": Row("PUT", "/orders/{new}", "403 201 201 403 403 404", {"incident": "{incident}", "team": "{team}", "title": "增援"}),
    "alerts.alert_as_cap": Row("GET", "/alerts/{alert}/cap", "200 200 200 403 403 404"),
    "alerts.see_answer": Row("PUT", "/recipients/{recipient}/sightings/{new}", "403 201 403 403 403 403", {}),
    "ladders.read_ladder": Row("GET", "/organisation/ladder", "200 403 403 403 403 403"),
    "ladders.put_ladder": Row("PUT", "/organisation/ladder", "204 403 403 403 403 403", LADDER),
    # the pages behind links, which ask for a token and not for a person
    "pages.show_alert": Row("GET", "/a/{new}", "401 401 401 401 401 401"),
    "pages.give_answer": Row("POST", "/a/{new}", "401 401 401 401 401 401"),
    "pages.show_group": Row("GET", "/g/{new}", "401 401 401 401 401 401"),
    "pages.find_self": Row("POST", "/g/{new}", "401 401 401 401 401 401"),
    # incidents
    "incidents.raise_incident": Row("PUT", "/incidents/{new}", "201 201 201 201 403 201", {"title": "电梯困人"}),
    "incidents.decide": Row("PUT", "/incidents/{incident}/decisions/{new}", "403 201 403 403 403 404", {"kind": "fallback"}),
    "incidents.record_fact": Row("PUT", "/incidents/{incident}/facts/{new}", "403 201 201 201 403 404", {"key": "cause.found"}),
    "incidents.log_entry": Row("PUT", "/incidents/{incident}/entries/{new}", "403 201 201 201 403 404", {"text": "记录"}),
    "incidents.read_timeline": Row("GET", "/incidents/{incident}/timeline", "200 200 200 200 200 404"),
    "incidents.verify_chain": Row("GET", "/incidents/{incident}/verification", "200 200 200 200 200 404"),
    # work
    "checklists.mark": Row("PUT", "/items/{item}/marks/{new}", "403 201 201 201 403 404", {"value": "done"}),
    "field_reports.file_report": Row("PUT", "/reports/{new}", "403 201 201 201 403 404", {"incident": "{incident}", "type": "crowd", "text": "多"}),
    "field_reports.see_report": Row("PUT", "/reports/{report}/sightings/{new}", "403 201 403 403 403 404", {}),
    "field_reports.strike_report": Row("PUT", "/reports/{report}/strikes/{new}", "403 201 403 201 403 404", {"reason": "误报"}),
    "field_reports.tally": Row("PUT", "/tallies/{new}", "403 201 201 201 403 404", {"incident": "{incident}", "place": "{place}", "kind": "in", "count": 1}),
    "supplies.ask": Row("PUT", "/requests/{new}", "403 201 201 201 403 404", {"incident": "{incident}", "supply": "{supply}", "quantity": 1, "for_team": "{team}"}),
    "supplies.move": Row("PUT", "/requests/{request}/movements/{new}", "403 201 403 403 403 404", {"kind": "approved"}),
    # paper work and notices
    "continuity.switch": Row("PUT", "/incidents/{incident}/modes/{new}", "403 201 201 403 403 404", {"tier": "paper", "to": "normal"}),
    "continuity.open_back_entry": Row("PUT", "/incidents/{incident}/back-entries/{new}", "403 201 201 201 403 404", {"tier": "paper", "title": "补录", "quantity": 1}),
    "continuity.count_back_entry": Row("PUT", "/back-entries/{back_entry}/counts/{new}", "403 201 201 201 403 404", {"quantity": 20}),
    "continuity.complete_back_entry": Row("PUT", "/back-entries/{back_entry}/completions/{new}", "403 201 201 201 403 404", {"quantity": 1}),
    "notices.draft": Row("PUT", "/incidents/{incident}/notices/{new}", "403 201 403 403 403 404", {"channel": "screen", "wording": WORDS}),
    "notices.approve": Row("PUT", "/notices/{notice}/approvals/{new}", "403 201 403 403 403 404", {}),
    "notices.publish": Row("PUT", "/notices/{approved}/publications/{new}", "403 201 403 403 403 404", {}),
    # reviews and drills
    "reviews.write_section": Row("PUT", "/reviews/{ended}/sections/{new}", "403 201 201 403 403 404", {"section": "course", "text": "经过"}),
    "reviews.act": Row("PUT", "/reviews/{ended}/actions/{new}", "403 201 201 403 403 404", {"title": "整改"}),
    "reviews.sign": Row("PUT", "/reviews/{ended}/signatures/{new}", "403 422 403 403 403 404", {}),
    "reviews.review_document": Row("GET", "/reviews/{ended}/document", "200 200 200 403 403 404"),
    "drills.plan_drill": Row("PUT", "/drills/{new}", "201 201 201 403 403 403", DRILL),
    "drills.start_drill": Row("PUT", "/drills/{drill}/starts/{new}", "201 201 201 403 403 403", {"incident": "{new}"}),
    "drills.finish_drill": Row("PUT", "/drills/{running}/finishes/{new}", "201 201 201 403 403 403", {"observations": "顺利"}),
    "drills.inject": Row("PUT", "/drills/{running}/injects/{new}", "201 201 201 403 403 403", {"key": "cause.found"}),
    "drills.inject_now": Row("PUT", "/injects/{inject}/applications/{new}", "201 201 201 403 403 403", {}),
    "drills.leave_out": Row("PUT", "/injects/{inject}/omissions/{new}", "201 201 201 403 403 403", {}),
    "drills.repace_drill": Row("PUT", "/drills/{running}/speeds/{new}", "201 201 201 403 403 403", {"speed": 30}),
    "drills.stop_drill": Row("PUT", "/drills/{running}/stops/{new}", "201 201 201 403 403 403", {"reason": "结束"}),
    "drills.call_off_drill": Row("PUT", "/drills/{drill}/cancellations/{new}", "201 201 201 403 403 403", {}),
    "drills.read_calendar": Row("GET", "/drills/calendar", "200 200 200 403 403 403"),
    "drills.complete_duty": Row("PUT", "/plans/large-crowd/duties/risk/rounds/{new}", "201 201 403 403 403 403", {}),
    # plans
    "plans.list_plans": Row("GET", "/plans", "200 200 200 200 200 200"),
    "plans.read_plan": Row("GET", "/plans/{plan}", "200 200 200 200 200 200"),
    "plans.import_plan": Row("POST", "/plans", "200 200 403 403 403 403", {"text": "{plan_text}"}),
    "plans.approve_revision": Row("PUT", "/plans/{plan}/revisions/{version}/approvals/{new}", "201 403 403 403 403 403", {}),
    "plans.check_plan": Row("POST", "/plans/check", "200 200 403 403 403 403", {"text": "{plan_text}"}),
    "plans.list_library": Row("GET", "/plans/library", "200 200 200 200 200 200"),
    "plans.read_library": Row("GET", "/plans/library/large-crowd", "200 200 200 200 200 200"),
    "plans.simulate_plan": Row("POST", "/plans/simulations", "200 200 200 200 200 200", {"plan": "large-crowd", "steps": [{"at_seconds": 0, "key": "incident.reported"}]}),
    "plans.paper_pack": Row("GET", "/plans/large-crowd/pack", "200 200 200 200 200 200"),
    "plans.read_revision": Row("PUT", "/plans/{plan}/revisions/1/readings/{new}", "201 201 201 201 201 201", {}),
    # people and things
    "people.set_duty": Row("PUT", "/duties/{new}", "201 201 201 403 403 403", DUTY),
    "people.list_people": Row("GET", "/people", "200 403 403 403 403 403"),
    "people.put_person": Row("PUT", "/people/{new}", "204 403 403 403 403 403", PERSON),
    "roster.import_people": Row("POST", "/people/imports", "200 403 403 403 403 403", {"text": "用户名,姓名\nnew-one,新人"}),
    "roster.list_devices": Row("GET", "/people/{person}/devices", "200 403 200 403 403 403"),
    "people.put_team": Row("PUT", "/teams/{new}", "204 403 403 403 403 403", {"kind": "medical", "title": WORDS}),
    "people.put_membership": Row("PUT", "/memberships/{membership}", "204 403 403 403 403 403", {"person": "{person}", "team": "{team}", "role": "deputy"}),
    "places.put_place": Row("PUT", "/places/{new}", "204 403 403 403 403 403", {"kind": "room", "title": WORDS, "code": "r-1"}),
    "supplies.put_supply": Row("PUT", "/supplies/{new}", "204 403 403 403 403 403", {"key": "lamps", "title": WORDS, "unit": WORDS, "quantity": 3}),
    "places.put_floor_plan": Row("PUT", "/places/{place}/floor-plan", "415 403 403 403 403 403"),
    "places.remove_floor_plan": Row("DELETE", "/places/{place}/floor-plan", "204 403 403 403 403 403"),
    "places.show_floor_plan": Row("GET", "/floor-plans/{new}", "404 404 404 404 404 404"),
    # sign-in and devices
    "session.sign_in": Row("POST", "/sessions", "401 401 401 401 401 401", {"username": "x", "password": "y", "device": {"id": "{new}", "name": "z"}}),
    "session.use_enrolment": Row("POST", "/sessions/enrolments", "410 410 410 410 410 410", {"token": "x", "device": {"id": "{new}", "name": "z"}}),
    "session.sign_out": Row("DELETE", "/sessions/current", "204 204 204 204 204 204"),
    "session.me": Row("GET", "/me", "200 200 200 200 200 200"),
    "session.prefer": Row("PUT", "/me/preferences", "204 204 204 204 204 204", {"theme": "dark"}),
    "session.change_password": Row("POST", "/me/password", "422 422 422 422 422 422", {"current": "wrong", "new": "long enough now"}),
    "session.make_enrolment": Row("POST", "/people/{person}/enrolments", "201 403 201 403 403 403"),
    "devices.list_mine": Row("GET", "/me/devices", "200 200 200 200 200 200"),
    "devices.revoke": Row("DELETE", "/devices/{device}", "204 404 204 404 404 404"),
    "devices.subscribe": Row("PUT", "/devices/{device}/subscription", "422 422 422 422 422 422", PUSH),
    "devices.unsubscribe": Row("DELETE", "/devices/{device}/subscription", "404 404 404 404 404 404"),
    "devices.test_push": Row("POST", "/devices/{device}/test-push", "404 404 404 404 404 404"),
    # sync, photos, health
    "batch.send_batch": Row("POST", "/batch", "200 200 200 200 200 200", {"device": "{my_device}", "items": []}),
    "changes.pull": Row("POST", "/changes", "200 200 200 200 200 200", {}),
    "live.stream": Row("GET", "/stream", "200 200 200 200 200 200"),
    "uploads.options": Row("OPTIONS", "/uploads", "204 204 204 204 204 204"),
    "uploads.create": Row("POST", "/uploads", "422 422 422 422 422 422"),
    "uploads.head": Row("HEAD", "/uploads/{upload}", "404 404 404 200 404 404"),
    "uploads.append": Row("PATCH", "/uploads/{upload}", "422 422 422 422 422 422"),
    "uploads.show": Row("GET", "/photos/{photo}", "200 200 200 200 403 404"),
    "uploads.show_thumbnail": Row("GET", "/photos/{photo}/thumbnail", "200 200 200 200 403 404"),
    "health.live": Row("GET", "/health/live", "200 200 200 200 200 200"),
    "health.deep": Row("GET", "/health/deep", "200 403 403 403 403 403"),
    "health.metrics": Row("GET", "/metrics", "200 403 403 403 403 403"),
    # one-purpose tokens, the app itself and its description
    "tokens.answer_by_token": Row("PUT", "/tokens/answers/{new}", "401 401 401 401 401 401", {"token": "x", "kind": "received"}),
    "tokens.receive_by_token": Row("PUT", "/tokens/receipts/{new}", "401 401 401 401 401 401", {"token": "x", "kind": "opened"}),
    "documents.openapi": Row("GET", "/openapi.json", "200 200 200 200 200 200"),
    "documents.problems": Row("GET", "/docs/problems", "200 200 200 200 200 200"),
    "documents.page": Row("GET", "/docs", "200 200 200 200 200 200"),
    "shell.index": Row("GET", "/", BUILT[0]),
    "shell.asset": Row("GET", "/assets/none.js", "404 404 404 404 404 404"),
    "shell.manifest": Row("GET", "/manifest.webmanifest", BUILT[1]),
    "shell.worker": Row("GET", "/sw.js", BUILT[1]),
}  # fmt: skip
