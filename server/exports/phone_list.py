"""The telephone list of a plan: who leads and who is in each of its teams, with the numbers the one who prints may see."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from server.domain import incidents, people, rules
from server.domain.people import Contact, Standing


@dataclass(frozen=True)
class Line:
    """One person with their post (leader, deputy, liaison or member); no number where there is none or it may not be seen."""

    name: str
    post: str
    phone: str | None


@dataclass(frozen=True)
class Group:
    """A team of the plan, by its key, with the organisation's people in it; `external` ones are other organisations."""

    team: str
    title: rules.Words
    external: bool
    lines: tuple[Line, ...]


def phone_list(session: Session, plan: rules.Plan, by: Standing) -> list[Group]:
    """Every team of the plan in its order, leaders first; numbers only as `by` may see them in the app."""
    seen = set(incidents.spaces(session, by))

    def number(person: people.Person) -> str | None:
        may = person.id == by.id or seen.intersection(Contact(person).spaces(session))
        return person.phone if may else None

    found = []
    for rule in plan.teams:
        teams = [] if rule.external else people.teams_of_kind(session, rule.kind)
        lines = {
            person.id: Line(person.name, post, number(person))
            for team in teams
            for person, post in people.members(session, team.id)
        }
        found.append(Group(rule.key, rule.title, rule.external, tuple(lines.values())))
    return found
