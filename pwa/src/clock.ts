/** The phone's idea of the server's time: its own clock plus the difference learnt from the server's answers. */

let skewMs = 0;
let uncertaintyMs = Number.POSITIVE_INFINITY;

/**
 * Learns the difference from one answer.
 * @param serverTime the server's time in the answer
 * @param sentAt phone time in ms when the request left
 * @param arrivedAt phone time in ms when the answer's head arrived
 */
export function learn(serverTime: string, sentAt: number, arrivedAt: number): void {
  const server = Date.parse(serverTime);
  const half = (arrivedAt - sentAt) / 2;
  if (Number.isNaN(server) || half < 0 || half > 15_000) return;
  const measured = server - (sentAt + half);
  const consistent = Math.abs(measured - skewMs) <= half + uncertaintyMs;
  // A slow answer that agrees with a sharper earlier one teaches nothing; one that disagrees means a clock was moved.
  if (consistent && half > uncertaintyMs) {
    uncertaintyMs += 1;
    return;
  }
  skewMs = measured;
  uncertaintyMs = half;
}

/** Takes over a difference stored earlier, so that a cold start without a network still counts limits rightly. */
export function restore(skew: number): void {
  skewMs = skew;
  uncertaintyMs = Number.POSITIVE_INFINITY;
}

/** Server minus phone, in ms; above two minutes the screen says that the phone's clock is off. */
export function skew(): number {
  return skewMs;
}

/** Server time in ms, as far as this phone knows. */
export function now(): number {
  return Date.now() + skewMs;
}

/** The time a fact happened, as it travels: `2026-11-22T08:03:00.123Z`. */
export function stamp(): string {
  return new Date(now()).toISOString();
}
