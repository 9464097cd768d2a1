/** The drawing that places stand on: its size in units that words and pins are drawn in, and where its picture is. */
import { API } from '../queue';
import type { FloorPlan, Place } from '../types';

const WIDTH = 1000;

export function sizeOf(drawing: FloorPlan | null): { width: number; height: number } {
  if (!drawing) return { width: WIDTH, height: 700 };
  if (!drawing.picture) return { width: drawing.width, height: drawing.height };
  return { width: WIDTH, height: Math.round((WIDTH * drawing.height) / drawing.width) };
}

/** The drawing of the whole site, else of the first place that has one. */
export const drawingOf = (places: readonly Place[]): FloorPlan | null =>
  (places.find((one) => one.floor_plan && one.parent === null) ?? places.find((one) => one.floor_plan))?.floor_plan ??
  null;

/** The drawing that a place in `parent` is marked on: the nearest above it. */
export function drawingAbove(places: readonly Place[], parent: string | null): FloorPlan | null {
  const seen = new Set<string>();
  for (let at = parent; at && !seen.has(at);) {
    seen.add(at);
    const place = places.find((one) => one.id === at);
    if (place?.floor_plan) return place.floor_plan;
    at = place?.parent ?? null;
  }
  return null;
}

export const pictureOf = (drawing: FloorPlan | null): string | null =>
  drawing?.picture ? `${API}/floor-plans/${drawing.picture}` : null;
