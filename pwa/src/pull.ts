/** Catches up with the change feed: pages of rows per space into the store, one transaction a page. */

import { call, Offline, Refused } from './api';
import { announce, type Change } from './changes';
import { type Entry, type Store, type StoredRow, type TrayEntry } from './db';
import { changeEpoch, heard, newEpoch, stopped, type Outcome } from './flush';
import { exclusive } from './locks';
import { inTray, markSettled, SCHEMA, textOf, unsettled } from './queue';
import { moveToTray } from './tray';
import type { ChangesAnswer, Id } from './types';

const PAGE = 500;
const SMALLEST_PAGE = 25;
const MAX_PAGES = 2_000;
/** Rows in a page; fewer after a time-out, because a slow link may never bring a large one whole. */
let page = PAGE;

/** Pulls until every space is current. */
export function pull(store: Store): Promise<Outcome> {
  return exclusive(`tocsin-pull-${store.person}`, () => pullAll(store));
}

async function pullAll(store: Store): Promise<Outcome> {
  const before = await unsettled(store);
  const first = (await store.read(['cursors'], (tx) => tx.objectStore('cursors').count())) === 0;
  try {
    for (let pages = 0; pages < MAX_PAGES; pages++) {
      const answer = await ask(store);
      if (isAnothers(store, answer)) {
        heard({ wrongPerson: true });
        return { state: 'wrong_person', retryAt: null };
      }
      heard({ sessionExpired: false, wrongPerson: false });
      if (await changeEpoch(store, answer.epoch)) return { state: 'again', retryAt: null };
      await take(store, answer);
      if (!answer.spaces.some((space) => space.more)) {
        if (first) await forgetStrays(store);
        await markSettled(store, before);
        announce({ person: null, connection: { storageFull: false } });
        return { state: 'done', retryAt: null };
      }
    }
    return { state: 'failed', retryAt: null };
  } catch (error) {
    if (error instanceof Refused && error.code === 'epoch_changed' && (await newEpoch(store, error))) {
      return { state: 'again', retryAt: null };
    }
    return await stopped(store, error);
  }
}

async function ask(store: Store): Promise<ChangesAnswer> {
  const [epoch, cursors] = await store.read(['meta', 'cursors'], (tx) =>
    Promise.all([tx.objectStore('meta').get('epoch'), tx.objectStore('cursors').getAll()]),
  );
  const body = {
    epoch: epoch ?? '',
    schema: SCHEMA,
    cursors: Object.fromEntries(cursors.map(({ space, version }) => [space, version])),
    limit: page,
  };
  try {
    const answer = await call<ChangesAnswer>('POST', '/changes', { body });
    page = Math.min(PAGE, page * 2);
    return answer;
  } catch (error) {
    if (error instanceof Offline && error.timedOut) page = Math.max(SMALLEST_PAGE, Math.floor(page / 2));
    throw error;
  }
}

/** Somebody else has signed in on this phone meanwhile: their rows are not written into this person's store. */
function isAnothers(store: Store, answer: ChangesAnswer): boolean {
  const own = `me:${store.person}`;
  return answer.drop.includes(own) || answer.spaces.some(({ id }) => id.startsWith('me:') && id !== own);
}

/** After a pull that named no cursors: a space that did not come is no longer this person's. */
async function forgetStrays(store: Store): Promise<void> {
  const strays = await store.write(['rows', 'cursors'], async (tx) => {
    const known = new Set(await tx.objectStore('cursors').getAllKeys());
    const index = tx.objectStore('rows').index('space');
    const found = new Set<string>();
    for (let at = await index.openKeyCursor(null, 'nextunique'); at; at = await at.continue()) {
      if (!known.has(at.key)) found.add(at.key);
    }
    for (const space of found) {
      for (const key of await index.getAllKeys(space)) await tx.objectStore('rows').delete(key);
    }
    return [...found];
  });
  if (strays.length) announce({ person: store.person, rows: { put: [], gone: [], spacesGone: strays } });
}

/** Writes one page: rows, cursors, spaces lost. */
export async function take(store: Store, answer: ChangesAnswer): Promise<void> {
  const rows: NonNullable<Change['rows']> = { put: [], gone: [], spacesGone: [] };
  let aside: TrayEntry[] = [];
  await store.write(['rows', 'cursors', 'outbox', 'tray'], async (tx) => {
    rows.put = [];
    rows.gone = [];
    rows.spacesGone = [];
    aside = [];
    const table = tx.objectStore('rows');
    const known = new Set(await tx.objectStore('cursors').getAllKeys());
    // Without a cursor it is a snapshot, also after the cursors were cleared by a new epoch.
    const anew = answer.spaces.filter((space) => space.reset || !known.has(space.id)).map((space) => space.id);
    for (const space of answer.drop) aside.push(...(await strand(space)));
    for (const space of [...answer.drop, ...anew]) {
      const old = await table.index('space').getAllKeys(space);
      if (old.length === 0 && !known.has(space)) continue;
      for (const key of old) await table.delete(key);
      await tx.objectStore('cursors').delete(space);
      rows.spacesGone.push(space);
    }
    const writes: Promise<unknown>[] = [];
    for (const space of answer.spaces) {
      for (const row of space.rows) {
        if (row.op === 'put' && row.doc) {
          const stored: StoredRow = { space: space.id, type: row.type, id: row.id, version: row.version, doc: row.doc };
          rows.put.push(stored);
          writes.push(table.put(stored));
        } else {
          rows.gone.push([space.id, row.type, row.id]);
          writes.push(table.delete([space.id, row.type, row.id]));
        }
      }
      writes.push(tx.objectStore('cursors').put({ space: space.id, version: space.to }));
    }
    await Promise.all(writes);
    aside = unique(aside);
    await moveToTray(tx, aside);

    /** Entries about what stands in the lost space and nowhere else on this phone. */
    async function strand(space: string): Promise<TrayEntry[]> {
      const waiting = await tx.objectStore('outbox').getAll();
      if (waiting.length === 0) return [];
      const lost = await ownIds(space);
      return waiting.filter((entry) => speaksOf(entry, lost)).map((entry) => inTray(entry, 'space_dropped', '', []));
    }

    async function ownIds(space: string): Promise<Set<Id>> {
      const lost = new Set<Id>();
      const kept = new Set<Id>();
      for (const [where, , id] of await table.getAllKeys()) {
        if (where === space) lost.add(id);
        else if (!answer.drop.includes(where)) kept.add(id);
      }
      for (const id of kept) lost.delete(id);
      return lost;
    }
  });
  if (rows.put.length || rows.gone.length || rows.spacesGone.length) announce({ person: store.person, rows });
  if (aside.length) {
    announce({ person: store.person, queue: { tray: aside, outboxGone: aside.map((entry) => entry.id) } });
  }
}

/** Looks for ids in the text, not for the text of every id: a space may hold thousands of rows. */
function speaksOf(entry: Entry, ids: ReadonlySet<Id>): boolean {
  const named = textOf(entry).match(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g) ?? [];
  return named.some((id) => id !== entry.id && ids.has(id));
}

function unique<T extends Entry>(entries: T[]): T[] {
  return [...new Map(entries.map((entry) => [entry.id, entry])).values()];
}
