/** Before the incident: who is on duty and cannot be reached, and which shift is too small; for those who may see it. */

import { derived, readable, type Readable } from 'svelte/store';
import { now } from './clock';
import { all, watch } from './rows';
import type { Duty, Id, Person, Reachability, Shortfall, Words } from './types';
import { byText } from './order';

export interface OutOfReach {
  person: Person;
  phone: string | undefined;
  teams: Words[];
  /** Each channel that does not reach them, push first. */
  dead: { channel: string; why: Reachability['why']; since: string | null }[];
}
export interface Readiness {
  unreachable: OutOfReach[];
  short: { id: Id; team: Words; post: Shortfall['post']; wanted: number; present: number; since: string }[];
}

const TYPES = ['person', 'team', 'membership', 'duty', 'contact', 'reachability', 'shortfall'] as const;
const MINUTE = 60_000;
/** Shifts end by themselves, without any row changing. */
const minutes = readable(0, (set) => {
  const timer = setInterval(() => set(now()), MINUTE);
  return () => clearInterval(timer);
});

/** Dead phones of those on duty, and shifts that fall short; empty for whoever may not see it, because no rows come. */
export function readiness(): Readable<Readiness> {
  const rows = watch(read, TYPES);
  return derived([rows, minutes], ([found]) => (found ? judge(found, now()) : { unreachable: [], short: [] }));
}

/** What the server says about reaching one person, by channel. */
export const reachOf = (person: Id): Readable<Reachability[]> =>
  watch(
    async () =>
      (await all('reachability')).filter((one) => one.person === person).sort((a, b) => byText(a.channel, b.channel)),
    ['reachability'],
    [],
  );

async function read() {
  const [people, teams, memberships, duties, contacts, reach, short] = await Promise.all([
    all('person'),
    all('team'),
    all('membership'),
    all('duty'),
    all('contact'),
    all('reachability'),
    all('shortfall'),
  ]);
  return { people, teams, memberships, duties, contacts, reach, short };
}

function judge(
  { people, teams, memberships, duties, contacts, reach, short }: Awaited<ReturnType<typeof read>>,
  at: number,
): Readiness {
  const names = new Map(teams.map((one) => [one.id, one.title]));
  const phones = new Map(contacts.map((one) => [one.person, one.phone]));
  const known = new Map(people.map((one) => [one.id, one]));
  const dead = new Map<Id, Reachability[]>();
  for (const one of reach) if (one.word === 'dead') dead.set(one.person, [...(dead.get(one.person) ?? []), one]);
  const pushFirst = (one: Reachability) => (one.channel === 'push' ? 0 : 1);
  return {
    unreachable: [...dead].flatMap(([id, rows]): OutOfReach[] => {
      const person = known.get(id);
      const on = memberships.filter((one) => one.person === id && isOnDuty(duties, id, one.team, at));
      if (!person?.active || on.length === 0) return [];
      const where = on.flatMap(({ team }) => names.get(team) ?? []);
      const channels = rows
        .sort((a, b) => pushFirst(a) - pushFirst(b) || a.channel.localeCompare(b.channel))
        .map(({ channel, why, since }) => ({ channel, why, since: why === 'no_device' ? null : since }));
      return [{ person, phone: phones.get(id), teams: where, dead: channels }];
    }),
    short: short.flatMap(({ id, team, post, wanted, present, since }) => {
      const title = names.get(team);
      return title ? [{ id, team: title, post, wanted, present, since }] : [];
    }),
  };
}

/** The latest duty that has begun and not ended decides; with none at all a person counts as off duty. */
export function isOnDuty(duties: readonly Duty[], person: Id, team: Id, at: number): boolean {
  const running = duties
    .filter(
      (one) =>
        one.person === person &&
        one.team === team &&
        Date.parse(one.starts_at) <= at &&
        (one.ends_at === null || Date.parse(one.ends_at) > at),
    )
    .sort((a, b) => byText(a.starts_at, b.starts_at) || byText(a.id, b.id));
  return running.at(-1)?.kind === 'on';
}
