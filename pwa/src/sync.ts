/** `sync()`: sends the queue, then catches up; every reason to do so, in a page or in the worker, ends here. */

import { store, StoreUnavailable, type Store } from './db';
import { flush, type Outcome } from './flush';
import { coalesced } from './locks';
import { pull } from './pull';
import { uploadWaiting } from './uploads';

const ROUNDS = 3;
let eager = false;
let timer: ReturnType<typeof setTimeout> | null = null;

/** Calls while one runs are one more run after it. An `eager` call tries at once even after a lost connection. */
export function sync(why: { eager: boolean } = { eager: true }): Promise<Outcome> {
  eager ||= why.eager;
  return run();
}

const run = coalesced(async (): Promise<Outcome> => {
  const mine = store();
  if (!mine) return { state: 'done', retryAt: null };
  const tryNow = eager;
  eager = false;
  try {
    return await exchange(mine, tryNow);
  } catch (error) {
    // The person left this phone meanwhile: there is nothing more to send for them.
    if (leftBehind(mine, error)) return { state: 'done', retryAt: null };
    throw error;
  }
});

async function exchange(mine: Store, tryNow: boolean): Promise<Outcome> {
  let outcome: Outcome = { state: 'again', retryAt: null };
  for (let round = 0; outcome.state === 'again' && round < ROUNDS; round++) {
    outcome = await flush(mine, tryNow);
    if (outcome.state !== 'done') break;
    const caughtUp = await pull(mine);
    if (caughtUp.state !== 'done') outcome = caughtUp;
  }
  if (outcome.retryAt !== null) comeBack(outcome.retryAt);
  // Also when the store is too full to catch up: photos that have arrived make room.
  if (outcome.state === 'done' || outcome.state === 'full') {
    uploadWaiting(mine).catch((error: unknown) => {
      if (!leftBehind(mine, error)) reportError(error);
    });
  }
  return outcome;
}

function leftBehind(mine: Store, error: unknown): boolean {
  return error instanceof StoreUnavailable && (mine.left || store() !== mine);
}

function comeBack(at: number): void {
  if (timer !== null) clearTimeout(timer);
  timer = setTimeout(
    () => {
      timer = null;
      void sync();
    },
    Math.max(50, at - Date.now()),
  );
}
