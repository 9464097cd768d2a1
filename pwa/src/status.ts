/** What the one line at the top of the screen knows about the connection. */

import { readonly, writable, type Readable } from 'svelte/store';
import { hear, type Connection } from './changes';

export type { Connection };

let known: Connection = {
  online: typeof navigator === 'undefined' || navigator.onLine !== false,
  sending: 0,
  lastContact: null,
  serverSilent: false,
  workerSilent: false,
  sessionExpired: false,
  wrongPerson: false,
  updateReady: false,
  updateNeeded: false,
  live: false,
  storeUnavailable: false,
  storageFull: false,
  skew: 0,
};
const state = writable(known);

export const connection: Readable<Connection> = readonly(state);

/** Notes what was learnt; subscribers hear of it only when something differs. */
export function note(part: Partial<Connection>): void {
  if ((Object.keys(part) as (keyof Connection)[]).every((key) => known[key] === part[key])) return;
  known = { ...known, ...part };
  state.set(known);
}

hear((change) => {
  if (change.connection) note(change.connection);
});

/** What is known right now, for code that decides once instead of watching. */
export function connectionNow(): Connection {
  return known;
}
