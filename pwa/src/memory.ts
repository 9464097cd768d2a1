/** The page's picture of the person's store: loaded in two steps, kept current by every announced change, with this phone's own facts folded in. */

import { hear, type Change } from './changes';
import { store, type Effect, type Entry, type SentEntry, type Store, type StoredRow, type TrayEntry } from './db';
import { firstPicture } from './opening';
import { comesLater, readRest } from './picture';
import type { Id, Me } from './types';

type Doc = Record<string, unknown> & { id: Id };
/** What a fact of this phone changes on the screen. */
interface Unconfirmed {
  effect: Effect;
  entry: Id;
}
interface Watcher {
  types: ReadonlySet<string>;
  run: () => void;
}

let rows = new Map<string, Map<Id, Map<string, StoredRow>>>();
let folded = new Map<string, Map<Id, Doc>>();
let effects: Map<string, Map<Id, Unconfirmed[]>> | null = null;
/** The last tap among `effects`. */
let newest = 0;
export const outbox = new Map<Id, Entry>();
export const sent = new Map<Id, SentEntry>();
export const tray = new Map<Id, TrayEntry>();
/** Taps the disk does not have yet. */
const saving = new Map<Id, Entry>();

let person: Id | null = null;
let loading: Promise<Me | undefined> = Promise.resolve(undefined);
let rest: Promise<void> | null = null;
let held: Change[] | null = null;
let meanwhile: Change[] | null = null;
const watchers = new Set<Watcher>();
let touched: Set<string> | null = null;

/** The type under which watchers hear of the outbox, the tray and what was sent. */
export const QUEUE = 'outbox';

/**
 * Reads what a first screen needs of the signed-in person's store; changes announced meanwhile are applied after it.
 * Returns what the store knows of the person; undefined when nobody is signed in.
 */
export function load(): Promise<Me | undefined> {
  rest = null;
  loading = readFirst();
  return loading;
}

/** Reads what `load` left out, once. */
export function loadRest(): Promise<void> {
  rest ??= loading.then(readLater);
  return rest;
}

/** Resolves when the picture of this type stands for the person signed in now. */
export async function ready(type: string): Promise<void> {
  await (comesLater(type) ? loadRest() : loading);
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

/** Calls `run` (once per burst) after anything of these types changed, in the feed or by this phone's own facts. */
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

async function readFirst(): Promise<Me | undefined> {
  const from = store();
  person = from?.person ?? null;
  held = [];
  meanwhile = null;
  rows = new Map();
  folded = new Map();
  effects = null;
  outbox.clear();
  sent.clear();
  tray.clear();
  saving.clear();
  const me = from ? await take(from) : undefined;
  if (store() !== from) return undefined;
  const missed = held;
  held = null;
  folded.clear();
  effects = null;
  missed.forEach(apply);
  touch('*');
  return me;
}

async function take(from: Store): Promise<Me | undefined> {
  const found = await unlessLeft(from, firstPicture(from));
  if (!found || store() !== from) return undefined;
  found.rows.forEach(putRow);
  found.outbox.forEach((entry) => outbox.set(entry.id, entry));
  found.sent.forEach((entry) => sent.set(entry.id, entry));
  found.tray.forEach((entry) => tray.set(entry.id, entry));
  return found.me;
}

async function readLater(): Promise<void> {
  const from = store();
  if (!from) return;
  const told: Change[] = (meanwhile = []);
  const found = (await unlessLeft(from, readRest(from))) ?? [];
  if (store() !== from || meanwhile !== told) return;
  meanwhile = null;
  found.forEach(putRow);
  // What was announced during the reading was shown at once; now it has the last word over what was read.
  for (const change of told) applyRows(change.rows);
  for (const type of new Set(found.map((row) => row.type))) touch(type);
}

/** Undefined when the person left while their store was being read: the picture stays empty. */
async function unlessLeft<T>(from: Store, reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (!from.left) throw error;
    return undefined;
  }
}

hear((change) => {
  if (change.person !== person) return;
  if (held) held.push(change);
  else apply(change);
});

function apply(change: Change): void {
  if (change.rows) meanwhile?.push(change);
  applyRows(change.rows);
  if (change.queue) applyQueue(change.queue);
}

function applyRows(changed: Change['rows']): void {
  if (!changed) return;
  for (const space of changed.spacesGone) dropSpace(space);
  for (const row of changed.put) {
    putRow(row);
    touch(row.type);
  }
  for (const [space, type, id] of changed.gone) {
    const spaces = rows.get(type)?.get(id);
    spaces?.delete(space);
    if (spaces?.size === 0) rows.get(type)?.delete(id);
    touch(type);
  }
}

function applyQueue(queue: NonNullable<Change['queue']>): void {
  if (addsOnly(queue)) {
    queue.outbox.forEach(addEntry);
    touch(QUEUE);
    return;
  }
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
  for (const entry of queue.outbox ?? []) {
    outbox.set(entry.id, entry);
    saving.delete(entry.id);
  }
  for (const entry of queue.sent ?? []) sent.set(entry.id, entry);
  for (const entry of queue.tray ?? []) tray.set(entry.id, entry);
  moved.push(...(queue.outbox ?? []), ...(queue.sent ?? []), ...(queue.tray ?? []));
  effects = null;
  for (const entry of moved) for (const effect of entry.effects) touch(effect.type);
  touch(QUEUE);
}

/** A tap: one more fact at the end, so that nothing made before needs to be folded again, however long the queue is. */
function addsOnly(queue: NonNullable<Change['queue']>): queue is { outbox: Entry[] } {
  if (effects === null || Object.keys(queue).join() !== 'outbox') return false;
  return (queue.outbox ?? []).every((entry) => entry.seq > newest && !outbox.has(entry.id));
}

function addEntry(entry: Entry): void {
  outbox.set(entry.id, entry);
  newest = entry.seq;
  if (effects && !saving.delete(entry.id)) addEffects(effects, entry);
  for (const effect of entry.effects) touch(effect.type);
}

/** Shows facts as being saved. */
export function hold(entries: readonly Entry[]): void {
  effects ??= collectEffects();
  for (const entry of entries) {
    saving.set(entry.id, entry);
    addEffects(effects, entry);
    for (const effect of entry.effects) touch(effect.type);
  }
}

/** What has not been kept by now could not be: the screen goes back to what it was. */
export function release(entries: readonly Entry[]): void {
  for (const entry of entries) {
    if (!saving.delete(entry.id)) continue;
    if (!outbox.has(entry.id)) effects = null;
    for (const effect of entry.effects) touch(effect.type);
  }
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
    doc['pending'] = list.some(({ entry }) => outbox.has(entry) || saving.has(entry));
    if (list.some(({ entry }) => saving.has(entry))) doc['saving'] = true;
    result.set(id, doc);
  }
  return result;
}

function collectEffects(): NonNullable<typeof effects> {
  const unconfirmed = [...outbox.values()];
  for (const entry of sent.values()) if (!entry.settled) unconfirmed.push(entry);
  unconfirmed.sort((a, b) => a.seq - b.seq);
  newest = unconfirmed.at(-1)?.seq ?? 0;
  const result: NonNullable<typeof effects> = new Map();
  for (const entry of unconfirmed) if (!saving.has(entry.id)) addEffects(result, entry);
  for (const entry of saving.values()) addEffects(result, entry);
  return result;
}

function addEffects(to: NonNullable<typeof effects>, entry: Entry): void {
  for (const effect of entry.effects) {
    let byId = to.get(effect.type);
    if (!byId) to.set(effect.type, (byId = new Map<Id, Unconfirmed[]>()));
    const list = byId.get(effect.id);
    if (list) list.push({ effect, entry: entry.id });
    else byId.set(effect.id, [{ effect, entry: entry.id }]);
  }
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
      if (types.has('*') || [...watcher.types].some((one) => types.has(one))) watcher.run();
    }
  });
}
