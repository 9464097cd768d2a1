/** The service worker from the page's side: registered, asked for news, and replaced only when a person says so. */

import { hear } from './changes';
import { draftedSince } from './drafts';
import { outbox } from './memory';
import { renewAnswers } from './answered';
import { within } from './patience';
import { isInstalled, keepStorage } from './push';
import { note } from './status';

/** A form left alone for so long is no work in hand; it is on the disk and opens again as it was. */
const BEGUN_MS = 10 * 60 * 1000;
/** How long a tap on "update" waits for the server's word of a newer version, and for that version to be laid in. */
const ASK_MS = 3_000;
const LAY_IN_MS = 20_000;
const LOOK_EVERY_MS = 60 * 60 * 1000;
let registration: ServiceWorkerRegistration | null = null;
let replacing = false;

/** Registers the worker; a newer one that waits shows as `updateReady`. */
export async function startWorker(): Promise<void> {
  if (isInstalled()) void keepStorage();
  addEventListener('appinstalled', () => void keepStorage());
  if (!('serviceWorker' in navigator) || import.meta.env.DEV) return;
  navigator.serviceWorker.addEventListener('message', (event: MessageEvent<{ open?: string; alive?: boolean }>) => {
    if (event.data.open?.startsWith('/#/')) location.assign(event.data.open);
    if (event.data.alive) event.ports[0]?.postMessage(true);
  });
  navigator.serviceWorker.addEventListener('controllerchange', () => {
    if (replacing) location.reload();
  });
  registration = await navigator.serviceWorker.register('/sw.js', { updateViaCache: 'none' });
  watchFor(registration);
  const look = () => void registration?.update().catch(() => undefined);
  setInterval(look, LOOK_EVERY_MS);
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') look();
  });
  hear((change) => {
    if (change.connection?.updateNeeded) look();
    if (change.queue?.sent?.length && registration)
      void renewAnswers(registration, change.queue.sent).catch(() => undefined);
    if (change.connection?.online === false) void backgroundSync();
  });
}

/** Whether a reload now would interrupt nothing: everything is sent and nobody is filling in a form. */
export async function canUpdate(): Promise<boolean> {
  return outbox.size === 0 && !(await draftedSince(Date.now() - BEGUN_MS));
}

/** Lets the newest version take over and reloads; what waits in the queue stays in the store and is sent by the new one. */
export async function update(): Promise<void> {
  // A server that does not answer keeps nobody from the version that is here already.
  if (registration)
    await within(
      ASK_MS,
      registration.update().then(() => undefined),
      undefined,
    );
  const next = registration?.waiting ?? (await within(LAY_IN_MS, installed(registration?.installing ?? null), null));
  if (!next) {
    location.reload();
    return;
  }
  replacing = true;
  next.postMessage({ type: 'SKIP_WAITING' });
}

/** The worker once it has laid in its files; null when it could not, or there is none. */
function installed(worker: ServiceWorker | null): Promise<ServiceWorker | null> {
  if (!worker) return Promise.resolve(null);
  return new Promise((resolve) => {
    const look = () => {
      if (worker.state === 'installing') return;
      worker.removeEventListener('statechange', look);
      resolve(worker.state === 'installed' ? worker : null);
    };
    worker.addEventListener('statechange', look);
    look();
  });
}

function watchFor(found: ServiceWorkerRegistration): void {
  const show = () => {
    // Without a controller this is the first installation, not an update.
    if (found.waiting && navigator.serviceWorker.controller) note({ updateReady: true });
  };
  show();
  found.addEventListener('updatefound', () => {
    found.installing?.addEventListener('statechange', show);
  });
}

/** Where the browser can, it wakes the worker when the network is back although the app is closed. */
async function backgroundSync(): Promise<void> {
  if (outbox.size === 0) return;
  const wakeable: { sync?: { register(tag: string): Promise<void> } } | null = registration as object | null;
  await wakeable?.sync?.register('tocsin').catch(() => undefined);
}
