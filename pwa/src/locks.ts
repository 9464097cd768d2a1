/** One at a time across tabs and worker, by Web Locks; where a browser has none, one at a time in this page. */

const chains = new Map<string, Promise<unknown>>();

/** Runs `work` while no other tab or worker runs work of this name; waits for its turn. */
export function exclusive<T>(name: string, work: () => Promise<T>): Promise<T> {
  if (typeof navigator !== 'undefined' && 'locks' in navigator && navigator.locks) {
    return navigator.locks.request(name, work) as Promise<T>;
  }
  const turn = (chains.get(name) ?? Promise.resolve()).then(work, work);
  chains.set(
    name,
    turn.catch(() => undefined),
  );
  return turn;
}

/** Many calls while one runs become one more run after it; every caller gets the result of a run that began after its call. */
export function coalesced<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | null = null;
  let again: Promise<T> | null = null;
  const start = (): Promise<T> => {
    const mine = work().finally(() => {
      if (running === mine) running = null;
    });
    running = mine;
    return mine;
  };
  return () => {
    if (!running) return start();
    again ??= running
      .catch(() => undefined)
      .then(() => {
        again = null;
        return start();
      });
    return again;
  };
}
