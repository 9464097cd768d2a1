/** Who is using this phone, for code that writes a fact rather than watches. */
import { get } from 'svelte/store';
import { me } from './who';
import type { Id, Me } from './types';

/** The id of the person signed in; an empty id when nobody is, which matches nobody. */
export function whoIsIn(): Id {
  return get(me)?.person.id ?? '';
}

export const commands = (who: Me | null): boolean => who?.person.role === 'commander';
export const administers = (who: Me | null): boolean => who?.person.role === 'admin';
/** Sees the board in place of supplies. */
export const watches = (who: Me | null): boolean => commands(who) || who?.person.role === 'observer';
/** May write anything at all. */
export const acts = (who: Me | null): boolean => who !== null && who.person.role !== 'observer';
/** Leads some team. */
export const leadsAny = (who: Me | null): boolean =>
  who?.memberships.some((one) => one.role === 'leader' || one.role === 'deputy') ?? false;
/** May plan, start and steer drills. */
export const drills = (who: Me | null): boolean => commands(who) || administers(who) || leadsAny(who);
export const leads = (who: Me | null, team: Id): boolean =>
  who?.memberships.some((one) => one.team === team && (one.role === 'leader' || one.role === 'deputy')) ?? false;
