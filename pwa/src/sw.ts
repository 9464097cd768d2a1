/** The service worker: serves the app without a network, shows pushes, takes answers from them, sends the queue when woken. */

import { renewAnswers } from './answered';
import { hear } from './changes';
import { setting, type Store } from './db';
import { onClick, onPush, wake } from './notify';
import { answer, clearOut, layIn } from './shell';
import { fit, forgetReported } from './subscription';
import { replaceIfDead, revive } from './rescue';
import { sync } from './sync';
import type { Id, Me } from './types';

declare const self: ServiceWorkerGlobalScope;

/** Whether this version follows another; the first one has nothing to revive and must not disturb a page that begins. */
let follows = false;

self.addEventListener('install', (event) => {
  follows = self.registration.active !== null;
  event.waitUntil(layIn());
});

self.addEventListener('activate', (event) => {
  event.waitUntil(Promise.all([clearOut(), self.clients.claim()]));
  // Not part of becoming active: loading a page waits for exactly that.
  if (follows) void revive();
});

self.addEventListener('fetch', (event) => {
  const response = answer(event.request);
  if (response) event.respondWith(response);
  if (response && event.request.mode === 'navigate') event.waitUntil(replaceIfDead(event.resultingClientId));
});

self.addEventListener('message', (event) => {
  if ((event.data as { type?: string } | null)?.type === 'SKIP_WAITING') void self.skipWaiting();
});

self.addEventListener('push', (event) => event.waitUntil(onPush(textOf(event))));

self.addEventListener('notificationclick', (event) => {
  event.notification.close();
  event.waitUntil(onClick(event.action, event.notification.data));
});

hear(({ queue }) => {
  if (queue?.sent?.length) void renewAnswers(self.registration, queue.sent).catch(() => undefined);
});

self.addEventListener('pushsubscriptionchange', (event) => {
  (event as ExtendableEvent).waitUntil(subscribeAgain());
});

// Only Chromium fires it: a bonus on top of what the page does itself.
self.addEventListener('sync' as 'message', (event) => {
  (event as unknown as ExtendableEvent).waitUntil(wake().then((mine) => (mine ? sync() : undefined)));
});

function textOf(event: PushEvent): string | null {
  try {
    return event.data?.text() ?? null;
  } catch {
    return null;
  }
}

async function subscribeAgain(): Promise<void> {
  await forgetReported();
  const mine: Store | null = await wake();
  const me = await mine?.meta<Me>('me');
  const device = await setting<Id>('device');
  if (!me || !device) return;
  await fit(self.registration, { person: me.person.id, device, key: me.vapid_public_key }, true);
}
