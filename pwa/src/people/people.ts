/** The roster: who is in which team, who is on duty, how to reach them, and going on or off duty. */
import { now, stamp } from '../clock';
import { record } from '../outbox';
import { isOnDuty } from '../readiness';
import { all, watch } from '../rows';
import { whoIsIn } from '../self';
import type { Id, Membership, Person, Team } from '../types';
import type { Readable } from 'svelte/store';

export interface RosterLine {
  person: Person;
  membership: Membership;
  on_duty: boolean;
  phone: string | undefined;
}
export interface RosterTeam {
  team: Team;
  lines: RosterLine[];
}

const TYPES = ['person', 'team', 'membership', 'duty', 'contact'] as const;
const RANK = { leader: 0, deputy: 1, member: 2, liaison: 3 } as const;

export function roster(): Readable<RosterTeam[] | undefined> {
  return watch(async () => {
    const [people, teams, memberships, duties, contacts] = await Promise.all([
      all('person'),
      all('team'),
      all('membership'),
      all('duty'),
      all('contact'),
    ]);
    const known = new Map(people.map((one) => [one.id, one]));
    const phones = new Map(contacts.map((one) => [one.person, one.phone]));
    return teams.map((team) => ({
      team,
      lines: memberships
        .filter((one) => one.team === team.id)
        .sort((a, b) => RANK[a.role] - RANK[b.role] || a.rank - b.rank)
        .flatMap((membership): RosterLine[] => {
          const person = known.get(membership.person);
          if (!person?.active) return [];
          return [
            {
              person,
              membership,
              on_duty: isOnDuty(duties, person.id, team.id, now()),
              phone: phones.get(person.id),
            },
          ];
        }),
    }));
  }, TYPES);
}

export function setDuty(person: Id, team: Id, kind: 'on' | 'off'): Promise<Id> {
  const at = stamp();
  return record({
    path: '/duties/{id}',
    body: { person, team, kind, starts_at: at, occurred_at: at },
    optimistic: { type: 'duty', id: '{id}', doc: { person, team, kind, starts_at: at, ends_at: null } },
  });
}

/** My own teams with whether I am on duty there. */
export function myDuty(): Readable<{ team: Team; on_duty: boolean }[]> {
  return watch(
    async () => {
      const [teams, memberships, duties] = await Promise.all([all('team'), all('membership'), all('duty')]);
      const mine = new Set(memberships.filter((one) => one.person === whoIsIn()).map((one) => one.team));
      return teams
        .filter((one) => mine.has(one.id))
        .map((team) => ({ team, on_duty: isOnDuty(duties, whoIsIn(), team.id, now()) }));
    },
    ['team', 'membership', 'duty'],
    [],
  );
}
