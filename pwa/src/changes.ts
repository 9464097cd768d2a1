/** How tabs and the worker hear of each other's writes: every change of a person's store is told here once it is committed. */

import type { Entry, SentEntry, StoredPhoto, StoredRow, TrayEntry } from './db';
import type { Id } from './types';

export interface Connection {
  /** The server answered the last time we tried (before any try: the browser's own opinion). */
  online: boolean;
  /** How many entries are still only on this phone. */
  sending: number;
  /** Phone time in ms of the server's last answer, null before the first. */
  lastContact: number | null;
  /** The server answers, but its worker does not run: no limit fires and nobody is reminded. */
  workerSilent: boolean;
  /** The phone has a network, but the server does not answer. */
  serverSilent: boolean;
  /** When the sender tries again, phone time in ms; null when the last try was answered. */
  nextTry: number | null;
  /** Entries are kept, sending waits until the same person signs in. */
  sessionExpired: boolean;
  /** Another person's session is in this browser; nothing is sent in their name. */
  wrongPerson: boolean;
  /** A newer version of the app is waiting to take over. */
  updateReady: boolean;
  /** The server refuses this version until the app is updated. */
  updateNeeded: boolean;
  /** The live stream is open and was heard within its heartbeat. */
  live: boolean;
  /** This phone cannot keep anything: private mode, or another tab holds an older store. */
  storeUnavailable: boolean;
  /** This phone has no room for what the server sends. */
  storageFull: boolean;
  /** Server time minus phone time in ms. */
  skew: number;
}

export interface Change {
  /** Whose data changed; null for what concerns the phone itself. */
  person: Id | null;
  rows?: { put: StoredRow[]; gone: [space: string, type: string, id: Id][]; spacesGone: string[] };
  queue?: {
    outbox?: Entry[];
    sent?: SentEntry[];
    tray?: TrayEntry[];
    outboxGone?: Id[];
    trayGone?: Id[];
    sentGone?: Id[];
  };
  /** `in`: somebody signed in; `out`: signed out; `wiped`: the device was revoked and its data is gone. */
  session?: 'in' | 'out' | 'wiped';
  /** An alert's head from the live stream, heard by the tab that holds it. */
  alert?: { alert: Id; recipient?: Id; title?: unknown; level?: string; critical?: boolean };
  /** What the sender learnt about the connection. */
  connection?: Partial<Connection>;
  /** The server answers again after a silence: whoever waits to try again need not. */
  back?: true;
  photo?: { id: Id; sent: number; size: number; state: StoredPhoto['state']; moving: boolean };
}

type Listener = (change: Change) => void;
const listeners = new Set<Listener>();
const channel = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel('tocsin');
channel?.addEventListener('message', (event: MessageEvent<Change>) => tellHere(event.data));
// Node keeps a process alive for an open channel; browsers have no such method.
(channel as { unref?: () => void } | null)?.unref?.();

/** Tells this page, the other tabs and the worker. */
export function announce(change: Change): void {
  tellHere(change);
  channel?.postMessage(change);
}

export function hear(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tellHere(change: Change): void {
  for (const listener of [...listeners]) listener(change);
}
