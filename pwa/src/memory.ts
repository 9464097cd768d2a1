/** The page's picture of the person's store: loaded once, kept current by every announced change, with this phone's own facts folded in. */

import { hear, type Change } from './changes';
import { store, type Effect, type Entry, type SentEntry, type Store, type StoredRow, type TrayEntry } from './db';
import type { Id } from './types';

type Doc = Record<string, unknown> & { id: Id };
interface Watcher {
  types: ReadonlySet<string>;
  run: () => void;
}

let rows = new Map<string, Map<Id, Map<string, StoredRow>>>();
let folded = new Map<string, Map<Id, Doc>>();
let effects: Map<string, Map<Id, { effect: Effect; pending: boolean }[]>> | null = null;
export const outbox = new Map<Id, Entry>();
export const sent = new Map<Id, SentEntry>();
export const tray = new Map<Id, TrayEntry>();

let person: Id | null = null;
let loading: Promise<void> = Promise.resolve();
let held: Change[] | null = null;
const watchers = new Set<Watcher>();
let touched: Set<string> | null = null;

/** The type under which watchers hear of the outbox, the tray and what was sent. */
export const QUEUE = 'outbox';

/** Reads the whole store of the signed-in person; changes announced meanwhile are applied after it. */
export function load(): Promise<void> {
  loading = readAll();
  return loading;
}

/** Resolves when the picture stands for the person signed in now. */
export function ready(): Promise<void> {
  return loading;
}

/** Documents of a type by id: the richest space's row, with what this phone has not yet had confirmed laid over it. */
export function docs(type: string): Map<Id, Doc> {
  let known = folded.get(type);
  if (!known) {
    known = foldType(type);
    folded.set(type, known);
  }
  return known;
}

/** Calls `run` (once per burst) after anything of these types or the queue changed. */
export function onChange(types: Iterable<string>, run: () => void): () => void {
  const watcher = { types: new Set(types), run };
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

/** Prefers what command sees, then a team's view, then the incident's, one's own, phone books, the organisation's. */
export function richness(space: string): number {
  if (space.startsWith('incident:')) {
    if (space.endsWith(':command')) return 6;
    return space.includes(':team:') ? 5 : 4;
  }
  if (space.startsWith('me:')) return 3;
  if (space.startsWith('contacts')) return 2;
  return space === 'org' ? 1 : 0;
}

async function readAll(): Promise<void> {
  const from = store();
  person = from?.person ?? null;
  held = [];
  rows = new Map();
  folded = new Map();
  effects = null;
  outbox.clear();
  sent.clear();
  tray.clear();
  if (from) await take(from);
  if (store() !== from) return;
  const missed = held;
  held = null;
  folded.clear();
  effects = null;
  missed.forEach(apply);
  touch('*');
}

async function take(from: Store): Promise<void> {
  try {
    await from.read(['rows', 'outbox', 'sent', 'tray'], async (tx) => {
      const [allRows, queued, done, refused] = await Promise.all([
        tx.objectStore('rows').getAll(),
        tx.objectStore('outbox').getAll(),
        tx.objectStore('sent').getAll(),
        tx.objectStore('tray').getAll(),
      ]);
      if (store() !== from) return;
      allRows.forEach(putRow);
      queued.forEach((entry) => outbox.set(entry.id, entry));
      done.forEach((entry) => sent.set(entry.id, entry));
      refused.forEach((entry) => tray.set(entry.id, entry));
    });
  } catch (error) {
    // The person left while their store was being read: the picture stays empty.
    if (!from.left) throw error;
  }
}

hear((change) => {
  if (change.person !== person) return;
  if (held) held.push(change);
  else apply(change);
});

function apply(change: Change): void {
  if (change.rows) {
    for (const space of change.rows.spacesGone) dropSpace(space);
    for (const row of change.rows.put) {
      putRow(row);
      touch(row.type);
    }
    for (const [space, type, id] of change.rows.gone) {
      const spaces = rows.get(type)?.get(id);
      spaces?.delete(space);
      if (spaces?.size === 0) rows.get(type)?.delete(id);
      touch(type);
    }
  }
  if (change.queue) applyQueue(change.queue);
}

function applyQueue(queue: NonNullable<Change['queue']>): void {
  const moved: Entry[] = [];
  const take = <T extends Entry>(from: Map<Id, T>, ids: Id[] | undefined) => {
    for (const id of ids ?? []) {
      const entry = from.get(id);
      if (entry) moved.push(entry);
      from.delete(id);
    }
  };
  take(outbox, queue.outboxGone);
  take(tray, queue.trayGone);
  take(sent, queue.sentGone);
  for (const entry of queue.outbox ?? []) outbox.set(entry.id, entry);
  for (const entry of queue.sent ?? []) sent.set(entry.id, entry);
  for (const entry of queue.tray ?? []) tray.set(entry.id, entry);
  moved.push(...(queue.outbox ?? []), ...(queue.sent ?? []), ...(queue.tray ?? []));
  effects = null;
  for (const entry of moved) for (const effect of entry.effects) touch(effect.type);
  touch(QUEUE);
}

function putRow(row: StoredRow): void {
  let byId = rows.get(row.type);
  if (!byId) rows.set(row.type, (byId = new Map<Id, Map<string, StoredRow>>()));
  let bySpace = byId.get(row.id);
  if (!bySpace) byId.set(row.id, (bySpace = new Map<string, StoredRow>()));
  bySpace.set(row.space, row);
}

function dropSpace(space: string): void {
  for (const [type, byId] of rows) {
    for (const [id, bySpace] of byId) {
      if (!bySpace.delete(space)) continue;
      touch(type);
      if (bySpace.size === 0) byId.delete(id);
    }
  }
}

function foldType(type: string): Map<Id, Doc> {
  const result = new Map<Id, Doc>();
  for (const [id, bySpace] of rows.get(type) ?? []) {
    let best: StoredRow | null = null;
    for (const row of bySpace.values()) {
      if (!best || richness(row.space) > richness(best.space)) best = row;
    }
    if (best) result.set(id, best.doc as Doc);
  }
  effects ??= collectEffects();
  for (const [id, list] of effects.get(type) ?? []) {
    const doc: Doc = { ...(result.get(id) ?? { id }), id };
    for (const { effect } of list) Object.assign(doc, effect.doc);
    doc['pending'] = list.some((one) => one.pending);
    result.set(id, doc);
  }
  return result;
}

function collectEffects(): NonNullable<typeof effects> {
  const unconfirmed: { entry: Entry; pending: boolean }[] = [...outbox.values()].map((entry) => ({
    entry,
    pending: true,
  }));
  for (const entry of sent.values()) if (!entry.settled) unconfirmed.push({ entry, pending: false });
  unconfirmed.sort((a, b) => a.entry.seq - b.entry.seq);
  const result: NonNullable<typeof effects> = new Map();
  for (const { entry, pending } of unconfirmed) {
    for (const effect of entry.effects) {
      const byId = result.get(effect.type) ?? new Map<Id, { effect: Effect; pending: boolean }[]>();
      byId.set(effect.id, [...(byId.get(effect.id) ?? []), { effect, pending }]);
      result.set(effect.type, byId);
    }
  }
  return result;
}

function touch(type: string): void {
  if (type === '*') folded.clear();
  else folded.delete(type);
  if (touched) {
    touched.add(type);
    return;
  }
  touched = new Set([type]);
  queueMicrotask(() => {
    const types = touched ?? new Set();
    touched = null;
    for (const watcher of [...watchers]) {
      if (types.has('*') || types.has(QUEUE) || [...watcher.types].some((one) => types.has(one))) watcher.run();
    }
  });
}
