/** What the office keeps beside people: places with their floor plans, stock, and the ladder; online only. */
import { call } from '../api';
import { newId } from '../ids';
import { encoded, JPEG, shrunk } from '../pictures';
import { all, watch } from '../rows';
import { sync } from '../sync';
import type { FloorPlan, Id, Place, Supply, Words } from '../types';
import type { Readable } from 'svelte/store';

export { problemOf, type Problem } from '../online';

export const KINDS = ['site', 'area', 'gate', 'hall', 'room', 'point'] as const;
export type PlaceKind = (typeof KINDS)[number];
export const places = (): Readable<Place[] | undefined> => watch(async () => all('place'), ['place']);
export const stock = (): Readable<Supply[] | undefined> =>
  watch(async () => (await all('supply')).sort((a, b) => (a.key ?? '').localeCompare(b.key ?? '')), ['supply']);

export interface PlaceLine {
  place: Place;
  depth: number;
}

/** Every place below the one it lies in; those in `without` and what lies in it are left out. */
export function tree(list: readonly Place[], without: Id | null = null): PlaceLine[] {
  const known = new Set(list.map((one) => one.id));
  const inside = (parent: Id | null, depth: number): PlaceLine[] =>
    list
      .filter((one) => (one.parent && known.has(one.parent) ? one.parent : null) === parent && one.id !== without)
      .sort((a, b) => a.code.localeCompare(b.code))
      .flatMap((place) => [{ place, depth }, ...inside(place.id, depth + 1)]);
  return inside(null, 0);
}

export type PlaceRecord = Omit<Place, 'id' | 'floor_plan'>;

export async function savePlace(id: Id | null, record: PlaceRecord): Promise<Id> {
  const key = id ?? newId();
  await call('PUT', `/places/${key}`, { body: record });
  await sync();
  return key;
}

const LONGEST = 2048;
const QUALITY = 0.88;
const UPLOAD_MS = 120_000;

/** Makes the picture small enough for any link and keeps it as the place's floor plan. Raises `PictureUnreadable`, `Offline` or `Refused`. */
export async function saveFloorPlan(place: Id, file: Blob): Promise<FloorPlan> {
  // A drawing with a clear ground is meant for white paper.
  const data = await encoded(await shrunk(file, LONGEST, '#fff'), QUALITY);
  const drawing = await call<FloorPlan>('PUT', `/places/${place}/floor-plan`, {
    raw: { data, headers: { 'Content-Type': JPEG } },
    timeoutMs: UPLOAD_MS,
  });
  await sync();
  return drawing;
}

export async function removeFloorPlan(place: Id): Promise<void> {
  await call('DELETE', `/places/${place}/floor-plan`);
  await sync();
}

export interface SupplyRecord {
  key: string;
  title: Words;
  unit: Words;
  place: Id | null;
  quantity: number;
  minimum: number;
  serial: boolean;
  expires_at: string | null;
  numbers?: Range[];
}
export interface Range {
  first: number;
  last: number;
}

export async function saveSupply(id: Id | null, record: SupplyRecord): Promise<void> {
  await call('PUT', `/supplies/${id ?? newId()}`, { body: record });
  await sync();
}

/** `100001-105000`, one range a line, full-width digits and dashes understood; the number of the first line that is none. */
export function rangesIn(text: string): Range[] | number {
  const found: Range[] = [];
  for (const [n, line] of text.split('\n').entries()) {
    const plain = line.normalize('NFKC').trim();
    if (!plain) continue;
    const parts = /^(\d{1,10})\s*[-–—~至到]\s*(\d{1,10})$/.exec(plain);
    if (!parts || Number(parts[2]) < Number(parts[1])) return n + 1;
    found.push({ first: Number(parts[1]), last: Number(parts[2]) });
  }
  return found;
}

export const rangesOf = (supply: Pick<Supply, 'serials'>): string =>
  supply.serials
    .filter((one) => one.state === 'stock')
    .sort((a, b) => a.from - b.from)
    .map((one) => `${one.from}-${one.to}`)
    .join('\n');

export const CHANNELS = ['push', 'robot', 'sms', 'voice', 'email', 'other'] as const;
export type Channel = (typeof CHANNELS)[number];
export const STAGES = ['delivered', 'opened', 'answered'] as const;
export interface LadderStep {
  after_seconds: number;
  unless: (typeof STAGES)[number];
  by: Channel[];
  deputy: boolean;
  call_list: boolean;
}
export interface Ladder {
  steps: LadderStep[];
  after_received_seconds: number | null;
  after_on_my_way_seconds: number | null;
}
/** The ladder in force, whether it is the organisation's own, and which channels are set up. */
export interface LadderNow {
  ladder: Ladder;
  own: boolean;
  channels: Channel[];
  dry_run: boolean;
}

export const ladderNow = (): Promise<LadderNow> => call<LadderNow>('GET', '/organisation/ladder');

/** Keeps it, its steps in the order of their times. Raises `Offline` or `Refused`. */
export async function saveLadder(ladder: Ladder): Promise<void> {
  const steps = [...ladder.steps].sort((a, b) => a.after_seconds - b.after_seconds);
  await call('PUT', '/organisation/ladder', { body: { ...ladder, steps } });
}
