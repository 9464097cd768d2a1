/**
 * Push messages in the worker: something is always shown first, then the receipt, then catching up; buttons answer.
 * The worker carries its pictures in itself: Chromium waits up to 90 s for one from the network before it shows a word.
 */

import { answered, type Answerable } from './answered';
import { call, Offline, Refused, speak } from './api';
import { now, restore, stamp } from './clock';
import { setting, store, useStore, type Entry, type Store } from './db';
import { flush } from './flush';
import BADGE from './icons/badge-96.png?inline';
import ICON from './icons/icon-192.png?inline';
import { newId } from './ids';
import { within } from './patience';
import { put, settle } from './queue';
import { sync } from './sync';
import { spoken } from './spoken';
import type { AnswerKind, Id, PushHead, PushPayload } from './types';

/** Declared in part, because tests of this file know only a page's types. */
declare const self: {
  registration: ServiceWorkerRegistration;
  clients: {
    matchAll(options: { type: 'window'; includeUncontrolled: boolean }): Promise<readonly OpenPage[]>;
    openWindow(path: string): Promise<unknown>;
  };
};
interface OpenPage {
  visibilityState: string;
  postMessage(message: unknown): void;
  focus(): Promise<unknown>;
}

const ANSWERS: readonly string[] = ['received', 'on_my_way', 'on_scene', 'cannot', 'need_help'];
const LOOK_UP_MS = 300;
/** An answer that arrives within this is told of once, as arrived. */
const AT_ONCE_MS = 400;
const FLUSH_MS = 12_000;

/** Opens the store of the person signed in; null when nobody is, or the phone has no store yet. */
export async function wake(): Promise<Store | null> {
  try {
    restore((await setting<{ skew: number }>('contact'))?.skew ?? 0);
    const mine = useStore((await setting<Id | null>('person')) ?? null);
    const me = await mine?.meta<{ person: { locale: string } }>('me');
    speak(me?.person.locale ?? 'zh');
    return mine;
  } catch {
    return useStore(null);
  }
}

/** Shows what a push message says; never nothing, because a browser takes back a permission that shows nothing. */
export async function onPush(text: string | null): Promise<void> {
  const payload = parsed(text);
  const head = payload?.tocsin ?? null;
  const mine = await within(LOOK_UP_MS, wake(), null);
  const strange = !payload?.notification || !head || mine?.person !== head.person;
  if (head?.kind === 'canary' && (await mayStayUnseen())) {
    // Nothing to show: the receipt is all it asks for.
  } else if (strange) await showNeutral(head);
  else await showAlert(payload, head, mine);
  if (!head) return;
  await receipt(head).catch(() => undefined);
  if (mine && mine.person === head.person) await sync();
}

/** A tap on the notification or on one of its answers. */
export async function onClick(action: string, data: unknown): Promise<void> {
  const head = isHead(data) ? data : null;
  if (isAnswerable(head) && ANSWERS.includes(action)) {
    await answer(head, action as AnswerKind);
    return;
  }
  const mine = await wake();
  if (head?.alert && mine?.person === head.person) {
    const fact = { path: `/alerts/${head.alert}/receipts/{id}`, body: { kind: 'opened', channel: 'push' } };
    await put(mine, fact).catch(() => undefined);
  }
  const elsewhere = head?.kind === 'roster' ? '/#/people' : head ? '/#/me' : '/#/now';
  await openApp(head?.alert ? `/#/alerts/${head.alert}` : elsewhere);
  if (mine) await flush(mine);
}

/**
 * Written down before anything is sent; without a session the message's own one-purpose token carries it. A server that
 * does not answer keeps nobody waiting: what has become of it so far is said at once, and anew when it has arrived.
 */
async function answer(head: Answerable, kind: AnswerKind): Promise<void> {
  const mine = await wake();
  const made = { id: newId(), kind, occurred_at: stamp() };
  const own = mine?.person === head.person ? mine : null;
  const entry = own && (await keepAnswer(own, head, made));
  const words = spoken(head.locale);
  const tell = (body: string, waits?: Id) =>
    self.registration.showNotification(...answered(head, kind, body, { icon: ICON, badge: BADGE }, waits));
  const sending = own && entry ? send(own, entry, head, made) : byToken(made, head);
  let reached = await within<boolean | null>(AT_ONCE_MS, sending, null);
  if (reached === null) {
    await tell(own ? words.kept : words.sending, entry?.id);
    // A page that was put to sleep may hold the sender's lock: the queue has the answer, and whoever sends it tells.
    reached = own ? await within(FLUSH_MS, sending, false) : await sending;
    if (own && !reached) return;
  }
  await tell(reached ? words.reached : own ? words.kept : words.notSent, reached ? undefined : entry?.id);
}

interface MadeAnswer {
  id: Id;
  kind: AnswerKind;
  occurred_at: string;
}

async function keepAnswer(mine: Store, head: Answerable, { id, kind, occurred_at }: MadeAnswer): Promise<Entry> {
  const effect = { answer: kind, answered_at: occurred_at, silent: false, alert: head.alert, person: head.person };
  return await put(mine, {
    id,
    path: `/alerts/${head.alert}/answers/{id}`,
    body: { kind, occurred_at },
    optimistic: { type: 'recipient', id: head.recipient, doc: effect },
  });
}

/** True when the server has it. */
async function send(mine: Store, entry: Entry, head: Answerable, made: MadeAnswer): Promise<boolean> {
  const { state } = await flush(mine);
  if (state !== 'signed_out' && state !== 'wrong_person') return state === 'done';
  if (!(await byToken(made, head))) return false;
  await settle(mine, [entry], [{ id: entry.id, status: 'applied', http: 200 }], 0);
  return true;
}

/** Says `delivered` for the push itself, session or not; if the server cannot be reached now, the queue says it later. */
async function receipt(head: PushHead): Promise<void> {
  const body = { kind: 'delivered', occurred_at: stamp(), token: head.receipt_token };
  try {
    await call('POST', `/tokens/receipts/${newId()}`, { body, timeoutMs: 8_000 });
  } catch (error) {
    const mine = store();
    if (!(error instanceof Offline) || mine?.person !== head.person || !head.alert) return;
    await put(mine, { path: `/alerts/${head.alert}/receipts/{id}`, body: { kind: 'delivered', channel: 'push' } });
  }
}

async function byToken({ id, ...made }: MadeAnswer, head: Answerable): Promise<boolean> {
  try {
    await call('POST', `/tokens/answers/${id}`, { body: { token: head.answer_token, ...made } });
    return true;
  } catch (error) {
    if (error instanceof Offline || error instanceof Refused) return false;
    throw error;
  }
}

async function showAlert(payload: PushPayload, head: PushHead, mine: Store): Promise<void> {
  const said = payload.notification!;
  const over = await within(LOOK_UP_MS, isOver(mine, head), false);
  const words = spoken(head.locale);
  const options: NotificationOptions & Record<string, unknown> = {
    body: said.body ?? '',
    tag: said.tag ?? head.alert ?? head.delivery,
    lang: said.lang ?? head.locale,
    dir: said.dir ?? 'auto',
    icon: ICON,
    badge: BADGE,
    renotify: !over,
    requireInteraction: !over && (said.require_interaction ?? head.critical),
    silent: over || (said.silent ?? false),
    vibrate: over ? [] : head.critical ? [400, 150, 400, 150, 800] : [250, 120, 250],
    timestamp: Date.parse(head.sent_at) || Date.now(),
    actions: over ? [] : (said.actions ?? []).map(({ action, title }) => ({ action, title })),
    data: head,
  };
  // `silent` and `vibrate` together are refused by browsers.
  if (options.silent) delete options['vibrate'];
  await self.registration.showNotification(over ? `${words.over}${said.title}` : said.title, options);
  const badge = (navigator as { setAppBadge?: (count: number) => Promise<void> }).setAppBadge;
  if (badge && said.app_badge !== undefined) await badge.call(navigator, said.app_badge).catch(() => undefined);
}

/** For a malformed message, a signed-out phone, or another person's alert: nothing of its content. */
async function showNeutral(head: PushHead | null): Promise<void> {
  const words = spoken(head?.locale);
  await self.registration.showNotification(words.name, {
    body: words.neutral,
    tag: head?.alert ?? 'tocsin',
    icon: ICON,
    badge: BADGE,
    silent: head?.kind === 'canary',
  });
}

/**
 * Whether this browser takes a push that shows nothing: Firefox sixteen of them between two visits, Chromium while a
 * page of ours is on screen, Safari never (three cost the subscription).
 */
async function mayStayUnseen(): Promise<boolean> {
  const agent = navigator.userAgent;
  if (/Firefox\//.test(agent)) return true;
  if (!/Chrom(e|ium)\//.test(agent)) return false;
  const pages = await self.clients.matchAll({ type: 'window', includeUncontrolled: true });
  return pages.some((one) => one.visibilityState === 'visible');
}

async function isOver(mine: Store, head: PushHead): Promise<boolean> {
  if (Date.parse(head.expires_at) < now()) return true;
  const key: [string, string, string] = [`me:${head.person}`, 'alert', head.alert ?? ''];
  const row = await mine.read(['rows'], (tx) => tx.objectStore('rows').get(key));
  return row?.doc['status'] === 'ended';
}

async function openApp(path: string): Promise<void> {
  const pages = await self.clients.matchAll({ type: 'window', includeUncontrolled: true });
  const page = pages.find((one) => one.visibilityState === 'visible') ?? pages[0];
  if (page) {
    page.postMessage({ open: path });
    await page.focus().catch(() => undefined);
  } else {
    await self.clients.openWindow(path);
  }
}

function parsed(text: string | null): PushPayload | null {
  try {
    const payload = JSON.parse(text ?? '') as PushPayload | null;
    if (typeof payload !== 'object' || payload === null) return null;
    const title = payload.notification?.title;
    const head = payload.tocsin ?? (payload.notification as { data?: unknown } | undefined)?.data;
    return {
      ...(typeof title === 'string' && title !== '' && payload.notification
        ? { notification: payload.notification }
        : {}),
      ...(isHead(head) ? { tocsin: head } : {}),
    };
  } catch {
    return null;
  }
}

function isAnswerable(head: PushHead | null): head is Answerable {
  return typeof head?.alert === 'string' && typeof head.recipient === 'string';
}

function isHead(value: unknown): value is PushHead {
  const head = value as Partial<PushHead> | null;
  return (
    typeof head === 'object' && head !== null && typeof head.delivery === 'string' && typeof head.person === 'string'
  );
}
