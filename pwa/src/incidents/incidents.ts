/** Incidents with their limits, decisions, orders and timeline, and what a person may do to them. */
import { now, stamp } from '../clock';
import { newId } from '../ids';
import { record } from '../outbox';
import { all, get, watch } from '../rows';
import { whoIsIn } from '../self';
import type {
  BackEntry,
  Checklist,
  Decision,
  DecisionKind,
  Entry,
  Id,
  Incident,
  Fact,
  Limit,
  Mode,
  Order,
  Plan,
  Position,
  Proposal,
  Recipient,
} from '../types';
import { byUrgency } from '../ui/limits';
import type { Readable } from 'svelte/store';
import { levelsOf } from './plan-words';
import { byText } from '../order';

export * from './plan-words';

export interface IncidentLine {
  incident: Incident;
  next: Limit | undefined;
}

export interface IncidentView {
  incident: Incident;
  plan: Plan | undefined;
  limits: Limit[];
  decisions: Decision[];
  /** Those that wait. */
  proposals: Proposal[];
  /** Every level the plan ever proposed here, the newest first. */
  proposed: Proposal[];
  orders: Order[];
  modes: Mode[];
  back_entries: BackEntry[];
  /** The newest first. */
  facts: Fact[];
}

const CLOSED = new Set(['ended', 'reviewed', 'dismissed']);
export const isOpen = (incident: Incident): boolean => !CLOSED.has(incident.status);

const COLOURS = { red: 0, orange: 1, yellow: 2, blue: 3 } as const;

/** Open ones first by level, then the newest. */
export function incidents(): Readable<IncidentLine[] | undefined> {
  return watch(async () => {
    const [list, limits] = await Promise.all([all('incident'), all('limit')]);
    return sorted(list).map((incident) => ({
      incident,
      next: byUrgency(limits.filter((one) => one.incident === incident.id && one.status === 'running'))[0],
    }));
  }, ['incident', 'limit']);
}

export function sorted(list: readonly Incident[]): Incident[] {
  const rank = (one: Incident): number => (isOpen(one) ? 0 : 10) + (one.level?.colour ? COLOURS[one.level.colour] : 4);
  return [...list].sort((a, b) => rank(a) - rank(b) || byText(b.started_at, a.started_at));
}

/** Limits that run on incidents I can see, the most pressing first. */
export function runningLimits(): Readable<{ limit: Limit; incident: Incident }[] | undefined> {
  return watch(async () => {
    const [list, limits] = await Promise.all([all('incident'), all('limit')]);
    const open = new Map(list.filter(isOpen).map((one) => [one.id, one]));
    return byUrgency(limits).flatMap((limit) => {
      const incident = open.get(limit.incident);
      return incident && (limit.status === 'running' || limit.status === 'passed') ? [{ limit, incident }] : [];
    });
  }, ['incident', 'limit']);
}

/** Everything the incident screen stands on; null when this phone has no such incident. */
export function incidentOf(id: Id): Readable<IncidentView | null | undefined> {
  return watch(async () => {
    const incident = await get('incident', id);
    if (!incident) return null;
    const own = <T extends { incident: Id | null }>(list: T[]): T[] => list.filter((one) => one.incident === id);
    const [plans, limits, decisions, proposals, orders, modes, entries, facts] = await Promise.all([
      all('plan'),
      all('limit'),
      all('decision'),
      all('proposal'),
      all('order'),
      all('mode'),
      all('back_entry'),
      all('fact'),
    ]);
    return {
      incident,
      plan: plans.find((one) => one.id === incident.plan || one.key === incident.plan),
      limits: byUrgency(own(limits)),
      decisions: own(decisions).sort(newestFirst),
      proposals: own(proposals).filter((one) => one.status === 'open'),
      proposed: own(proposals)
        .filter((one) => one.kind === 'level')
        .sort((a, b) => byText(b.made_at, a.made_at)),
      orders: own(orders).sort((a, b) => byText(a.issued_at, b.issued_at)),
      modes: own(modes).sort(newestFirst),
      back_entries: own(entries),
      facts: own(facts).sort(newestFirst),
    };
  }, ['incident', 'plan', 'limit', 'decision', 'proposal', 'order', 'mode', 'back_entry', 'fact']);
}

/** The newest line first. */
export function timelineOf(incident: Id): Readable<Entry[] | undefined> {
  return watch(
    async () =>
      (await all('entry'))
        .filter((one) => one.incident === incident)
        .sort((a, b) => (b.seq ?? Infinity) - (a.seq ?? Infinity) || byText(b.occurred_at, a.occurred_at)),
    ['entry'],
  );
}

export function orderOf(
  id: Id,
): Readable<
  { order: Order; incident: Incident | undefined; recipients: Recipient[]; lists: Checklist[] } | null | undefined
> {
  return watch(async () => {
    const order = await get('order', id);
    if (!order) return null;
    const [incident, recipients, lists] = await Promise.all([
      get('incident', order.incident),
      all('recipient'),
      all('checklist'),
    ]);
    return {
      order,
      incident,
      recipients: recipients.filter((one) => one.alert === order.alert),
      // People of several teams who are ordered by hand have one each.
      lists: lists.filter((one) => one.id === order.checklist || one.key === `order-${order.id}`),
    };
  }, ['order', 'incident', 'recipient', 'checklist']);
}

/** Where an alert lies as a CAP message. */
export const capOf = (alert: Id): string => `/api/v1/alerts/${alert}/cap`;

export const approvedPlans = (): Readable<Plan[]> =>
  watch(async () => (await all('plan')).filter((one) => one.status === 'approved'), ['plan'], []);

/** The decisions that make sense in this state, the expected one first. */
export function possibleDecisions(incident: Incident, plan: Plan | undefined): DecisionKind[] {
  if (isOpen(incident) && newerRevision(incident, plan)) return [...possibleUnder(incident, plan), 'revise'];
  return possibleUnder(incident, plan);
}

/** The version in use when it is newer than the one this incident runs under. */
export const newerRevision = (incident: Incident, plan: Plan | undefined): number | null =>
  plan?.status === 'approved' &&
  plan.revision_status !== 'draft' &&
  incident.plan_version !== null &&
  plan.version > incident.plan_version
    ? plan.version
    : null;

function possibleUnder(incident: Incident, plan: Plan | undefined): DecisionKind[] {
  const manual = plan?.rules['manual'] !== undefined && plan?.rules['manual'] !== null;
  return inState(incident).filter(
    (kind) =>
      (kind !== 'level' || levelsOf(plan).length > 0) &&
      (kind !== 'fallback' || manual || plan === undefined) &&
      (kind !== 'stand_down' || incident.teams.length > 0),
  );
}

function inState(incident: Incident): DecisionKind[] {
  switch (incident.status) {
    case 'reported':
      return ['verify', 'activate', 'dismiss', 'decline', 'level'];
    case 'verified':
    case 'warning':
      return ['activate', 'decline', 'level', 'restore', 'dismiss', 'evacuate', 'stand_down'];
    case 'activated':
      return ['restore', 'level', 'fallback', 'evacuate', 'stand_down', 'end'];
    case 'restored':
      return ['end', 'resume', 'level', 'stand_down'];
    default:
      return [];
  }
}

export interface DecisionDetails {
  scale?: string | undefined;
  level?: string | undefined;
  plan?: string | undefined;
  limit?: Id | undefined;
  seconds?: number | undefined;
  reason?: string | undefined;
  team?: Id | undefined;
}

export function decide(incident: Incident, kind: DecisionKind, details: DecisionDetails = {}): Promise<Id> {
  const at = stamp();
  const { reason, ...about } = details;
  const subject = Object.fromEntries(Object.entries(about).filter(([, value]) => value !== undefined && value !== ''));
  return record({
    path: `/incidents/${incident.id}/decisions/{id}`,
    body: { kind, ...subject, ...(reason ? { reason } : {}), occurred_at: at },
    optimistic: {
      type: 'decision',
      id: '{id}',
      doc: { incident: incident.id, kind, subject, reason: reason ?? null, by: whoIsIn(), occurred_at: at },
    },
  });
}

/** A named or measured fact: `service.restored`, `gas.lel_percent` with its value. */
export function recordFact(
  incident: Id,
  fact: { key: string; value?: number | string | boolean; unit?: string; note?: string },
): Promise<Id> {
  const at = stamp();
  return record({
    path: `/incidents/${incident}/facts/{id}`,
    body: { ...fact, occurred_at: at },
    optimistic: {
      type: 'fact',
      id: '{id}',
      doc: { value: null, unit: null, note: null, ...fact, incident, by: whoIsIn(), occurred_at: at },
    },
  });
}

export function log(incident: Id, text: string): Promise<Id> {
  const at = stamp();
  return record({
    path: `/incidents/${incident}/entries/{id}`,
    body: { text, occurred_at: at },
    optimistic: {
      type: 'entry',
      id: '{id}',
      doc: { incident, kind: 'note', text: { zh: text, en: text }, by: whoIsIn(), occurred_at: at },
    },
  });
}

export interface OrderByHand {
  incident: Id;
  team: Id;
  title: string;
  text: string;
  critical: boolean;
  read_back: boolean;
  due_minutes?: number | undefined;
  /** How many must answer within so many minutes, and the team asked next when too few do. */
  quorum?: { need: number; within_minutes: number; next: Id[] } | undefined;
}

export function orderByHand({ due_minutes, quorum, ...order }: OrderByHand): Promise<Id> {
  const at = stamp();
  const due_at = due_minutes ? new Date(now() + due_minutes * 60_000).toISOString() : null;
  const words = (text: string) => ({ zh: text, en: text });
  return record({
    path: '/orders/{id}',
    body: { ...order, ...(due_at ? { due_at } : {}), ...(quorum ? { quorum } : {}), occurred_at: at },
    optimistic: {
      type: 'order',
      id: '{id}',
      doc: {
        ...order,
        title: words(order.title),
        text: words(order.text),
        clause: null,
        checklist: null,
        kind: 'manual',
        issued_at: at,
        due_at,
      },
    },
  });
}

export interface NewIncident {
  title: string;
  plan?: string | undefined;
  trigger?: string | undefined;
  place?: Id | undefined;
  position?: Position | undefined;
  text?: string | undefined;
  drill?: boolean | undefined;
}

/** Raises an incident; returns its id at once, so that a report can be attached to it. */
export async function raise(incident: NewIncident): Promise<Id> {
  const id = newId();
  const at = stamp();
  const body = Object.fromEntries(Object.entries(incident).filter(([, value]) => value !== undefined && value !== ''));
  await record({
    id,
    path: '/incidents/{id}',
    body: { ...body, occurred_at: at },
    optimistic: {
      type: 'incident',
      id: '{id}',
      doc: {
        title: incident.title,
        plan: incident.plan ?? null,
        plan_version: null,
        status: 'reported',
        level: null,
        drill: incident.drill ?? false,
        place: incident.place ?? null,
        started_at: at,
        activated_at: null,
        restored_at: null,
        ended_at: null,
        teams: [],
        by: whoIsIn(),
        occurred_at: at,
      },
    },
  });
  return id;
}

export function switchMode(incident: Id, tier: string, to: 'manual' | 'normal', note?: string): Promise<Id> {
  const at = stamp();
  return record({
    path: `/incidents/${incident}/modes/{id}`,
    body: { tier, to, ...(note ? { note } : {}), occurred_at: at },
    optimistic: { type: 'mode', id: '{id}', doc: { incident, tier, to, by: whoIsIn(), occurred_at: at } },
  });
}

export function openBackEntry(incident: Id, tier: string, title: string, quantity: number): Promise<Id> {
  const at = stamp();
  return record({
    path: `/incidents/${incident}/back-entries/{id}`,
    body: { tier, title, quantity, occurred_at: at },
    optimistic: {
      type: 'back_entry',
      id: '{id}',
      doc: { incident, tier, title, key: null, quantity, remaining: quantity, counted_at: at, due_at: null },
    },
  });
}

/** How much was written on paper in all, also anew as it grows. */
export function countBackEntry(entry: BackEntry, quantity: number): Promise<Id> {
  const at = stamp();
  const remaining = Math.max(0, quantity - (entry.quantity - entry.remaining));
  return record({
    path: `/back-entries/${entry.id}/counts/{id}`,
    body: { quantity, occurred_at: at },
    optimistic: { type: 'back_entry', id: entry.id, doc: { quantity, remaining, counted_at: at } },
  });
}

export function completeBackEntry(entry: BackEntry, quantity: number): Promise<Id> {
  return record({
    path: `/back-entries/${entry.id}/completions/{id}`,
    body: { quantity, occurred_at: stamp() },
    optimistic: { type: 'back_entry', id: entry.id, doc: { remaining: Math.max(0, entry.remaining - quantity) } },
  });
}

function newestFirst(a: { occurred_at?: string }, b: { occurred_at?: string }): number {
  return byText(b.occurred_at, a.occurred_at);
}
