/** The second hand of every countdown: server time as far as this phone knows, one timer for the whole screen. */
import { now } from '../clock';

const hand = $state({ now: now() });

export const ticking = {
  /** Milliseconds; changes once a second. */
  get now(): number {
    return hand.now;
  },
};

function tick(): void {
  hand.now = now();
  setTimeout(tick, 1000 - (Date.now() % 1000));
}
if (typeof window !== 'undefined') tick();
