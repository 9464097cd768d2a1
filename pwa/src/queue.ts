/** The queue in the phone's store: facts go in by one strict transaction and leave only by the server's word about their own id. */

import { announce } from './changes';
import { stamp } from './clock';
import type { Effect, Entry, SentEntry, Store, TrayEntry, WriteTx } from './db';
import { newId } from './ids';
import type { BatchItem, BatchResult, Id } from './types';

export const API = '/api/v1';
/** Which shapes this version of the app writes and reads; a server that has left it behind answers 426. */
export const SCHEMA = 1;
export const MAX_ITEMS = 50;
/** 256 KiB less room for the envelope. */
export const MAX_BYTES = 256 * 1024 - 2048;
const KEPT_MS = 14 * 24 * 3600 * 1000;
/** How long after a restored backup a fact waits for what it speaks of, which another phone may have to bring back first. */
const COMING_BACK_MS = 24 * 3600 * 1000;
const ASK_FIRST_MS = 5_000;
const ASK_SELDOM_MS = 2 * 60 * 1000;

export interface Fact {
  /** Made here when left out. */
  id?: Id;
  /** As in the API, `/api/v1` may be left out; `{id}` stands for the fact's own id. */
  path: string;
  body: Record<string, unknown>;
  /** What the screen shows until the server's row is here; `{id}` as an id stands for the fact's own. */
  optimistic?: Effect | Effect[];
  /** Photos kept on this phone that this fact names; they follow once the fact is accepted. */
  photos?: Id[];
  /** A draft that this fact makes needless. */
  draft?: string;
}

/** A fact as it will stand in the queue; its sequence comes with the writing. */
export function made(fact: Fact): Entry {
  const id = fact.id ?? newId();
  const path = (fact.path.startsWith(API) ? fact.path : API + fact.path).replaceAll('{id}', id);
  const effects =
    fact.optimistic === undefined ? [] : Array.isArray(fact.optimistic) ? fact.optimistic : [fact.optimistic];
  const occurred = (fact.body['occurred_at'] as string | undefined) ?? stamp();
  return {
    id,
    seq: 0,
    priority: /^\/api\/v1\/alerts\/[^/]+\/(answers|receipts)\//.test(path) ? 0 : 1,
    path,
    body: { ...fact.body, occurred_at: occurred },
    effects: effects.map((effect) => {
      const own = effect.id === '{id}' ? id : effect.id;
      return { ...effect, id: own, doc: { ...effect.doc, id: own } };
    }),
    photos: fact.photos ?? [],
    made_at: occurred,
    attempts: 0,
    not_before: 0,
  };
}

/**
 * Writes down what one tap made, in its order and as a whole: after a killed page all of it is there or nothing. When this
 * returns, the disk has it. `drafts` are those it makes needless.
 */
export async function keep(store: Store, entries: readonly Entry[], drafts: readonly string[] = []): Promise<void> {
  await store.write(
    ['outbox', 'meta', 'blobs', 'drafts'],
    async (tx) => {
      for (const { id, photos } of entries) {
        for (const photo of photos) {
          const kept = await tx.objectStore('blobs').get(photo);
          if (kept) quietly(tx.objectStore('blobs').put({ ...kept, fact: id }));
        }
      }
      let seq = await lastSeq(tx);
      for (const entry of entries) {
        entry.seq = ++seq;
        quietly(tx.objectStore('outbox').put(entry));
      }
      quietly(tx.objectStore('meta').put(seq, 'seq'));
      for (const draft of drafts) quietly(tx.objectStore('drafts').delete(draft));
      // Nothing more is coming: the disk need not wait for each answer.
      tx.commit();
    },
    true,
  );
  announce({ person: store.person, queue: { outbox: [...entries] } });
}

/** Writes one fact down; when this returns, the disk has it. */
export async function put(store: Store, fact: Fact): Promise<Entry> {
  const entry = made(fact);
  await keep(store, [entry], fact.draft === undefined ? [] : [fact.draft]);
  return entry;
}

/** A request whose failure ends the transaction, which is where it is told. */
function quietly(request: Promise<unknown>): void {
  request.catch(() => undefined);
}

/** Everything waiting, in the order it goes: answers and receipts first, then by sequence. */
export function waiting(store: Store): Promise<Entry[]> {
  return store.read(['outbox'], (tx) => tx.objectStore('outbox').index('order').getAll());
}

/**
 * The next batch: due entries in order, at most `maxItems` and `MAX_BYTES`; an entry that names the id of one that must
 * wait, waits too. `oversized` are entries that fit in no batch.
 */
export function choose(
  entries: Entry[],
  now: number,
  maxItems: number = MAX_ITEMS,
): { batch: Entry[]; oversized: Entry[]; next: number | null } {
  const batch: Entry[] = [];
  const oversized: Entry[] = [];
  const late: Id[] = [];
  let bytes = 0;
  let next: number | null = null;
  for (const entry of entries) {
    // Further off than anything is ever put off: the phone's clock was put back.
    if (entry.not_before > now && entry.not_before <= now + ASK_SELDOM_MS) {
      next = Math.min(next ?? Number.POSITIVE_INFINITY, entry.not_before);
      late.push(entry.id);
      continue;
    }
    const text = late.length > 0 ? textOf(entry) : '';
    if (late.some((id) => text.includes(id))) {
      late.push(entry.id);
      continue;
    }
    const size = bytesOf(entry);
    if (size > MAX_BYTES) {
      oversized.push(entry);
      continue;
    }
    if (batch.length >= maxItems || bytes + size > MAX_BYTES) break;
    bytes += size;
    batch.push(entry);
  }
  return { batch, oversized, next };
}

export function itemOf(entry: Entry): BatchItem {
  return { id: entry.id, seq: entry.seq, method: 'PUT', path: entry.path, body: entry.body };
}

/** Carries out the server's word on a batch in one transaction. Returns how many entries left the queue or were put off. */
export async function settle(store: Store, batch: Entry[], results: BatchResult[], retryAt: number): Promise<number> {
  const asked = new Map(batch.map((entry) => [entry.id, entry]));
  const restoredAt = (await store.meta<number>('restored_at')) ?? 0;
  const comesBack = (result: BatchResult) => isMissing(result) && Date.now() - restoredAt < COMING_BACK_MS;
  const postponed = results.filter((one) => one.status === 'retry_later' || comesBack(one)).map(({ id }) => id);
  const done: SentEntry[] = [];
  const refused: TrayEntry[] = [];
  const later: Entry[] = [];
  await store.write(
    ['outbox', 'sent', 'tray'],
    async (tx) => {
      done.length = refused.length = later.length = 0;
      for (const result of results) {
        const entry = asked.get(result.id) && (await tx.objectStore('outbox').get(result.id));
        if (!entry) continue;
        // A word this version does not know is no receipt.
        const known = ['applied', 'duplicate', 'refused', 'conflict'].includes(result.status);
        const waits =
          !known || (result.status === 'refused' && postponed.some((id) => id !== entry.id && names(entry, id)));
        if (comesBack(result)) {
          later.push({ ...entry, attempts: entry.attempts + 1, not_before: askedNext(entry.attempts), missing: true });
        } else if (waits) {
          later.push({ ...entry, attempts: entry.attempts + 1, not_before: retryAt });
        } else if (result.status === 'refused' || result.status === 'conflict') {
          refused.push(inTray(entry, result.code ?? `http_${result.http}`, result.message ?? '', result.errors ?? []));
        } else {
          done.push({ ...entry, status: result.status, sent_at: Date.now(), settled: 0 });
        }
      }
      for (const entry of later) await tx.objectStore('outbox').put(entry);
      for (const entry of [...done, ...refused]) await tx.objectStore('outbox').delete(entry.id);
      for (const entry of done) await tx.objectStore('sent').put(entry);
      for (const entry of refused) await tx.objectStore('tray').put(entry);
    },
    true,
  );
  const gone = [...done, ...refused].map((entry) => entry.id);
  announce({ person: store.person, queue: { outbox: later, sent: done, tray: refused, outboxGone: gone } });
  return gone.length + later.length;
}

/** The server knows the address, but not what the fact speaks of. */
function isMissing({ status, http, code }: BatchResult): boolean {
  return status === 'refused' && http === 404 && code !== 'unknown_path';
}

function askedNext(attempts: number): number {
  const wait = Math.min(ASK_SELDOM_MS, ASK_FIRST_MS * 2 ** Math.min(attempts, 10));
  return Date.now() + wait * (0.5 + Math.random() / 2);
}

export function inTray(entry: Entry, code: string, message: string, errors: TrayEntry['errors']): TrayEntry {
  return { ...entry, code, message, errors, at: stamp() };
}

/** The server was restored from a backup: what it acknowledged in the last 14 days is offered again, cursors start over. */
export async function offerAgain(store: Store, epoch: string): Promise<number> {
  const again: Entry[] = [];
  await store.write(
    ['outbox', 'sent', 'cursors', 'meta', 'blobs'],
    async (tx) => {
      again.length = 0;
      const since = IDBKeyRange.lowerBound(Date.now() - KEPT_MS);
      for (const entry of await tx.objectStore('sent').index('sent_at').getAll(since)) {
        again.push({ ...plain(entry), attempts: 0, not_before: 0 });
        await tx.objectStore('sent').delete(entry.id);
      }
      for (const entry of again) {
        await tx.objectStore('outbox').put(entry);
        // A picture the backup has already is answered as whole at once; one that was refused may have been so only because
        // its report was not there any more.
        for (const id of entry.photos) {
          const photo = await tx.objectStore('blobs').get(id);
          if (!photo || photo.state === 'waiting' || photo.bytes.byteLength === 0) continue;
          await tx.objectStore('blobs').put({ ...photo, state: 'waiting', url: null });
        }
      }
      await tx.objectStore('cursors').clear();
      await tx.objectStore('meta').put(epoch, 'epoch');
      await tx.objectStore('meta').put(Date.now(), 'restored_at');
    },
    true,
  );
  announce({ person: store.person, queue: { outbox: again, sentGone: again.map((entry) => entry.id) } });
  return again.length;
}

/** What was acknowledged and may not be in the server's rows yet. */
export async function unsettled(store: Store): Promise<Set<Id>> {
  const sent = await store.read(['sent'], (tx) => tx.objectStore('sent').getAll());
  return new Set(sent.filter((entry) => !entry.settled).map(({ id }) => id));
}

/**
 * After a complete pull: the server's rows now show what was acknowledged before it began. By ids and not by times, for the
 * phone's clock may have been put back in between, and its own word would then stay above the server's.
 */
export async function markSettled(store: Store, before: ReadonlySet<Id>): Promise<void> {
  const now: SentEntry[] = [];
  const old: Id[] = [];
  await store.write(['sent'], async (tx) => {
    now.length = old.length = 0;
    const forget = Date.now() - KEPT_MS;
    for (const entry of await tx.objectStore('sent').getAll()) {
      if (entry.sent_at < forget) {
        old.push(entry.id);
        await tx.objectStore('sent').delete(entry.id);
      } else if (!entry.settled && before.has(entry.id)) {
        now.push({ ...entry, settled: 1 });
        await tx.objectStore('sent').put({ ...entry, settled: 1 });
      }
    }
  });
  if (now.length || old.length) announce({ person: store.person, queue: { sent: now, sentGone: old } });
}

/** Whether an entry speaks of this id, in its URL or its body. */
export function names(entry: Entry, id: Id): boolean {
  return textOf(entry).includes(id);
}

/** Everything an entry says, for looking up which ids it speaks of. */
export function textOf(entry: Entry): string {
  return entry.path + JSON.stringify(entry.body);
}

export async function nextSeq(tx: WriteTx): Promise<number> {
  const seq = (await lastSeq(tx)) + 1;
  await tx.objectStore('meta').put(seq, 'seq');
  return seq;
}

async function lastSeq(tx: WriteTx): Promise<number> {
  return ((await tx.objectStore('meta').get('seq')) as number | undefined) ?? 0;
}

export function plain({ id, seq, priority, path, body, effects, photos, made_at, attempts, not_before }: Entry): Entry {
  return { id, seq, priority, path, body, effects, photos, made_at, attempts, not_before };
}

const encoder = new TextEncoder();
function bytesOf(entry: Entry): number {
  return encoder.encode(JSON.stringify(itemOf(entry))).length + 1;
}
