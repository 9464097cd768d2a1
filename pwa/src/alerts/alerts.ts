/** The alerts that wait for me, and my answers to them. */
import { stamp } from '../clock';
import { record } from '../outbox';
import { all, get, watch } from '../rows';
import { whoIsIn } from '../self';
import type { Alert, AnswerKind, Id, Incident, Order, Recipient } from '../types';
import type { Readable } from 'svelte/store';
import { byText } from '../order';

export interface AlertView {
  alert: Alert;
  /** My own line on the alert; undefined for an alert I only watch. */
  mine: Recipient | undefined;
  incident: Incident | undefined;
  order: Order | undefined;
  waiting: boolean;
}

export interface AnswerDetails {
  eta_minutes?: number;
  reason?: string;
  read_back?: string;
}

const TYPES = ['alert', 'recipient', 'incident', 'order'] as const;
const URGENCY = { red: 0, orange: 1, yellow: 2, blue: 3 } as const;

/** Every alert addressed to me, those that wait first, the most urgent of them on top. */
export function myAlerts(): Readable<AlertView[] | undefined> {
  return watch(async () => {
    const [alerts, recipients] = await Promise.all([all('alert'), all('recipient')]);
    const me = whoIsIn();
    const mine = new Map(recipients.filter((one) => one.person === me).map((one) => [one.alert, one]));
    const views = await Promise.all(alerts.filter((one) => mine.has(one.id)).map((one) => view(one, mine.get(one.id))));
    return ordered(views);
  }, TYPES);
}

/** One alert; null when this phone has none by that id. */
export function alertOf(id: Id): Readable<AlertView | null | undefined> {
  return watch(async () => {
    const alert = await get('alert', id);
    if (!alert) return null;
    const me = whoIsIn();
    const recipients = await all('recipient');
    return view(
      alert,
      recipients.find((one) => one.alert === id && one.person === me),
    );
  }, TYPES);
}

/** Everybody the alert was for, as far as I may see. */
export function recipientsOf(alert: Id): Readable<Recipient[] | undefined> {
  return watch(async () => (await all('recipient')).filter((one) => one.alert === alert), ['recipient']);
}

/** Those that wait first unless told otherwise, then the most urgent, then the newest. */
export function ordered(views: readonly AlertView[], waitingFirst = true): AlertView[] {
  const rank = ({ waiting, alert }: AlertView): number =>
    (waiting || !waitingFirst ? 0 : 100) +
    (alert.critical ? 0 : 10) +
    (alert.level?.colour ? URGENCY[alert.level.colour] : 5);
  return [...views].sort((a, b) => rank(a) - rank(b) || byText(b.alert.issued_at, a.alert.issued_at));
}

/** The answers that make sense next; a correction may still choose any. */
export function nextAnswers(view: AlertView): AnswerKind[] {
  const offered = view.alert.answers.length ? view.alert.answers : ALL_ANSWERS;
  const wanted: AnswerKind[] = NEXT[view.mine?.answer ?? 'none'];
  return wanted.filter((kind) => offered.includes(kind) || kind === 'on_scene' || kind === 'need_help');
}

export const ALL_ANSWERS: AnswerKind[] = ['received', 'on_my_way', 'on_scene', 'need_help', 'cannot'];
const NEXT: Record<AnswerKind | 'none', AnswerKind[]> = {
  none: ['received', 'on_my_way', 'cannot'],
  received: ['on_my_way', 'on_scene', 'need_help', 'cannot'],
  on_my_way: ['on_scene', 'need_help', 'cannot'],
  on_scene: ['need_help'],
  need_help: ['on_scene'],
  cannot: ['on_my_way'],
};

/** Writes my answer down; resolves when the disk of this phone has it. */
export function answer(view: AlertView, kind: AnswerKind, details: AnswerDetails = {}): Promise<Id> {
  const at = stamp();
  const me = whoIsIn();
  return record({
    path: `/alerts/${view.alert.id}/answers/{id}`,
    body: { kind, ...details, occurred_at: at },
    optimistic: {
      type: 'recipient',
      id: view.mine?.id ?? view.alert.id,
      doc: {
        alert: view.alert.id,
        person: me,
        answer: kind,
        answered_at: at,
        answer_seen_at: null,
        eta_minutes: details.eta_minutes ?? null,
        reason: details.reason ?? null,
        silent: false,
      },
    },
  });
}

/** Records the answer somebody gave by radio or telephone. */
export function answerFor(alert: Id, recipient: Recipient, kind: AnswerKind, details: AnswerDetails = {}): Promise<Id> {
  const at = stamp();
  return record({
    path: `/alerts/${alert}/answers/{id}`,
    body: { kind, ...details, person: recipient.person, occurred_at: at },
    optimistic: {
      type: 'recipient',
      id: recipient.id,
      doc: {
        answer: kind,
        answered_at: at,
        eta_minutes: details.eta_minutes ?? null,
        reason: details.reason ?? null,
        silent: false,
      },
    },
  });
}

/** Tells command that I have looked at it; once per alert. */
export async function noteOpened(view: AlertView): Promise<void> {
  if (!view.mine || view.mine.opened_at || noted.has(view.alert.id)) return;
  noted.add(view.alert.id);
  const at = stamp();
  await record({
    path: `/alerts/${view.alert.id}/receipts/{id}`,
    body: { kind: 'opened', channel: 'app', occurred_at: at },
    optimistic: { type: 'recipient', id: view.mine.id, doc: { opened_at: at } },
  });
}

/** Tells a responder that a commander's screen has shown the answer. */
export async function noteAnswerSeen(recipient: Recipient): Promise<void> {
  if (!recipient.answer || recipient.answer_seen_at || recipient.pending || noted.has(`seen:${recipient.id}`)) return;
  noted.add(`seen:${recipient.id}`);
  const at = stamp();
  await record({
    path: `/recipients/${recipient.id}/sightings/{id}`,
    body: { occurred_at: at },
    optimistic: { type: 'recipient', id: recipient.id, doc: { answer_seen_at: at } },
  });
}

const noted = new Set<string>();

async function view(alert: Alert, mine: Recipient | undefined): Promise<AlertView> {
  const [incident, order] = await Promise.all([
    get('incident', alert.incident),
    alert.order ? get('order', alert.order) : undefined,
  ]);
  return { alert, mine, incident, order, waiting: alert.status === 'open' && !!mine && !mine.answer };
}
