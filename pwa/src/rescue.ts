/** A build whose page does not start is replaced by the worker itself, because nobody can press a button on it. */

import { pause, within } from './patience';

declare const self: ServiceWorkerGlobalScope;

/** How long a page may take to start, on a slow phone from cold. */
const START_MS = 12_000;
const ASK_EVERY_MS = 1_000;
const ASK_SERVER_MS = 10_000;
const LAY_IN_MS = 120_000;

/** A page that shows but stays dead after this version took over from another is loaded again from the new files. */
export async function revive(): Promise<void> {
  for (const page of await self.clients.matchAll({ type: 'window' })) {
    // Not to its own address: with a fragment in it that would load nothing.
    if (await staysDead(page.id)) await page.navigate('/').catch(() => null);
  }
}

/** When a page has not started after a while and a newer version is to be had, that version takes over unasked. */
export async function replaceIfDead(id: string): Promise<void> {
  if (!(await staysDead(id))) return;
  // A server that does not answer keeps nobody from a newer version that is here already.
  await within(
    ASK_SERVER_MS,
    self.registration.update().then(() => undefined),
    undefined,
  );
  const next = await within(LAY_IN_MS, installed(self.registration.installing), null);
  (self.registration.waiting ?? next)?.postMessage({ type: 'SKIP_WAITING' });
}

/** Whether a page shows and has not started for as long as a slow phone may take. */
async function staysDead(id: string): Promise<boolean> {
  const until = Date.now() + START_MS;
  for (;;) {
    await pause(ASK_EVERY_MS);
    const page = (await self.clients.get(id)) as WindowClient | undefined;
    // Closed, or put to sleep: there is nothing to tell from its silence.
    if (page?.visibilityState !== 'visible' || (await lives(page))) return false;
    if (Date.now() > until) return true;
  }
}

/** Whether a page's app has started, by its own word. */
function lives(page: Client): Promise<boolean> {
  return new Promise((resolve) => {
    const line = new MessageChannel();
    line.port1.onmessage = () => resolve(true);
    void pause(ASK_EVERY_MS).then(() => resolve(false));
    page.postMessage({ alive: true }, [line.port2]);
  });
}

function installed(worker: ServiceWorker | null): Promise<ServiceWorker | null> {
  if (!worker) return Promise.resolve(null);
  return new Promise((resolve) => {
    worker.addEventListener('statechange', () => {
      if (worker.state !== 'installing') resolve(worker.state === 'installed' ? worker : null);
    });
  });
}
