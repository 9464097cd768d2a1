/** Keeping people and teams, online only: their records, posts, devices, and a table of many at once. */
import { call, Refused } from '../api';
import { newId } from '../ids';
import { all, watch } from '../rows';
import { sync } from '../sync';
import type { Id, Instant, Membership, Role, Team, TeamRole } from '../types';
import type { Readable } from 'svelte/store';

export { problemOf, type Problem } from '../online';

export interface StaffRecord {
  id: Id;
  username: string;
  name: string;
  role: Role;
  phone: string | null;
  mailbox: string | null;
  locale: 'zh' | 'en';
  active: boolean;
}
export interface TheirDevice {
  id: Id;
  name: string;
  subscribed: boolean;
  last_seen_at: Instant;
  current: boolean;
}
export interface TableLine {
  line: number;
  username: string;
  name: string;
  role: Role;
  phone: string | null;
  known: boolean;
  posts: { team: Id; role: TeamRole }[];
}
export interface TableFault {
  line: number;
  path: string;
  code: string;
  message: string;
}
export interface Table {
  people: TableLine[];
  errors: TableFault[];
  done: boolean;
}
export const ROLES: readonly Role[] = ['responder', 'leader', 'commander', 'observer', 'admin'];
export const POSTS: readonly TeamRole[] = ['leader', 'deputy', 'member', 'liaison'];

export const records = async (): Promise<StaffRecord[]> =>
  (await call<{ people: StaffRecord[] }>('GET', '/people')).people;

export const teams = (): Readable<Team[]> =>
  watch(async () => (await all('team')).sort((a, b) => (a.rank ?? 0) - (b.rank ?? 0)), ['team'], []);
export const memberships = (): Readable<Membership[]> => watch(async () => all('membership'), ['membership'], []);

export async function savePerson(id: Id | null, record: Omit<StaffRecord, 'id'>, password: string): Promise<Id> {
  const key = id ?? newId();
  await call('PUT', `/people/${key}`, {
    body: {
      ...record,
      phone: record.phone || null,
      mailbox: record.mailbox || null,
      ...(password ? { password } : {}),
    },
  });
  await sync();
  return key;
}

/** Gives a post, or ends it; one post per person and team, so an ended one comes back under its own id. */
export async function savePost(
  post: Omit<Membership, 'id' | 'rank'> & { id?: Id; rank?: number },
  ended = false,
): Promise<void> {
  const { id, rank = 0, person, team, role } = post;
  await call('PUT', `/memberships/${id ?? newId()}`, { body: { person, team, role, rank, ended } });
  await sync();
}

export async function saveTeam(id: Id | null, team: Omit<Team, 'id'>): Promise<void> {
  await call('PUT', `/teams/${id ?? newId()}`, { body: team });
  await sync();
}

export const devicesOf = async (person: Id): Promise<TheirDevice[]> =>
  (await call<{ devices: TheirDevice[] }>('GET', `/people/${person}/devices`)).devices;

/** What a table says, faults included; with `keep` it is taken over unless it has any. */
export async function table(text: string, keep = false): Promise<Table> {
  try {
    const found = await call<Table>('POST', '/people/imports', { body: { text, preview: !keep } });
    if (keep) await sync();
    return found;
  } catch (error) {
    if (!(error instanceof Refused) || error.code !== 'table_unfit') throw error;
    return { people: [], errors: error.errors as unknown as TableFault[], done: false };
  }
}
