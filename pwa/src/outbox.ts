/** What people made on this phone: writing it down, what still waits, what was refused, and the three marks. */

import { derived, readable, type Readable } from 'svelte/store';
import { store, type Effect, type Entry, type SentEntry, type Store, type TrayEntry } from './db';
import { docs, hold, onChange, outbox, QUEUE, release, sent, tray } from './memory';
import { keep, made, type Fact } from './queue';
import { afterFrame } from './soon';
import { discard, retry } from './tray';
import type { Id } from './types';
import { byText } from './order';

export type { Effect, Entry, Fact, SentEntry, TrayEntry };
/** Saved on this phone · received by command · seen by command · refused (in the tray, with its reason). */
export type ThreeMarks = 'saved' | 'received' | 'seen' | 'refused';

/** Writes a fact down and has it sent as soon as possible; returns the fact's id once the disk has it. */
export async function record(fact: Fact): Promise<Id> {
  return await recordTogether([fact]);
}

/**
 * Writes down several facts of one tap as a whole, in their order; returns the id of the last. Screens show them at once
 * as being saved, and without them again when the phone could not keep them.
 */
export async function recordTogether(facts: readonly Fact[]): Promise<Id> {
  const mine = signedIn();
  const entries = facts.map(made);
  const drafts = facts.flatMap(({ draft }) => draft ?? []);
  // The disk is asked first: it works while the screen is drawn.
  const keeping = keep(mine, entries, drafts);
  hold(entries);
  try {
    await keeping;
  } finally {
    release(entries);
  }
  syncSoon();
  return entries.at(-1)?.id ?? '';
}

/** What is still only on this phone, in the order it will go. */
export function pending(): Readable<Entry[]> {
  return queueView(() => [...outbox.values()].sort((a, b) => a.priority - b.priority || a.seq - b.seq));
}

/** What the server (or this phone) refused, newest first. */
export function refused(): Readable<TrayEntry[]> {
  return queueView(() => [...tray.values()].sort((a, b) => byText(b.at, a.at)));
}

/** What the server acknowledged in the last 14 days, newest first. */
export function acknowledged(): Readable<SentEntry[]> {
  return queueView(() => [...sent.values()].sort((a, b) => b.sent_at - a.sent_at));
}

/** The mark of a fact by its id. What this phone knows nothing about came from the server, so it was received. */
export function markOf(id: Id): ThreeMarks {
  if (tray.has(id)) return 'refused';
  if (outbox.has(id)) return 'saved';
  if (docs('report').get(id)?.['seen_at']) return 'seen';
  if (sent.get(id)?.path.includes('/answers/')) {
    for (const recipient of docs('recipient').values()) {
      if (recipient['answer_id'] === id && recipient['answer_seen_at']) return 'seen';
    }
  }
  return 'received';
}

/** `markOf`, watched. */
export function markStore(id: Id): Readable<ThreeMarks> {
  const changed = readable(0, (set) => {
    let count = 0;
    return onChange(['report', 'recipient', QUEUE], () => set(++count));
  });
  return derived(changed, () => markOf(id), markOf(id));
}

/** Sends a refused entry again, as it was or with a mended body. */
export async function sendAgain(id: Id, body?: Record<string, unknown>): Promise<Id | undefined> {
  const entry = await retry(signedIn(), id, body);
  if (entry) syncSoon();
  return entry?.id;
}

/** Throws a refused entry away; the screen asks first. */
export function throwAway(id: Id): Promise<void> {
  return discard(signedIn(), id);
}

/** After the screen has said that it is kept: sending is work of its own, and no first screen waits for its code. */
function syncSoon(): void {
  afterFrame(() => void import('./sync').then(({ sync }) => sync()));
}

/** Nobody is signed in on this phone, so there is nobody to write a fact for. */
export class NobodySignedIn extends Error {
  override name = 'NobodySignedIn';
}

export function signedIn(): Store {
  const mine = store();
  if (!mine) throw new NobodySignedIn('nobody is signed in');
  return mine;
}

/** Speaks only when its own part of the queue changed. */
function queueView<T>(take: () => T[]): Readable<T[]> {
  return readable<T[]>([], (set) => {
    let shown = take();
    set(shown);
    return onChange([QUEUE], () => {
      const next = take();
      if (next.length === shown.length && next.every((entry, index) => entry === shown[index])) return;
      set((shown = next));
    });
  });
}
