/** The service worker from the page's side: registered, asked for news, and replaced only when a person says so. */

import { hear } from './changes';
import { draftKeys } from './drafts';
import { outbox } from './memory';
import { isInstalled, keepStorage } from './push';
import { note } from './status';

const LOOK_EVERY_MS = 60 * 60 * 1000;
let registration: ServiceWorkerRegistration | null = null;
let replacing = false;

/** Registers the worker; a newer one that waits shows as `updateReady`. */
export async function startWorker(): Promise<void> {
  if (isInstalled()) void keepStorage();
  addEventListener('appinstalled', () => void keepStorage());
  if (!('serviceWorker' in navigator) || import.meta.env.DEV) return;
  navigator.serviceWorker.addEventListener('message', (event: MessageEvent<{ open?: string }>) => {
    if (event.data.open?.startsWith('/#/')) location.assign(event.data.open);
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
    if (change.connection?.online === false) void backgroundSync();
  });
}

/** Whether a reload now would interrupt nothing: everything is sent and no form is begun. */
export async function canUpdate(): Promise<boolean> {
  return outbox.size === 0 && (await draftKeys()).length === 0;
}

/** Lets the waiting version take over and reloads; what waits in the queue stays in the store and is sent by the new one. */
export function update(): void {
  if (!registration?.waiting) {
    location.reload();
    return;
  }
  replacing = true;
  registration.waiting.postMessage({ type: 'SKIP_WAITING' });
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
