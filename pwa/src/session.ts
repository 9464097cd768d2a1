/** Signing in and out, and the server's word on who is signed in; `who.ts` holds what the phone knows by itself. */

import { call, Offline, Refused, speak } from './api';
import { announce } from './changes';
import { setSetting, setting, store, Store } from './db';
import { erase, forgetPictures } from './erase';
import { changeEpoch, flush, forgetBackOff, heard, stopped, type Outcome } from './flush';
import { newId } from './ids';
import { exclusive } from './locks';
import { within } from './patience';
import { checkSubscription, unsubscribe } from './push';
import type { Id, Me } from './types';
import { uploadWaiting } from './uploads';
import { become, me, meNow, show } from './who';

/** How long somebody who signs out waits for what is still to be sent, and for the word to the server that they left. */
const SEND_MS = 10_000;
const UPLOAD_MS = 30_000;
const LEAVE_MS = 5_000;

// Refusals come in the language of whoever is signed in.
me.subscribe((who) => who && speak(who.person.locale));

/** Asks the server who is signed in, so that rights, spaces and the push key are current. */
export async function confirmSession(): Promise<void> {
  if (await setting<boolean>('leaving')) {
    // Signed out without a network: the server hears of it before anything else is asked.
    await endOnServer();
    return;
  }
  const mine = store();
  if (!mine) return;
  try {
    const answer = await call<Me>('GET', '/me');
    if (answer.person.id !== mine.person) {
      heard({ wrongPerson: true });
      return;
    }
    await keep(mine, answer);
    heard({ sessionExpired: false, wrongPerson: false });
    // A push service that refuses or is silent is for the push doctor to tell; who is signed in does not depend on it.
    await checkSubscription(answer).catch(() => undefined);
  } catch (error) {
    if (error instanceof Refused || error instanceof Offline) await stopped(mine, error);
    else throw error;
  }
}

/** Signs in by user name and password. Raises `Offline`, or `Refused` (`credentials_wrong`, `throttled` with `retryAfter`). */
export async function signIn(username: string, password: string): Promise<Me> {
  return await arrive(await call<Me>('POST', '/sessions', { body: { username, password, device: await device() } }));
}

/** Signs in by a one-time token from a QR code or link. Raises `Offline`, or `Refused` (`enrolment_used`). */
export async function enrol(token: string): Promise<Me> {
  return await arrive(await call<Me>('POST', '/sessions/enrolments', { body: { token, device: await device() } }));
}

export interface LeftBehind {
  /** Facts the server does not have: waiting and refused ones. */
  entries: number;
  photos: number;
}

/**
 * Signs out. It first tries to send what waits, and if something remains it changes nothing and says how much: the
 * person then tries again, or takes it along as a file (`exported`) or throws it away, and comes back with `discard`.
 */
export async function signOut(pending: 'send' | 'discard' = 'send'): Promise<{ done: boolean; left: LeftBehind }> {
  const mine = store();
  if (!mine) return { done: true, left: { entries: 0, photos: 0 } };
  if (pending === 'send') {
    const sent = await within<Outcome['state']>(
      SEND_MS,
      flush(mine).then(({ state }) => state),
      'offline',
    );
    if (sent === 'done') await within(UPLOAD_MS, uploadWaiting(mine), undefined);
  }
  const left = await leftBehind(mine);
  if (pending === 'send' && (left.entries > 0 || left.photos > 0)) return { done: false, left };
  await setSetting('leaving', true);
  await within(LEAVE_MS, unsubscribe(meNow()?.device.id ?? null), undefined);
  await endOnServer();
  await erase(mine, 'out');
  return { done: true, left };
}

/** Changes the language or theme that follows a person from phone to phone. */
export async function savePreferences(part: { locale?: 'zh' | 'en'; theme?: string }): Promise<void> {
  await call('PUT', '/me/preferences', { body: part });
  const known = meNow();
  const mine = store();
  if (part.locale && known && mine) {
    await keep(mine, { ...known, person: { ...known.person, locale: part.locale } });
  }
}

export async function changePassword(current: string, wanted: string): Promise<void> {
  await call('POST', '/me/password', { body: { current, new: wanted } });
}

/** A one-time enrolment for a person, with its QR picture as SVG text. */
export async function makeEnrolment(
  person: Id,
): Promise<{ token: string; url: string; expires_at: string; svg: string }> {
  return await call('POST', `/people/${person}/enrolments`, { body: {} });
}

async function arrive(answer: Me): Promise<Me> {
  const before = store();
  await setSetting('leaving', false);
  await setSetting('person', answer.person.id);
  const mine = new Store(answer.person.id);
  await changeEpoch(mine, answer.epoch);
  await mine.setMeta('me', answer);
  mine.close();
  if (before && before.person !== answer.person.id) await leaveBehind(before);
  await become(answer.person.id);
  forgetBackOff();
  heard({ sessionExpired: false, wrongPerson: false });
  announce({ person: answer.person.id, session: 'in' });
  void checkSubscription(answer).catch(() => undefined);
  return answer;
}

/** Another person signs in on this phone: what the first one has not sent stays locked away for them, all else goes. */
async function leaveBehind(before: Store): Promise<void> {
  await forgetPictures();
  const { entries, photos } = await leftBehind(before);
  const drafts = await before.read(['drafts'], (tx) => tx.objectStore('drafts').count());
  if (entries + photos + drafts === 0) await before.destroy();
  else {
    // Not while a pull of theirs is still writing rows.
    await exclusive(`tocsin-pull-${before.person}`, async () => {
      await before.write(['rows', 'cursors'], async (tx) => {
        await tx.objectStore('rows').clear();
        await tx.objectStore('cursors').clear();
      });
      before.close();
    });
  }
}

async function leftBehind(mine: Store): Promise<LeftBehind> {
  return await mine.read(['outbox', 'tray', 'blobs'], async (tx) => {
    const entries = (await tx.objectStore('outbox').count()) + (await tx.objectStore('tray').count());
    const blobs = await tx.objectStore('blobs').index('state').getAll('waiting');
    return { entries, photos: blobs.filter((blob) => blob.fact !== null).length };
  });
}

async function endOnServer(): Promise<void> {
  try {
    await call('DELETE', '/sessions/current', { timeoutMs: LEAVE_MS });
    await setSetting('leaving', false);
  } catch (error) {
    if (error instanceof Refused && error.status === 401) await setSetting('leaving', false);
    else if (!(error instanceof Offline || error instanceof Refused)) throw error;
  }
}

async function keep(mine: Store, answer: Me): Promise<void> {
  await mine.setMeta('me', answer);
  if (store() === mine) show(answer);
}

/** This browser's own device: its id is made once and outlives the people who use it. */
async function device(): Promise<{ id: Id; name: string }> {
  let id = await setting<Id>('device');
  if (!id) {
    id = newId();
    await setSetting('device', id);
  }
  return { id, name: deviceName(navigator.userAgent) };
}

/** A name a person recognises in the list of devices: "Android · Chrome". */
export function deviceName(agent: string): string {
  const find = (list: [RegExp, string][]) => list.find(([pattern]) => pattern.test(agent))?.[1];
  const system = find([
    [/iPhone/, 'iPhone'],
    [/iPad/, 'iPad'],
    [/HarmonyOS/, 'HarmonyOS'],
    [/Android/, 'Android'],
    [/Windows/, 'Windows'],
    [/Mac OS X/, 'Mac'],
    [/Linux/, 'Linux'],
  ]);
  const browser = find([
    [/MicroMessenger/, 'WeChat'],
    [/Edg/, 'Edge'],
    [/HuaweiBrowser/, 'Huawei Browser'],
    [/Firefox|FxiOS/, 'Firefox'],
    [/Chrome|CriOS/, 'Chrome'],
    [/Safari/, 'Safari'],
  ]);
  return [system, browser].filter(Boolean).join(' · ') || 'Browser';
}
