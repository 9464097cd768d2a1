"""Who may do what, as data: asked by every view and every verb, for single requests and batches alike."""

from server.domain.errors import Forbidden
from server.domain.people import Standing

# Grants: a role name; "leads" / "member" of the team concerned; "part" takes part in the incident; "own" is theirs;
# "kind:x" has a post in a team of that kind; "leader" leads any team. What is not granted is refused.
RULES: dict[str, frozenset[str]] = {
    action: frozenset(grants.split())
    for action, grants in {
        "incident.raise": "admin commander leader responder",
        "incident.see": "admin commander observer part",
        "incident.decide": "commander",
        "incident.fact": "commander part",
        "incident.log": "commander part",
        "incident.verify": "commander leads-part",
        "limit.change": "commander",
        "order.give": "commander leads",
        "alert.answer": "own",
        "alert.answer_for": "commander leads",
        "alert.see_silent": "commander leads",
        "item.mark": "commander member",
        "report.file": "commander part",
        "report.strike": "commander own",
        "report.see_photo": "admin commander part",
        "tally.count": "commander part",
        "supply.request": "commander leader member-any",
        "supply.move": "commander kind:logistics",
        "supply.receive": "commander member kind:logistics",
        "supply.stock": "admin kind:logistics",
        "notice.draft": "commander kind:communications",
        "notice.approve": "commander",
        "notice.publish": "commander kind:communications",
        "mode.switch": "commander leads-part",
        "back_entry.open": "commander part",
        "back_entry.complete": "commander part",
        "review.write": "commander leads-part",
        "review.sign": "commander",
        "review.export": "admin commander observer leads-part",
        "alert.export": "admin commander leads-part",
        "duty.set": "admin commander leads own",
        "person.change": "admin",
        "person.enrol": "admin leads own",
        "team.change": "admin",
        "place.change": "admin",
        "settings.change": "admin",
        "plan.see": "admin commander leader responder observer",
        "plan.draft": "admin commander",
        "plan.approve": "admin commander",
        "duty.done": "admin commander member",
        "drill.run": "admin commander leads",
        "device.revoke": "admin leads own",
        "device.test": "admin own",
        "board.see": "admin commander observer leader",
        "sighting.note": "commander",
        "health.see": "admin",
        "refusals.see": "admin commander",
    }.items()
}


def may(by: Standing, action: str, *, team: str | None = None, part: bool = False, own: bool = False) -> bool:
    """Whether `by` may do `action`; `part` says they take part in the incident, `own` that the thing is theirs."""
    grants = RULES[action]
    if by.role in grants or (own and "own" in grants):
        return True
    held, leads = set[str](), by.leads
    if team is not None and team in by.posts:
        held.add("member")
    if team is not None and team in leads:
        held.add("leads")
    if leads:
        held.add("leader")
        if part:
            held.add("leads-part")
    if by.posts:
        held.add("member-any")
    if part and by.role not in {"observer", "admin"}:
        held.add("part")
    held.update(f"kind:{kind}" for kind in by.kinds)
    return bool(grants & held)


def require(by: Standing, action: str, *, team: str | None = None, part: bool = False, own: bool = False) -> None:
    """Let it pass or raise Forbidden."""
    if not may(by, action, team=team, part=part, own=own):
        raise Forbidden()


def may_shut_out(by: Standing, theirs: Standing) -> bool:
    """Whether `by` may shut out devices of somebody: their own, as admin, or as leader of a team of theirs.

    An administrator's devices only administrators shut out, or a leader could lock the office out.
    """
    shared = next((team for team in theirs.posts if team in by.leads), None)
    if theirs.role == "admin" and by.role != "admin":
        shared = None
    return may(by, "device.revoke", team=shared, own=theirs.id == by.id)


def general(by: Standing) -> list[str]:
    """The actions that need nothing but the role or post; phones hide the others, the server decides anyway."""
    return sorted(action for action in RULES if may(by, action))
