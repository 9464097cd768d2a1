/** What a page reads of a person's store: everything the first screen may need in one transaction, what grows with every incident later. */

import type { Entry, SentEntry, Store, StoredRow, TrayEntry } from './db';
import type { Me } from './types';

export interface Picture {
  me: Me | undefined;
  rows: StoredRow[];
  outbox: Entry[];
  sent: SentEntry[];
  tray: TrayEntry[];
}

/** Types of rows that no first screen shows, in order: the timeline grows all day, plans are long. */
const LATER = ['entry', 'plan'] as const;
export const comesLater = (type: string): boolean => (LATER as readonly string[]).includes(type);

/** One transaction over all that a first screen may need. */
export function readPicture(from: Store): Promise<Picture> {
  return from.read(['meta', 'rows', 'outbox', 'sent', 'tray'], async (tx) => {
    const byType = tx.objectStore('rows').index('type');
    const [me, outbox, sent, tray, ...rows] = await Promise.all([
      tx.objectStore('meta').get('me') as Promise<Me | undefined>,
      tx.objectStore('outbox').getAll(),
      tx.objectStore('sent').getAll(),
      tx.objectStore('tray').getAll(),
      ...between(LATER).map((range) => byType.getAll(range)),
    ]);
    return { me, outbox, sent, tray, rows: rows.flat() };
  });
}

/** The rows that `readPicture` left out. */
export function readRest(from: Store): Promise<StoredRow[]> {
  return from.read(['rows'], async (tx) => {
    const byType = tx.objectStore('rows').index('type');
    return (await Promise.all(LATER.map((type) => byType.getAll(type)))).flat();
  });
}

/** The ranges before, between and after these keys, which are in order. */
function between(keys: readonly string[]): IDBKeyRange[] {
  const last = keys.length - 1;
  return [
    IDBKeyRange.upperBound(keys[0], true),
    ...keys.slice(1).map((key, n) => IDBKeyRange.bound(keys[n], key, true, true)),
    IDBKeyRange.lowerBound(keys[last], true),
  ];
}
