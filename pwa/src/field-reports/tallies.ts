/** Counting visitors at a gate: taps gather on the phone and are written down as one fact per window. */
import { stamp } from '../clock';
import { draftOf, dropDraft, keepDraft } from '../drafts';
import { record } from '../outbox';
import { all, watch } from '../rows';
import { whoIsIn } from '../self';
import type { Id, Place, Tally } from '../types';
import type { Readable } from 'svelte/store';
import { byText } from '../order';

export const WINDOW_SECONDS = 30;

export interface GateCount {
  in: number;
  out: number;
  /** The last time somebody counted everyone present, if later than the sums. */
  present: number | null;
}

export const tallies = (): Readable<Tally[]> =>
  watch(async () => (await all('tally')).sort((a, b) => byText(b.occurred_at, a.occurred_at)), ['tally'], []);

/** Places where people are counted: gates first. */
export function countingPlaces(places: Iterable<Place>): Place[] {
  const rank = { gate: 0, hall: 1, area: 2, site: 3, room: 4, point: 5 };
  return [...places].sort((a, b) => rank[a.kind] - rank[b.kind] || byText(a.code, b.code));
}

/** Sums of a place today; a count of those present starts the sum anew from that moment. */
export function countAt(place: Id, list: readonly Tally[], since: string): GateCount {
  const own = list.filter((one) => one.place === place && (one.occurred_at ?? '') >= since);
  const sum = (kind: Tally['kind'], after = ''): number =>
    own
      .filter((one) => one.kind === kind && (one.occurred_at ?? '') > after)
      .reduce((total, one) => total + one.count, 0);
  const counted = own.filter((one) => one.kind === 'present').sort((a, b) => byText(b.occurred_at, a.occurred_at))[0];
  const after = counted?.occurred_at ?? '';
  return {
    in: sum('in'),
    out: sum('out'),
    present: counted ? Math.max(0, counted.count + sum('in', after) - sum('out', after)) : null,
  };
}

export type Way = 'in' | 'out';
interface Counted {
  place: Id;
  n: number;
}
const draftKey = (kind: Way): string => `tally:${kind}`;

/** Keeps what was tapped at a gate and is not yet written down as a fact. */
export function keepCounted(kind: Way, place: Id, n: number): Promise<void> {
  return n === 0 ? dropDraft(draftKey(kind)) : keepDraft(draftKey(kind), { place, n } satisfies Counted);
}

/** What was tapped before the app was ended. */
export async function counted(): Promise<{ place: Id | null; in: number; out: number }> {
  const [came, went] = await Promise.all([draftOf<Counted>(draftKey('in')), draftOf<Counted>(draftKey('out'))]);
  return { place: came?.place ?? went?.place ?? null, in: came?.n ?? 0, out: went?.n ?? 0 };
}

export function count(place: Id, kind: Tally['kind'], n: number, incident: Id): Promise<Id> {
  const at = stamp();
  const body = {
    place,
    kind,
    count: n,
    incident,
    ...(kind === 'in' || kind === 'out' ? { window_seconds: WINDOW_SECONDS } : {}),
    occurred_at: at,
  };
  return record({
    path: '/tallies/{id}',
    body,
    // In the same transaction, so that a killed app neither loses what was counted nor counts it twice.
    ...(kind === 'in' || kind === 'out' ? { draft: draftKey(kind) } : {}),
    optimistic: { type: 'tally', id: '{id}', doc: { window_seconds: null, ...body, by: whoIsIn() } },
  });
}
