/** The phone's push subscription, kept equal to what the server knows; used by the page and by the worker. */

import { call } from './api';
import { setSetting, setting } from './db';
import type { Id } from './types';

const SUBSCRIBE_TIMEOUT_MS = 15_000;
const REPORT_EVERY_MS = 24 * 3600 * 1000;

interface Reported {
  endpoint: string;
  person: Id;
  key: string;
  at: number;
}

/** The push service did not answer in time, which in some countries it never does. */
export class PushSilent extends Error {
  override name = 'PushSilent';
}

interface Addressee {
  person: Id;
  device: Id;
  key: string;
}
let last: Promise<unknown> = Promise.resolve();

/**
 * Makes the subscription fit the server's key and tells the server of it, when it is new, belongs to another person, or
 * was not told for a day. One at a time: of two subscriptions asked for at once, Firefox forgets one. Raises `PushSilent`,
 * what the browser raises, `Offline` or `Refused`.
 */
export function fit(registration: ServiceWorkerRegistration, to: Addressee, force = false): Promise<PushSubscription> {
  const turn = last.then(() => fitNow(registration, to, force));
  last = turn.catch(() => undefined);
  return turn;
}

async function fitNow(
  registration: ServiceWorkerRegistration,
  to: Addressee,
  force: boolean,
): Promise<PushSubscription> {
  let subscription = await registration.pushManager.getSubscription();
  if (subscription && !sameKey(subscription, to.key)) {
    await subscription.unsubscribe();
    subscription = null;
  }
  subscription ??= await within(
    SUBSCRIBE_TIMEOUT_MS,
    registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytesOf(to.key) }),
  );
  const told = await setting<Reported>('subscription');
  const stale =
    !told ||
    told.endpoint !== subscription.endpoint ||
    told.person !== to.person ||
    told.key !== to.key ||
    Date.now() - told.at > REPORT_EVERY_MS;
  if (stale || force) {
    const { endpoint, keys, expirationTime } = subscription.toJSON();
    await call('PUT', `/devices/${to.device}/subscription`, {
      body: {
        endpoint,
        keys,
        vapid_public_key: to.key,
        ...(expirationTime ? { expiration_time: Math.floor(expirationTime) } : {}),
      },
    });
    await setSetting('subscription', { endpoint, person: to.person, key: to.key, at: Date.now() });
  }
  return subscription;
}

export function reported(): Promise<Reported | undefined> {
  return setting<Reported>('subscription');
}

export function forgetReported(): Promise<void> {
  return setSetting('subscription', undefined);
}

/** A subscription is bound for life to the key it was made with. Where the browser hides the key, trust what was reported. */
export function sameKey(subscription: PushSubscription, key: string): boolean {
  const own = subscription.options?.applicationServerKey;
  if (!own) return true;
  const wanted = bytesOf(key);
  const has = new Uint8Array(own);
  return has.length === wanted.length && has.every((byte, index) => byte === wanted[index]);
}

function bytesOf(base64url: string): Uint8Array<ArrayBuffer> {
  const plain = atob(base64url.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new PushSilent('the push service does not answer')), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
