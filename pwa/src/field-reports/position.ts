/** Asking the phone where it is, once, without waiting long. */
import type { Position } from '../types';

const TIMEOUT_MS = 12_000;

/** The position with its accuracy in metres; `refused` without permission, `failed` when none came in time. */
export function locate(): Promise<Position | 'refused' | 'failed'> {
  if (!('geolocation' in navigator)) return Promise.resolve('failed');
  return new Promise((resolve) => {
    navigator.geolocation.getCurrentPosition(
      ({ coords }) =>
        resolve({ lat: round(coords.latitude), lon: round(coords.longitude), accuracy: Math.round(coords.accuracy) }),
      (error) => resolve(error.code === error.PERMISSION_DENIED ? 'refused' : 'failed'),
      { enableHighAccuracy: true, timeout: TIMEOUT_MS, maximumAge: 30_000 },
    );
  });
}

/** About 0.1 m: more digits say nothing. */
const round = (degrees: number): number => Math.round(degrees * 1e6) / 1e6;
