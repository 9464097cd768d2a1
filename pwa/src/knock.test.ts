import { beforeEach, expect, test, vi } from 'vitest';
import { call } from './api';
import { hear } from './changes';
import { startKnocking } from './knock';
import { note } from './status';
import { freshPhone } from './testing/phone';
import type { ServerDouble } from './testing/server';

let server: ServerDouble;
let page: { visibilityState: string; addEventListener: () => void; removeEventListener: () => void };
let backs: number;
beforeEach(async () => {
  ({ server } = await freshPhone());
  page = { visibilityState: 'visible', addEventListener: () => undefined, removeEventListener: () => undefined };
  vi.stubGlobal('document', page);
  vi.stubGlobal('navigator', { onLine: true });
  note({ online: true, serverSilent: false });
  backs = 0;
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const stops = [hear((change) => change.back && (backs += 1)), startKnocking()];
  return () => {
    stops.forEach((stop) => stop());
    vi.useRealTimers();
  };
});

const knocks = () => server.calls.filter(({ path }) => path === '/api/v1/health/live').length;
const silent = () => note({ online: false, serverSilent: true });
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

test('nobody knocks while the server answers, or while nobody looks', async () => {
  await pass(60_000);
  page.visibilityState = 'hidden';
  silent();
  await pass(60_000);
  expect(knocks()).toBe(0);
});

test('a silent server is knocked at every few seconds; when it answers, all that waits goes on at once', async () => {
  server.interrupts.push(...Array.from({ length: 2 }, () => () => 'no answer' as const));
  const stuck = call('GET', '/plans').catch((error: unknown) => error);
  await pass(4_000);
  // The first knock is not answered either, the second one is, long before the question's own time is over.
  await pass(11_000);
  expect(knocks()).toBe(2);
  expect(backs).toBe(1);
  expect(await stuck).toMatchObject({ timedOut: true });
  await vi.waitFor(() => expect(server.calls.some(({ path }) => path === '/api/v1/changes')).toBe(true));
});

test('a server that answers knocks and nothing else is not pressed', async () => {
  const answer = server.fetch;
  vi.stubGlobal('fetch', (path: string, init: RequestInit) =>
    path.endsWith('/health/live') ? answer(path, init) : Promise.reject(new TypeError('Failed to fetch')),
  );
  silent();
  await pass(29_000);
  expect(knocks()).toBeGreaterThan(4);
  expect(backs).toBe(1);
});
