/** The second hand of every countdown: server time as far as this phone knows, one timer for the whole screen. */
import { now } from '../clock';

const hand = $state({ now: now() });

export const ticking = {
  /** Milliseconds; changes once a second. */
  get now(): number {
    return hand.now;
  },
  /** The same by this phone's own clock. */
  get own(): number {
    void hand.now;
    return Date.now();
  },
};

/** Whole seconds, counted down, until a moment of this phone's own clock; 0 when there is none. */
export function secondsUntil(at: number | null): number {
  return at === null ? 0 : Math.ceil((at - ticking.own) / 1000);
}

function tick(): void {
  hand.now = now();
  setTimeout(tick, 1000 - (Date.now() % 1000));
}
if (typeof window !== 'undefined') tick();
