/** The live stream: one per browser, held by the tab that has the lock; what it hears becomes `sync()` and, for alerts, a signal. */

import { openStream, Refused } from './api';
import { announce, hear } from './changes';
import { setting, store } from './db';
import { serverBack } from './flush';
import type { AlertHead } from './heads';
import { connectionNow, note } from './status';
import { events, type StreamEvent } from './stream';
import { sync } from './sync';
import type { Id } from './types';

/** The server beats every 15 s; two missed beats and a little mean that nobody is there. */
const STALE_MS = 40_000;
/** One missed beat: worth a question, which finds out within seconds. */
const DOUBT_MS = 18_000;
const OPEN_MS = 10_000;
const LONGEST_WAIT_MS = 30_000;
/** When the stream last said anything, ms; 0 while none is open. */
let heardAt = 0;

/** Joins the tabs that may hold the stream; returns how to leave. */
export function startLive(): () => void {
  const leaving = new AbortController();
  const lead = () => hold(leaving.signal);
  if (navigator.locks) {
    navigator.locks.request('tocsin-live', { signal: leaving.signal }, lead).catch((error: unknown) => {
      if (!leaving.signal.aborted) reportError(error);
    });
  } else {
    void lead();
  }
  return () => leaving.abort();
}

/** Keeps a stream open until told to leave: reconnects with jitter, at once when the network or the person changes. */
async function hold(leaving: AbortSignal): Promise<void> {
  let wait = 1_000;
  while (!leaving.aborted) {
    const wake = awakened(leaving);
    const mine = store();
    let spoke = false;
    if (mine) {
      try {
        await listen(mine.person, wake.signal, () => {
          spoke = true;
        });
      } catch (error) {
        if (error instanceof Refused && error.status === 401) wait = LONGEST_WAIT_MS;
        // Nobody is there to open it: trying to catch up finds out at once whether it is the network or the server.
        if (!(error instanceof Refused) || error.status >= 500) void sync({ eager: false });
      }
      announce({ person: null, connection: { live: false } });
    }
    wait = spoke ? 1_000 : Math.min(LONGEST_WAIT_MS, wait * 2);
    await wake.orAfter(wait / 2 + (Math.random() * wait) / 2);
    wake.done();
  }
}

async function listen(person: Id, wake: AbortSignal, spoke: () => void): Promise<void> {
  const stop = new AbortController();
  const end = () => stop.abort();
  wake.addEventListener('abort', end, { once: true });
  const opening = setTimeout(end, OPEN_MS);
  let doubted = 0;
  const watchdog = setInterval(() => {
    if (heardAt === 0) return;
    const silence = Date.now() - heardAt;
    if (silence > STALE_MS) end();
    else if (silence > DOUBT_MS && doubted !== heardAt) {
      doubted = heardAt;
      void sync({ eager: false });
    }
  }, 1_000);
  try {
    const device = (await setting<Id>('device')) ?? '';
    const body = await openStream(`/stream?client=${device}`, stop.signal);
    clearTimeout(opening);
    heardAt = Date.now();
    const { online, serverSilent } = connectionNow();
    if (serverSilent || !online) serverBack();
    // The stream says again within seconds if the worker is still silent.
    announce({
      person: null,
      connection: { live: true, online: true, serverSilent: false, workerSilent: false, lastContact: heardAt },
    });
    spoke();
    // What happened while no stream was open.
    void sync();
    for await (const event of events(body)) {
      heardAt = Date.now();
      note({ lastContact: heardAt });
      if (event.name === 'bye') return;
      await handle(person, event);
    }
  } finally {
    heardAt = 0;
    clearTimeout(opening);
    clearInterval(watchdog);
    wake.removeEventListener('abort', end);
    stop.abort();
  }
}

async function handle(person: Id, event: StreamEvent): Promise<void> {
  if (event.name === 'poke') {
    const told = (JSON.parse(event.data) as { spaces: Record<string, number> }).spaces;
    if (await isNews(told)) void sync();
  } else if (event.name === 'worker') {
    const { silent } = JSON.parse(event.data) as { silent: boolean };
    announce({ person: null, connection: { workerSilent: silent } });
  } else if (event.name === 'alert') {
    announce({ person, alert: JSON.parse(event.data) as AlertHead });
    void sync();
  }
}

/** Whether any space stands further than this phone's cursor. */
async function isNews(told: Record<string, number>): Promise<boolean> {
  const cursors = await store()?.read(['cursors'], (tx) => tx.objectStore('cursors').getAll());
  const have = new Map(cursors?.map(({ space, version }) => [space, version]));
  return Object.entries(told).some(([space, version]) => version > (have.get(space) ?? -1));
}

/** Ends early when network or server return, the page is looked at again after a silence, somebody signs in or out, or on leaving. */
function awakened(leaving: AbortSignal): {
  signal: AbortSignal;
  orAfter: (ms: number) => Promise<void>;
  done: () => void;
} {
  const waking = new AbortController();
  const wake = () => waking.abort();
  const stopHearing = hear((change) => {
    if (change.session || (change.back && Date.now() - heardAt > DOUBT_MS)) wake();
  });
  addEventListener('online', wake);
  addEventListener('offline', wake);
  leaving.addEventListener('abort', wake);
  const orAfter = (ms: number) =>
    new Promise<void>((resolve) => {
      const seen = () => {
        if (document.visibilityState === 'visible') finish();
      };
      const finish = () => {
        clearTimeout(timer);
        document.removeEventListener('visibilitychange', seen);
        resolve();
      };
      // Woken by `offline` there is nothing to hurry for.
      const timer = setTimeout(finish, waking.signal.aborted ? 250 : ms);
      document.addEventListener('visibilitychange', seen);
      waking.signal.addEventListener('abort', finish, { once: true });
    });
  const done = () => {
    stopHearing();
    removeEventListener('online', wake);
    removeEventListener('offline', wake);
    leaving.removeEventListener('abort', wake);
  };
  return { signal: waking.signal, orAfter, done };
}
