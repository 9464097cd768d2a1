/** Notifications on this phone: asking, checking at every start, turning off, and what a person can do when they do not come. */

import { call } from './api';
import { setting } from './db';
import { fit, forgetReported, reported, sameKey } from './subscription';
import type { Id, Me } from './types';

/** What the push doctor says; the screen puts it into words. */
export interface PushState {
  /** `not_installed`: on an iPhone the app must be on the home screen first. */
  verdict:
    'ok' | 'unsupported' | 'not_installed' | 'not_asked' | 'denied' | 'not_subscribed' | 'other_key' | 'not_told';
  installed: boolean;
  permission: NotificationPermission | 'none';
  subscribed: boolean;
  /** When the server was last told of the subscription, ms. */
  toldAt: number | null;
}

export async function pushState(me: Me): Promise<PushState> {
  const installed = isInstalled();
  const permission = 'Notification' in globalThis ? Notification.permission : 'none';
  const state: PushState = { verdict: 'ok', installed, permission, subscribed: false, toldAt: null };
  if (!isSupported()) return { ...state, verdict: isApple() && !installed ? 'not_installed' : 'unsupported' };
  if (permission === 'denied') return { ...state, verdict: 'denied' };
  if (permission !== 'granted') return { ...state, verdict: 'not_asked' };
  const registration = await navigator.serviceWorker.getRegistration();
  const subscription = await registration?.pushManager.getSubscription();
  if (!subscription) return { ...state, verdict: 'not_subscribed' };
  const told = await reported();
  const mine = told?.endpoint === subscription.endpoint && told.person === me.person.id;
  state.subscribed = true;
  state.toldAt = mine ? told.at : null;
  if (!sameKey(subscription, me.vapid_public_key)) return { ...state, verdict: 'other_key' };
  return mine ? state : { ...state, verdict: 'not_told' };
}

/**
 * Asks for permission and subscribes; call it from a tap. Returns the new state; raises `PushSilent` when the push
 * service does not answer, `Offline` or `Refused` when the server could not be told.
 */
export async function enablePush(me: Me): Promise<PushState> {
  if (!isSupported()) return await pushState(me);
  const permission = await Notification.requestPermission();
  if (permission === 'granted') {
    await keepStorage();
    await fit(
      await navigator.serviceWorker.ready,
      { person: me.person.id, device: me.device.id, key: me.vapid_public_key },
      true,
    );
  }
  return await pushState(me);
}

/** At every start and sign-in: a granted subscription is made to fit key, person and server again. */
export async function checkSubscription(me: Me): Promise<void> {
  if (!isSupported() || Notification.permission !== 'granted') return;
  const registration = await navigator.serviceWorker.getRegistration();
  if (!registration?.active) return;
  const to = { person: me.person.id, device: me.device.id, key: me.vapid_public_key };
  await fit(registration, to, !me.device.subscribed);
  await clearChecks(registration);
}

/** Takes away what weekly checks had to show while the app was closed. */
async function clearChecks(registration: ServiceWorkerRegistration): Promise<void> {
  for (const one of await registration.getNotifications())
    if ((one.data as { kind?: string } | null)?.kind === 'canary') one.close();
}

/** Whether the weekly check of this phone goes unseen; elsewhere the browser insists on showing it, silently. */
export const checksUnseen = (): boolean => /Firefox\//.test(navigator.userAgent);

/** Turns notifications off on both sides; the browser's side even when the server does not answer. */
export async function unsubscribe(device: Id | null): Promise<void> {
  if (!isSupported()) return;
  const registration = await navigator.serviceWorker.getRegistration();
  const subscription = await registration?.pushManager.getSubscription();
  if (!subscription) return;
  await subscription.unsubscribe();
  await forgetReported();
  const id = device ?? (await setting<Id>('device'));
  if (id) await call('DELETE', `/devices/${id}/subscription`, { timeoutMs: 5_000 });
}

/** Sends a test push to this phone through the real way; resolves with the delivery's id. */
export async function testPush(device: Id): Promise<Id> {
  return (await call<{ delivery: Id }>('POST', `/devices/${device}/test-push`, { body: {} })).delivery;
}

/** Asks the browser not to clear this app's data when space gets short. */
export async function keepStorage(): Promise<boolean> {
  return (await navigator.storage?.persist?.()) ?? false;
}

export function isInstalled(): boolean {
  return (
    matchMedia('(display-mode: standalone)').matches || (navigator as { standalone?: boolean }).standalone === true
  );
}

function isSupported(): boolean {
  return (
    typeof navigator !== 'undefined' &&
    'serviceWorker' in navigator &&
    'PushManager' in globalThis &&
    'Notification' in globalThis
  );
}

function isApple(): boolean {
  return /iPhone|iPad/.test(navigator.userAgent) || (/Mac/.test(navigator.userAgent) && navigator.maxTouchPoints > 1);
}
