import { beforeEach, expect, test, vi } from 'vitest';
import type { Store, TrayEntry } from './db';
import { flush } from './flush';
import { newId } from './ids';
import { put, waiting } from './queue';
import { freshPhone } from './testing/phone';
import type { ServerDouble } from './testing/server';

let server: ServerDouble;
let phone: Store;
beforeEach(async () => {
  ({ server, phone } = await freshPhone());
});

const tally = (n: number) => put(phone, { path: '/tallies/{id}', body: { n } });
const kept = async () => (await waiting(phone)).length;
const tray = (): Promise<TrayEntry[]> => phone.read(['tray'], (tx) => tx.objectStore('tray').getAll());

test('the server was restored from a backup: what it had acknowledged is offered again, nothing doubles', async () => {
  for (let n = 0; n < 5; n++) await tally(n);
  await flush(phone);
  const lost = [...server.facts.keys()].slice(3);
  lost.forEach((id) => server.facts.delete(id));
  server.epoch = 'epoch-2';
  await tally(5);
  await flush(phone);
  expect(server.facts.size).toBe(6);
  expect(await phone.meta('epoch')).toBe('epoch-2');
  expect(await kept()).toBe(0);
});

test("after a restored backup what speaks of another phone's fact waits until that is back, and for no longer than a day", async () => {
  const theirs = newId();
  const report = await put(phone, { path: '/reports/{id}', body: { incident: theirs } });
  const more = await put(phone, { path: '/reports/{id}', body: { follows: report.id } });
  await flush(phone);
  server.facts.clear();
  server.epoch = 'epoch-2';
  const unknown = { status: 'refused', http: 404, code: 'incident_unknown' } as const;
  let back = false;
  server.judge = (item) => (back || item.path.includes('tallies') ? null : unknown);
  await tally(1);
  const { state, retryAt } = await flush(phone);
  expect(state).toBe('done');
  expect(retryAt! - Date.now()).toBeGreaterThan(1_000);
  expect((await waiting(phone)).map(({ id, missing }) => [id, missing])).toEqual([
    [report.id, true],
    [more.id, true],
  ]);
  expect(await tray()).toEqual([]);

  back = true;
  vi.useFakeTimers({ now: Date.now() + 121_000, toFake: ['Date'] });
  await flush(phone);
  expect(server.facts.size).toBe(3);
  expect(await kept()).toBe(0);

  // Nobody brought it back within a day: a person has to see it.
  back = false;
  await put(phone, { path: '/reports/{id}', body: { incident: theirs } });
  vi.setSystemTime(Date.now() + 25 * 3600_000);
  await flush(phone);
  vi.useRealTimers();
  expect((await tray()).map(({ code }) => code)).toEqual(['incident_unknown']);
});

test('without a restored backup what the server does not know goes to the tray at once', async () => {
  server.judge = () => ({ status: 'refused', http: 404, code: 'incident_unknown' });
  await tally(1);
  await flush(phone);
  expect((await tray()).map(({ code }) => code)).toEqual(['incident_unknown']);
});

test('what was acknowledged more than 14 days ago is not offered again', async () => {
  await tally(1);
  await flush(phone);
  await phone.write(['sent'], async (tx) => {
    const [entry] = await tx.objectStore('sent').getAll();
    await tx.objectStore('sent').put({ ...entry!, sent_at: Date.now() - 15 * 24 * 3600_000 });
  });
  server.facts.clear();
  server.epoch = 'epoch-2';
  await tally(2);
  await flush(phone);
  expect(server.facts.size).toBe(1);
});
