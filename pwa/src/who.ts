/** Who is signed in on this phone, as its own store says: all that a first screen needs to know of a session. */

import { readonly, writable, type Readable } from 'svelte/store';
import { hear } from './changes';
import { restore, skew } from './clock';
import { setSetting, setting, store, Store, useStore } from './db';
import { load } from './memory';
import { likelyPerson, rememberPerson } from './opening';
import { forgetPlace } from './place';
import { note } from './status';
import type { Id, Me } from './types';

const KEEP_CONTACT_EVERY_MS = 15_000;
let contactKept = 0;
const who = writable<Me | null>(null);
/** The person signed in, null when nobody is; undefined is never shown because `startSession` comes before the first screen. */
export const me: Readable<Me | null> = readonly(who);
let known: Me | null = null;
/** `me`, for code that decides once instead of watching. */
export const meNow = (): Me | null => known;

/** Opens the store of the person last signed in and shows them at once; asks the server only afterwards. */
export async function startSession(): Promise<Me | null> {
  const likely = likelyPerson();
  const opening = likely ? become(likely) : null;
  const [person, contact] = await Promise.all([setting<Id | null>('person'), setting<Contact>('contact'), opening]);
  restore(contact?.skew ?? 0);
  if (contact) note({ lastContact: contact.at, skew: contact.skew });
  if ((person ?? null) !== likely) {
    const mistaken = known === null ? store() : null;
    await become(person ?? null);
    // Opening made an empty store for somebody whom the worker had forgotten meanwhile.
    await mistaken?.destroy();
  }
  hear((change) => {
    if (change.connection?.lastContact) keepContact(change.connection.lastContact);
    if (change.session === 'in' && change.person !== store()?.person) void become(change.person);
    if ((change.session === 'out' || change.session === 'wiped') && change.person === known?.person.id)
      void become(null);
  });
  return known;
}

/** Whether a store that could not be opened at the start can be opened now: an old tab was closed. */
export async function storeIsBack(): Promise<boolean> {
  try {
    const person = (await setting<Id | null>('person')) ?? likelyPerson();
    if (!person) return true;
    const mine = new Store(person);
    await mine.meta('me');
    mine.close();
    return true;
  } catch {
    return false;
  }
}

/** For a page that was asleep: who is signed in may have changed meanwhile. */
export async function lookAgain(): Promise<void> {
  const person = (await setting<Id | null>('person')) ?? null;
  if (person !== (store()?.person ?? null)) await become(person);
}

/** When the server was last heard, in phone time, and the clocks' difference then; ms. */
export interface Contact {
  at: number;
  skew: number;
}

/** Changes who is signed in on this page. */
export async function become(person: Id | null): Promise<void> {
  // Where one person was is no place for the next.
  if (rememberPerson(person)) forgetPlace();
  const mine = useStore(person);
  const kept = await load();
  // Another sign-in or sign-out may have come in between; the last one stands.
  if (store() === mine) show(kept ?? null);
}

/** Shows what became known of the person signed in. */
export function show(next: Me | null): void {
  known = next;
  who.set(next);
}

/** Kept now and then, so that a cold start without a network counts limits rightly and says since when it heard nothing. */
function keepContact(at: number): void {
  if (at - contactKept < KEEP_CONTACT_EVERY_MS) return;
  contactKept = at;
  void setSetting('contact', { at, skew: skew() } satisfies Contact);
}
