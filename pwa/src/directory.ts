/** Names for ids, for every screen: people, teams, places, supplies and telephone numbers this person may see. */
import { say, title } from './i18n/say';
import { all, watch } from './rows';
import type { Contact, Id, Membership, Person, Place, Supply, Team } from './types';

export interface Directory {
  people: ReadonlyMap<Id, Person>;
  teams: ReadonlyMap<Id, Team>;
  places: ReadonlyMap<Id, Place>;
  supplies: ReadonlyMap<Id, Supply>;
  memberships: readonly Membership[];
  name(person: Id | null | undefined): string;
  team(team: Id | null | undefined): string;
  place(place: Id | null | undefined): string;
  supply(supply: Id | null | undefined): string;
  phone(person: Id | null | undefined): string | undefined;
}

const TYPES = ['person', 'team', 'place', 'supply', 'membership', 'contact'] as const;

export const directory = watch(read, TYPES, made([], [], [], [], [], []));

async function read(): Promise<Directory> {
  const [people, teams, places, supplies, memberships, contacts] = await Promise.all([
    all('person'),
    all('team'),
    all('place'),
    all('supply'),
    all('membership'),
    all('contact'),
  ]);
  return made(people, teams, places, supplies, memberships, contacts);
}

function made(
  people: Person[],
  teams: Team[],
  places: Place[],
  supplies: Supply[],
  memberships: Membership[],
  contacts: Contact[],
): Directory {
  const by = <T extends { id: Id }>(list: T[]): Map<Id, T> => new Map(list.map((one) => [one.id, one]));
  const known = { people: by(people), teams: by(teams), places: by(places), supplies: by(supplies) };
  const phones = new Map(contacts.map((one) => [one.person, one.phone]));
  return {
    ...known,
    memberships,
    name: (id) => (id ? (known.people.get(id)?.name ?? say.t.common.unknown_person) : say.t.common.system),
    team: (id) => (id ? title(known.teams.get(id)?.title) : ''),
    place: (id) => (id ? title(known.places.get(id)?.title) : ''),
    supply: (id) => (id ? title(known.supplies.get(id)?.title) : ''),
    phone: (id) => (id ? phones.get(id) : undefined),
  };
}
