/** While the server is silent, a page that somebody looks at knocks every few seconds, so that everything flows again soon after it answers. */

import { call, Offline, Refused } from './api';
import { serverBack } from './flush';
import { connection, connectionNow } from './status';
import { sync } from './sync';

const FIRST_MS = 1_500;
const EVERY_MS = 4_000;
const ANSWER_MS = 4_000;
/** A server that answers knocks and nothing else is not pressed more often than so. */
const PRESS_EVERY_MS = 30_000;

/** Begins; returns how to stop. */
export function startKnocking(): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let knocking = false;
  let missed = false;
  let pressedAt = 0;

  const look = () => {
    if (knocking || timer !== undefined || !isLost()) return;
    timer = setTimeout(() => void knock(), about(FIRST_MS));
  };
  const knock = async () => {
    timer = undefined;
    if (!isLost()) return;
    knocking = true;
    const answered = await isThere();
    knocking = false;
    if (!answered) missed = true;
    else if (isLost() && (missed || Date.now() - pressedAt > PRESS_EVERY_MS)) {
      missed = false;
      pressedAt = Date.now();
      serverBack();
      void sync();
    }
    if (isLost() && !stopped) timer = setTimeout(() => void knock(), about(EVERY_MS));
  };

  let stopped = false;
  const stopLooking = connection.subscribe(look);
  document.addEventListener('visibilitychange', look);
  return () => {
    stopped = true;
    clearTimeout(timer);
    stopLooking();
    document.removeEventListener('visibilitychange', look);
  };
}

/** Nothing is heard, although there is a network and somebody is looking. */
function isLost(): boolean {
  const { online, serverSilent } = connectionNow();
  return (serverSilent || !online) && navigator.onLine !== false && document.visibilityState === 'visible';
}

async function isThere(): Promise<boolean> {
  try {
    await call('GET', '/health/live', { timeoutMs: ANSWER_MS });
    return true;
  } catch (error) {
    if (error instanceof Offline || error instanceof Refused) return false;
    throw error;
  }
}

/** So that five hundred phones do not knock in the same second. */
function about(ms: number): number {
  return ms * (0.75 + Math.random() / 2);
}
