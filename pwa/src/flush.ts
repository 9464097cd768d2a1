/** Sends the queue: batch after batch under one lock, each item leaving only by its own result, with back-off for everything else. */

import { call, contact, giveUpOverdue, Offline, Refused } from './api';
import { announce, type Connection } from './changes';
import { isFull, setSetting, setting, type Entry, type Store } from './db';
import { erase } from './erase';
import { exclusive } from './locks';
import { choose, itemOf, MAX_ITEMS, offerAgain, SCHEMA, settle, waiting } from './queue';
import { setAside } from './tray';
import type { BatchAnswer, Id, Me } from './types';

/** What stopped the sender. `retryAt` is phone time in ms, null when only a person or another trigger can help. */
export interface Outcome {
  state:
    | 'done'
    | 'again'
    | 'offline'
    | 'busy'
    | 'signed_out'
    | 'wrong_person'
    | 'update_needed'
    | 'wiped'
    | 'full'
    | 'failed';
  retryAt: number | null;
}

const BASE_MS = 1_000;
const CAP_MS = 60_000;
const ITEM_RETRY_MS = 5_000;
const FEWEST_ITEMS = 5;
let failures = 0;
/** Fewer after a time-out: on a slow link a large batch may never come through whole. */
let atOnce = MAX_ITEMS;
/** Between these the server asked not to be asked, or only a timer may try; before them the phone's clock was put back. */
let quietFrom = 0;
let quietUntil = 0;
let asked = false;

/**
 * Sends everything that is due. `eager` (a tap, coming online, the app made visible) tries at once after a lost
 * connection; a wait that the server itself asked for is always kept.
 */
export function flush(store: Store, eager = true): Promise<Outcome> {
  const at = Date.now();
  if (quietFrom <= at && at < quietUntil && (asked || !eager)) {
    return Promise.resolve({ state: asked ? 'busy' : 'offline', retryAt: quietUntil });
  }
  return exclusive(`tocsin-flush-${store.person}`, () => drain(store));
}

/** The network came back: tries at once, unless the server itself asked for the wait. */
export function networkBack(): void {
  if (!asked) forgetBackOff();
}

/** The server is there again after a silence: what still waits for an answer on a dead connection is asked anew, and all who wait may go on. */
export function serverBack(): void {
  giveUpOverdue();
  networkBack();
  announce({ person: null, back: true });
}

/** Forgets every wait: after the server answered, or after signing in. */
export function forgetBackOff(): void {
  failures = quietUntil = 0;
  asked = false;
}

async function drain(store: Store): Promise<Outcome> {
  let maxItems = atOnce;
  let deviceLearnt = false;
  for (;;) {
    const { batch, oversized, next } = choose(await waiting(store), Date.now(), maxItems);
    await setAside(store, oversized, 'too_large', '');
    if (batch.length === 0) return { state: 'done', retryAt: next };
    try {
      const moved = await sendBatch(store, batch);
      heard({ sessionExpired: false, wrongPerson: false, updateNeeded: false });
      if (moved === 0) return { state: 'done', retryAt: Date.now() + ITEM_RETRY_MS };
      maxItems = atOnce = Math.min(MAX_ITEMS, atOnce * 2);
    } catch (error) {
      if (error instanceof Offline && error.timedOut) atOnce = Math.max(FEWEST_ITEMS, Math.floor(batch.length / 2));
      if (error instanceof Refused && divides(error)) {
        if (batch.length === 1) await setAside(store, batch, error.code, error.detail || error.title);
        maxItems = Math.max(1, Math.floor(batch.length / 2));
        continue;
      }
      if (error instanceof Refused && error.code === 'epoch_changed' && (await newEpoch(store, error))) continue;
      if (error instanceof Refused && error.code === 'device_wrong' && !deviceLearnt) {
        deviceLearnt = await learnDevice(store).catch(() => false);
        if (deviceLearnt) continue;
      }
      return await stopped(store, error);
    }
  }
}

async function sendBatch(store: Store, batch: Entry[]): Promise<number> {
  const [kept, epoch] = await Promise.all([setting<Id>('device'), store.meta<string>('epoch')]);
  // The browser cleared its storage while the session lived on.
  const device = kept || !(await learnDevice(store)) ? kept : await setting<Id>('device');
  const answer = await call<BatchAnswer>('POST', '/batch', {
    body: { device, person: store.person, epoch: epoch ?? '', schema: SCHEMA, items: batch.map(itemOf) },
  });
  if (!Array.isArray(answer?.results)) throw new Offline('an answer without results');
  const ours = answer.results.filter((result) => batch.some((entry) => entry.id === result.id));
  return await settle(store, batch, ours, Date.now() + jittered(ITEM_RETRY_MS));
}

/** Refused as a whole for what stands in it: halved until the one item at fault is alone. Not for a fault of the envelope. */
function divides(error: Refused): boolean {
  if (error.errors.some(({ path }) => path !== '' && !path.startsWith('items'))) return false;
  return error.status === 413 || error.status === 400 || error.status === 422;
}

/** Asks the server which device this session is; false when it is not this person's session. */
async function learnDevice(store: Store): Promise<boolean> {
  const me = await call<Me>('GET', '/me');
  if (me.person.id !== store.person) return false;
  await setSetting('device', me.device.id);
  return true;
}

/** After the server's word that the epoch is another: learns it and offers again. False when it could not be learnt. */
export async function newEpoch(store: Store, refusal: Refused): Promise<boolean> {
  const told = refusal.problem['epoch'];
  if (typeof told === 'string' && told !== '') return await changeEpoch(store, told);
  const me = await call<{ epoch: string }>('GET', '/me').catch(() => null);
  return me !== null && (await changeEpoch(store, me.epoch));
}

/** Notes the server's epoch; what was acknowledged under another one is offered again. True when it had changed. */
export async function changeEpoch(store: Store, epoch: string): Promise<boolean> {
  const known = await store.meta<string>('epoch');
  if (known === epoch) return false;
  if (known === undefined) {
    await store.setMeta('epoch', epoch);
    return false;
  }
  await offerAgain(store, epoch);
  return true;
}

/** Turns a failed exchange into what happens next; shared by sending and pulling. */
export async function stopped(store: Store, error: unknown): Promise<Outcome> {
  if (error instanceof Refused) {
    if (error.status === 401) {
      heard({ sessionExpired: true });
      return { state: 'signed_out', retryAt: null };
    }
    if (error.status === 403 && error.code === 'device_revoked' && error.problem['wipe'] === true) {
      await erase(store, 'wiped');
      return { state: 'wiped', retryAt: null };
    }
    if (error.code === 'wrong_person') {
      heard({ wrongPerson: true });
      return { state: 'wrong_person', retryAt: null };
    }
    if (error.status === 426) {
      heard({ updateNeeded: true });
      return { state: 'update_needed', retryAt: null };
    }
    const state = error.status >= 500 ? 'failed' : 'busy';
    // A proxy whose server is gone asks for nothing: as soon as it answers again, so may we.
    asked = error.status < 500 || error.retryAfter !== null;
    const nextTry = backOff(error.retryAfter);
    const known = error.status < 500 ? contact() : failures > 1 ? { serverSilent: true, online: false } : {};
    announce({ person: null, connection: { ...known, nextTry } });
    return { state, retryAt: nextTry };
  }
  if (isFull(error)) {
    // The queue is as it was; photos still go, and make room by going.
    announce({ person: null, connection: { storageFull: true } });
    return { state: 'full', retryAt: Date.now() + CAP_MS };
  }
  if (error instanceof Offline) {
    asked = false;
    const retryAt = backOff(null);
    const network = typeof navigator === 'undefined' || navigator.onLine !== false;
    const serverSilent = network && (error.timedOut || failures > 1);
    announce({ person: null, connection: { online: false, serverSilent, nextTry: retryAt } });
    return { state: 'offline', retryAt };
  }
  throw error;
}

/** The server answered: ends the back-off and tells every page. */
export function heard(more: Partial<Connection> = {}): void {
  forgetBackOff();
  announce({ person: null, connection: { ...contact(), ...more } });
}

function backOff(retryAfter: number | null): number {
  const grown = Math.min(CAP_MS, BASE_MS * 2 ** failures);
  failures += 1;
  quietFrom = Date.now();
  quietUntil = quietFrom + Math.max(jittered(grown), (retryAfter ?? 0) * 1000 * (1 + Math.random() / 4));
  return quietUntil;
}

/** Between half of it and all of it, so that five hundred phones do not come back in one second. */
function jittered(ms: number): number {
  return ms / 2 + Math.random() * (ms / 2);
}
