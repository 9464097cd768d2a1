/** Where places and reports stand on a plan of unit size: by pin where there is one, else by coordinates. */
import type { Id, Place, Report, Words } from '../types';

export interface Spot {
  id: Id;
  title: Words;
  /** 0 to 1 from the left and from the top. */
  x: number;
  y: number;
  here: boolean;
  reports: Id[];
}

export function laidOut(places: readonly Place[], reports: readonly Report[], at: Id | null, inset = false): Spot[] {
  const shown = places.filter((one) => one.kind !== 'site');
  const pinned = shown.filter((one) => one.plan_pin);
  const located = shown.filter((one) => one.lat !== null && one.lon !== null);
  const byPin = pinned.length >= located.length;
  const base = byPin ? pinned : located;
  const project = projection(
    byPin ? [] : [...located.map(point), ...reports.flatMap((one) => (one.position ? [one.position] : []))],
  );
  const spots = base.map((one): Spot => {
    const { x, y } = byPin && one.plan_pin ? unit(one.plan_pin) : project(point(one));
    return { id: one.id, title: one.title, x, y, here: one.id === at, reports: [] };
  });
  const known = new Map(spots.map((one) => [one.id, one]));
  for (const report of reports) {
    const spot = report.place ? known.get(report.place) : undefined;
    if (spot) spot.reports.push(report.id);
    else if (!byPin && report.position)
      spots.push({
        id: report.id,
        title: { zh: '', en: '' },
        ...project(report.position),
        here: false,
        reports: [report.id],
      });
  }
  // Coordinates fill the whole ground; a margin keeps the outermost pins inside it.
  return inset && !byPin ? spots.map((one) => ({ ...one, x: 0.08 + one.x * 0.84, y: 0.14 + one.y * 0.74 })) : spots;
}

/** Spots whose name has room: the place of the incident and places with reports first, then the rest where nothing is covered. */
export function labelled(spots: readonly Spot[], letters: (spot: Spot) => number): ReadonlySet<Id> {
  const taken: { x: number; y: number; half: number }[] = [];
  const named = new Set<Id>();
  const weight = (one: Spot): number => (one.here ? 2 : 0) + (one.reports.length ? 1 : 0);
  for (const one of [...spots].sort((a, b) => weight(b) - weight(a))) {
    const half = (letters(one) * 0.034) / 2;
    if (!half) continue;
    const covers = taken.some(
      (other) => Math.abs(other.x - one.x) < other.half + half && Math.abs(other.y - one.y) < 0.075,
    );
    if (covers) continue;
    taken.push({ x: one.x, y: one.y, half });
    named.add(one.id);
  }
  return named;
}

const point = (place: Place): { lat: number; lon: number } => ({ lat: place.lat ?? 0, lon: place.lon ?? 0 });

/** Pins may be fractions or percent. */
function unit(pin: { x: number; y: number }): { x: number; y: number } {
  const by = pin.x > 1 || pin.y > 1 ? 100 : 1;
  return { x: Math.min(1, pin.x / by), y: Math.min(1, pin.y / by) };
}

function projection(
  points: { lat: number; lon: number }[],
): (at: { lat: number; lon: number }) => { x: number; y: number } {
  const west = Math.min(...points.map((one) => one.lon));
  const east = Math.max(...points.map((one) => one.lon));
  const north = Math.max(...points.map((one) => one.lat));
  const south = Math.min(...points.map((one) => one.lat));
  return ({ lat, lon }) => ({
    x: east > west ? (lon - west) / (east - west) : 0.5,
    y: north > south ? (north - lat) / (north - south) : 0.5,
  });
}
