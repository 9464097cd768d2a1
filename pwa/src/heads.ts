/** Alerts at the moment they reach this phone, for tone and vibration while the app is open. */

import { readable, type Readable } from 'svelte/store';
import { hear, type Change } from './changes';
import { now as clockNow } from './clock';
import { store, type StoredRow } from './db';
import type { Id } from './types';

export type AlertHead = NonNullable<Change['alert']>;
/** How old an alert may be and still sound when it reaches this phone. */
const SOUNDS_FOR_MS = 10 * 60 * 1000;
/** The newest alert that reached this phone, by whichever way, for tone and vibration while the app is open. */
export const lastAlert: Readable<AlertHead | null> = readable<AlertHead | null>(null, (set) => {
  const told = new Set<Id>();
  return hear((change) => {
    if (change.person !== store()?.person) return;
    const heads = [...(change.rows?.put ?? []).flatMap(headOf), ...(change.alert ? [change.alert] : [])];
    for (const head of heads) {
      if (told.has(head.alert)) continue;
      told.add(head.alert);
      set(head);
    }
  });
});

/** The head of an alert to me that is open and new; nothing for any other row. */
export function headOf(row: StoredRow): AlertHead[] {
  const { status, issued_at, title, level, critical } = row.doc;
  if (row.type !== 'alert' || !row.space.startsWith('me:') || status !== 'open') return [];
  if (typeof issued_at !== 'string' || clockNow() - Date.parse(issued_at) > SOUNDS_FOR_MS) return [];
  const colour = (level as { colour?: string } | null)?.colour;
  return [{ alert: row.id, title, critical: critical === true, ...(colour ? { level: colour } : {}) }];
}
