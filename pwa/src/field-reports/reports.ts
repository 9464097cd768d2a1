/** Field reports: the chains of an incident, the draft a person is writing, and sending it. */
import { stamp } from '../clock';
import { draftOf, dropDraft, keepDraft } from '../drafts';
import { newId } from '../ids';
import { record, recordTogether, type Fact } from '../outbox';
import { all, get, watch } from '../rows';
import { whoIsIn } from '../self';
import type { Id, Incident, PhotoRef, Plan, Position, Report } from '../types';
import type { Readable } from 'svelte/store';
import { byText } from '../order';

export const REPORT_TYPES = [
  'fault',
  'crowd',
  'injury',
  'fire',
  'leak',
  'power',
  'security',
  'weather',
  'facility',
  'status',
  'other',
];
/** Types that tell nothing without words, a picture or a number. */
const VAGUE: ReadonlySet<string | null> = new Set(['status', 'other']);
export const COUNTS = ['injured', 'missing', 'dead', 'affected'];

/** The form as it stands, kept at every change under one key, so that a killed page loses nothing. */
export interface Draft {
  type: string | null;
  /** An incident it belongs to; null to raise a new one or to stand alone. */
  incident: Id | null;
  raise: boolean;
  plan: string | null;
  chain: Report['chain'];
  previous: Id | null;
  place: Id | null;
  position: Position | null;
  text: string;
  counts: Record<string, number>;
  photos: PhotoRef[];
}

export const emptyDraft = (): Draft => ({
  type: null,
  incident: null,
  raise: true,
  plan: null,
  chain: 'first',
  previous: null,
  place: null,
  position: null,
  text: '',
  counts: {},
  photos: [],
});

const KEY = 'report';
export const keepReport = (draft: Draft): Promise<void> => keepDraft(KEY, draft);
export const dropReport = (): Promise<void> => dropDraft(KEY);
export const draftReport = (): Promise<Draft | undefined> => draftOf<Draft>(KEY);

export function isEmpty(draft: Draft): boolean {
  return (
    draft.type === null &&
    draft.text === '' &&
    draft.photos.length === 0 &&
    Object.values(draft.counts).every((n) => !n)
  );
}

/** The newest first; of one incident, or all I may see. */
export function reports(incident?: Id): Readable<Report[] | undefined> {
  return watch(
    async () =>
      (await all('report'))
        .filter((one) => incident === undefined || one.incident === incident)
        .sort((a, b) => byText(b.occurred_at, a.occurred_at)),
    ['report'],
  );
}

export function myReports(): Readable<Report[]> {
  return watch(
    async () =>
      (await all('report')).filter((one) => one.by === whoIsIn()).sort((a, b) => byText(b.occurred_at, a.occurred_at)),
    ['report'],
    [],
  );
}

/** A report with its chain, the first one first; null when this phone has none by that id. */
export function reportOf(
  id: Id,
): Readable<
  { report: Report; chain: Report[]; incident: Incident | undefined; plan: Plan | undefined } | null | undefined
> {
  return watch(async () => {
    const report = await get('report', id);
    if (!report) return null;
    const incident = report.incident ? await get('incident', report.incident) : undefined;
    const plan = incident && (await all('plan')).find((one) => one.id === incident.plan || one.key === incident.plan);
    return { report, chain: chainOf(report, await all('report')), incident, plan };
  }, ['report', 'incident', 'plan']);
}

/** All reports linked by `previous` in either direction, by time. */
export function chainOf(report: Report, all: readonly Report[]): Report[] {
  const linked = new Set([report.id]);
  let grew = true;
  while (grew) {
    grew = false;
    for (const one of all) {
      const joins =
        (one.previous !== null && linked.has(one.previous)) ||
        all.some((other) => linked.has(other.id) && other.previous === one.id);
      if (joins && !linked.has(one.id)) {
        linked.add(one.id);
        grew = true;
      }
    }
  }
  return all.filter((one) => linked.has(one.id)).sort((a, b) => byText(a.occurred_at, b.occurred_at));
}

/** Others that follow the same report: two people wrote on without knowing of each other, and both versions stand. */
export function besides(report: Report, chain: readonly Report[]): Report[] {
  return chain.filter((one) => one.id !== report.id && one.previous !== null && one.previous === report.previous);
}

export interface ReportChoices {
  incidents: Incident[];
  plans: Plan[];
}

/** The categories of plan that a kind of report is most likely about, the likeliest first. */
const LIKELY: Record<string, string[]> = {
  fault: ['ticketing', 'network', 'information_system', 'call_centre', 'service_hall'],
  crowd: ['crowd'],
  injury: ['medical', 'food'],
  fire: ['fire', 'kitchen'],
  leak: ['gas'],
  power: ['information_system', 'network'],
  security: ['security'],
  facility: ['heating', 'transport'],
};

/** The plan to propose for a kind of report; null when none is likely. */
export function planFor(type: string, plans: readonly Plan[]): string | null {
  for (const category of LIKELY[type] ?? []) {
    const found = plans.find((one) => one.category === category);
    if (found) return found.key;
  }
  return null;
}

const runs = (one: Incident): boolean => !['ended', 'reviewed', 'dismissed'].includes(one.status);

/** The incident a report surely belongs to: the only one that runs; null when there are none or several. */
export async function onlyIncident(): Promise<Id | null> {
  const running = (await all('incident')).filter(runs);
  return running.length === 1 ? (running[0]?.id ?? null) : null;
}

/** What a report may be attached to. */
export function reportChoices(): Readable<ReportChoices> {
  return watch(
    async () => ({
      incidents: (await all('incident')).filter(runs),
      plans: (await all('plan')).filter((one) => one.status === 'approved'),
    }),
    ['incident', 'plan'],
    { incidents: [], plans: [] },
  );
}

/** Whether command could make nothing of it: "something else", and no more. */
export function saysNothing(draft: Draft): boolean {
  const counted = Object.values(draft.counts).some((n) => n > 0);
  return VAGUE.has(draft.type) && !draft.text.trim() && draft.photos.length === 0 && !counted;
}

/**
 * Sends the draft: the incident it raises when asked to, then the report that belongs to it, kept as a whole. Returns the
 * report's id.
 */
export function send(draft: Draft, title: string): Promise<Id> {
  const at = stamp();
  const raises = draft.incident === null && draft.raise ? raised(draft, title, at) : null;
  const incident = draft.incident ?? raises?.id ?? null;
  return recordTogether([...(raises ? [raises] : []), reported(draft, incident, at)]);
}

function reported(draft: Draft, incident: Id | null, at: string): Fact {
  const body: Record<string, unknown> = { chain: draft.chain, type: draft.type ?? 'other', occurred_at: at };
  const counts = Object.fromEntries(Object.entries(draft.counts).filter(([, n]) => n > 0));
  if (incident) body['incident'] = incident;
  if (draft.previous) body['previous'] = draft.previous;
  if (draft.place) body['place'] = draft.place;
  if (draft.position) body['position'] = draft.position;
  if (draft.text.trim()) body['text'] = draft.text.trim();
  if (Object.keys(counts).length) body['counts'] = counts;
  if (draft.photos.length) body['photos'] = draft.photos;
  return {
    path: '/reports/{id}',
    body,
    photos: draft.photos.map((one) => one.id),
    draft: KEY,
    optimistic: {
      type: 'report',
      id: '{id}',
      doc: {
        incident: null,
        previous: null,
        place: null,
        position: null,
        text: null,
        counts: {},
        fields: {},
        struck: null,
        ...body,
        photos: draft.photos.map((one) => ({ ...one, state: 'waiting' })),
        by: whoIsIn(),
      },
    },
  };
}

function raised(draft: Draft, title: string, at: string): Fact & { id: Id } {
  const body: Record<string, unknown> = { title, occurred_at: at };
  if (draft.plan) body['plan'] = draft.plan;
  if (draft.place) body['place'] = draft.place;
  if (draft.position) body['position'] = draft.position;
  if (draft.text.trim()) body['text'] = draft.text.trim();
  return {
    id: newId(),
    path: '/incidents/{id}',
    body,
    optimistic: {
      type: 'incident',
      id: '{id}',
      doc: {
        title,
        plan: draft.plan,
        plan_version: null,
        status: 'reported',
        level: null,
        drill: false,
        place: draft.place,
        started_at: at,
        activated_at: null,
        restored_at: null,
        ended_at: null,
        teams: [],
        by: whoIsIn(),
        occurred_at: at,
      },
    },
  };
}

export function strike(report: Report, reason: string): Promise<Id> {
  const at = stamp();
  return record({
    path: `/reports/${report.id}/strikes/{id}`,
    body: { reason, occurred_at: at },
    optimistic: { type: 'report', id: report.id, doc: { struck: { reason, by: whoIsIn(), at } } },
  });
}

/** Tells the reporter that a commander's screen has shown the report; once. */
export async function noteSeen(report: Report): Promise<void> {
  if (report.seen_at || report.pending || report.by === whoIsIn() || noted.has(report.id)) return;
  noted.add(report.id);
  const at = stamp();
  await record({
    path: `/reports/${report.id}/sightings/{id}`,
    body: { occurred_at: at },
    optimistic: { type: 'report', id: report.id, doc: { seen_at: at } },
  });
}

const noted = new Set<string>();
