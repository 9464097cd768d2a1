/** What the one line at the top of the screen knows about the connection. */

import { derived, readonly, writable, type Readable } from 'svelte/store';
import { hear, type Connection } from './changes';

export type { Connection };

let known: Connection = {
  online: typeof navigator === 'undefined' || navigator.onLine !== false,
  sending: 0,
  lastContact: null,
  serverSilent: false,
  nextTry: null,
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

/** Whether nothing is heard from the server at present, whatever the reason. */
export const lost: Readable<boolean> = derived(state, ({ online, serverSilent }) => serverSilent || !online);

/** What is known right now, for code that decides once instead of watching. */
export function connectionNow(): Connection {
  return known;
}
