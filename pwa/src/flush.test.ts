import { beforeEach, expect, test, vi } from 'vitest';
import { hear, type Connection } from './changes';
import { setSetting, setting, store, Store, type TrayEntry } from './db';
import { flush, forgetBackOff, networkBack } from './flush';
import { newId } from './ids';
import { put, waiting } from './queue';
import { freshPhone, hurried } from './testing/phone';
import { DEVICE, PERSON, type ServerDouble } from './testing/server';
import { retry } from './tray';

let server: ServerDouble;
let phone: Store;
let connection: Partial<Connection>;
beforeEach(async () => {
  ({ server, phone } = await freshPhone());
  connection = {};
  return hear((change) => Object.assign(connection, change.connection));
});

const tally = (n: number) => put(phone, { path: '/tallies/{id}', body: { n } });
const kept = async () => (await waiting(phone)).length;
const tray = (): Promise<TrayEntry[]> => phone.read(['tray'], (tx) => tx.objectStore('tray').getAll());

test('everything waiting is sent once and leaves; a second flush sends nothing', async () => {
  for (let n = 0; n < 120; n++) await tally(n);
  expect(await flush(phone)).toEqual({ state: 'done', retryAt: null });
  expect(server.batches().map((batch) => batch.items.length)).toEqual([50, 50, 20]);
  expect(server.facts.size).toBe(120);
  expect(await kept()).toBe(0);
  await flush(phone);
  expect(server.batches()).toHaveLength(3);
  expect(connection.online).toBe(true);
});

test('a batch names its owner, device and epoch', async () => {
  await tally(1);
  await flush(phone);
  expect(server.batches()[0]).toMatchObject({ person: PERSON, device: await setting('device'), epoch: 'epoch-1' });
});

test('an answer lost after the server had applied it: the repeat is a duplicate, and leaves', async () => {
  await tally(1);
  server.interrupts.push((call) => {
    server.facts.set(
      (call.body['items'] as { id: string }[])[0]!.id,
      JSON.stringify([server.batches()[0]!.items[0]!.path, server.batches()[0]!.items[0]!.body]),
    );
    return 'no network';
  });
  expect((await flush(phone)).state).toBe('offline');
  expect(await kept()).toBe(1);
  expect((await flush(phone)).state).toBe('done');
  expect(server.facts.size).toBe(1);
  const sent = await phone.read(['sent'], (tx) => tx.objectStore('sent').getAll());
  expect(sent.map(({ status }) => status)).toEqual(['duplicate']);
});

test('item 3 of 10 refused: nine applied, one in the tray with its reason, and it can be mended and sent again', async () => {
  const entries = await Promise.all(Array.from({ length: 10 }, (_, n) => tally(n)));
  const bad = entries[2]!;
  const errors = [{ path: 'n', code: 'range', message: '超出范围' }];
  server.judge = (item) => (item.body['n'] === 2 ? { code: 'invalid', message: '数值超出范围', errors } : null);
  await flush(phone);
  expect(server.facts.size).toBe(9);
  expect(await kept()).toBe(0);
  expect(await tray()).toMatchObject([{ id: bad.id, code: 'invalid', message: '数值超出范围', errors }]);
  await retry(phone, bad.id, { n: 20 });
  await flush(phone);
  expect(server.facts.size).toBe(10);
  expect(await tray()).toEqual([]);
  expect(JSON.parse(server.facts.get(bad.id)!)).toMatchObject([
    bad.path,
    { n: 20, occurred_at: bad.body['occurred_at'] },
  ]);
});

test('an id that belongs to another fact is sent again under a new one', async () => {
  const entry = await tally(1);
  server.facts.set(entry.id, 'something else');
  await flush(phone);
  expect(await tray()).toMatchObject([{ code: 'id_reused' }]);
  await retry(phone, entry.id);
  await flush(phone);
  expect(await tray()).toEqual([]);
  expect(server.facts.size).toBe(2);
});

test('what came too late to take effect lies in the tray with the reason, not among what was received', async () => {
  await tally(1);
  server.judge = () => ({ status: 'conflict', http: 409, code: 'already_decided', message: '已有决定' });
  await flush(phone);
  expect(await kept()).toBe(0);
  expect(await tray()).toMatchObject([{ code: 'already_decided', message: '已有决定' }]);
});

test('retry_later keeps the item, sends the rest, and does not ask at once again', async () => {
  const first = await tally(1);
  for (let n = 2; n < 60; n++) await tally(n);
  server.judge = (item) => (item.id === first.id ? { status: 'retry_later', http: 503 } : null);
  const outcome = await flush(phone);
  expect(outcome.state).toBe('done');
  expect(outcome.retryAt).toBeGreaterThan(Date.now());
  expect((await waiting(phone)).map(({ id }) => id)).toEqual([first.id]);
  expect(server.facts.size).toBe(58);
});

test('what was refused only because the fact it names was postponed waits with it', async () => {
  const incident = await put(phone, { path: '/incidents/{id}', body: { title: '停电' } });
  const report = await put(phone, { path: '/reports/{id}', body: { incident: incident.id } });
  server.judge = (item) => (item.id === incident.id ? { status: 'retry_later' } : { code: 'not_found' });
  await flush(phone);
  expect((await waiting(phone)).map(({ id }) => id)).toEqual([incident.id, report.id]);
  expect(await tray()).toEqual([]);
});

test('a captive portal takes nothing out of the queue', async () => {
  await tally(1);
  server.interrupts.push(() => server.portal());
  expect((await flush(phone)).state).toBe('offline');
  expect(await kept()).toBe(1);
});

test('a result for somebody else, an unknown id or no results at all take nothing out of the queue', async () => {
  await tally(1);
  server.interrupts.push(
    () => server.json({ results: [{ id: 'other', status: 'applied' }] }),
    () => server.json({ ok: true }),
  );
  expect((await flush(phone)).retryAt).not.toBeNull();
  expect((await flush(phone)).state).toBe('offline');
  expect(await kept()).toBe(1);
});

test('401 keeps everything, says so, and goes on after signing in', async () => {
  for (let n = 0; n < 40; n++) await tally(n);
  server.person = null;
  expect(await flush(phone)).toEqual({ state: 'signed_out', retryAt: null });
  expect(connection.sessionExpired).toBe(true);
  expect(await kept()).toBe(40);
  server.person = PERSON;
  await flush(phone);
  expect(await kept()).toBe(0);
  expect(connection.sessionExpired).toBe(false);
});

test('401 in the middle of the queue keeps what was not answered', async () => {
  for (let n = 0; n < 60; n++) await tally(n);
  server.interrupts.push(
    () => null,
    () => server.problem(401, 'sign_in_first'),
  );
  expect((await flush(phone)).state).toBe('signed_out');
  expect(await kept()).toBe(10);
});

test('C10 another person is signed in: nothing is sent in their name', async () => {
  await tally(1);
  server.person = '01900000-0000-7000-8000-0000000000bb';
  expect((await flush(phone)).state).toBe('wrong_person');
  expect(connection.wrongPerson).toBe(true);
  expect(await kept()).toBe(1);
  expect(server.facts.size).toBe(0);
});

test('403 with wipe empties the phone; 403 without it, or from something in between, does not', async () => {
  await tally(1);
  server.interrupts.push(
    () => server.problem(403, 'forbidden'),
    () => new Response('{"wipe":true}', { status: 403 }),
    () => server.problem(403, 'device_revoked', { wipe: true }),
  );
  expect((await flush(phone)).state).toBe('busy');
  forgetBackOff();
  expect((await flush(phone)).state).toBe('offline');
  expect(await kept()).toBe(1);
  expect((await flush(phone)).state).toBe('wiped');
  expect(store()).toBeNull();
  expect(await setting('person')).toBeNull();
  const names = (await indexedDB.databases()).map(({ name }) => name);
  expect(names).not.toContain(`tocsin-${PERSON}`);
});

test('426 keeps the queue and asks for an update', async () => {
  await tally(1);
  server.interrupts.push(() => server.problem(426, 'update_needed'));
  expect((await flush(phone)).state).toBe('update_needed');
  expect(connection.updateNeeded).toBe(true);
  expect(await kept()).toBe(1);
});

test.each([429, 500, 502, 503])("%i backs off, keeps the server's time to wait, drops nothing", async (status) => {
  await tally(1);
  server.interrupts.push(() => server.problem(status, 'busy', {}, { 'Retry-After': '30' }));
  const began = Date.now();
  const { retryAt } = await flush(phone);
  expect(retryAt! - began).toBeGreaterThanOrEqual(30_000);
  expect(retryAt! - began).toBeLessThan(38_000);
  await flush(phone);
  expect(server.batches()).toHaveLength(1);
  expect(await kept()).toBe(1);
});

test('the network coming back ends the wait for a lost network, never one that the server asked for', async () => {
  await tally(1);
  server.interrupts.push(() => server.problem(503, 'busy', {}, { 'Retry-After': '30' }));
  await flush(phone);
  networkBack();
  expect((await flush(phone)).state).toBe('busy');
  expect(server.batches()).toHaveLength(1);
  forgetBackOff();
  server.interrupts.push(() => 'no network');
  await flush(phone);
  expect((await flush(phone, false)).state).toBe('offline');
  networkBack();
  expect((await flush(phone, false)).state).toBe('done');
});

test('back-off grows with each failure, has jitter, ends at a minute, and a tap does not wait for it', async () => {
  await tally(1);
  const waits: number[] = [];
  for (let n = 0; n < 12; n++) {
    server.interrupts.push(() => 'no network');
    const { retryAt } = await flush(phone);
    waits.push(retryAt! - Date.now());
  }
  expect(server.batches()).toHaveLength(12);
  expect(waits[0]).toBeLessThanOrEqual(1_000);
  expect(Math.max(...waits)).toBeLessThanOrEqual(60_000);
  expect(waits.slice(7).every((wait) => wait >= 29_000)).toBe(true);
  expect(new Set(waits.slice(7)).size).toBeGreaterThan(1);
  expect((await flush(phone, false)).state).toBe('offline');
  expect(server.batches()).toHaveLength(12);
});

test('a server that lets the time run out is silent at once, the next try is told, and is smaller', async () => {
  for (let n = 0; n < 40; n++) await tally(n);
  server.interrupts.push(() => 'no answer');
  const { retryAt } = await hurried(() => flush(phone));
  expect(connection).toMatchObject({ online: false, serverSilent: true, nextTry: retryAt });
  await flush(phone);
  expect(server.batches().map((batch) => batch.items.length)).toEqual([40, 20, 20]);
  expect(connection).toMatchObject({ online: true, serverSilent: false, nextTry: null });
});

test("a proxy's error without a time to wait is no lost network, and ends as soon as the server is back", async () => {
  await tally(1);
  server.interrupts.push(
    () => new Response('<html>', { status: 502 }),
    () => new Response('<html>', { status: 502 }),
  );
  connection = { online: true };
  await flush(phone);
  expect(connection).toMatchObject({ online: true });
  await flush(phone);
  expect(connection).toMatchObject({ serverSilent: true });
  networkBack();
  expect((await flush(phone, false)).state).toBe('done');
});

test('413 splits the batch until it fits; the one item that never fits goes to the tray', async () => {
  for (let n = 0; n < 10; n++) await tally(n);
  const tooLarge = (items: { body: { n: number } }[]) => items.length > 3 || items.some((item) => item.body.n === 7);
  const judge = (call: { body: Record<string, unknown> }) =>
    tooLarge(call.body['items'] as never) ? server.problem(413, 'too_large') : null;
  server.interrupts.push(...Array.from({ length: 40 }, () => judge));
  await flush(phone);
  expect(await kept()).toBe(0);
  expect(server.facts.size).toBe(9);
  expect(await tray()).toMatchObject([{ body: { n: 7 }, code: 'too_large' }]);
});

test('an entry larger than any batch goes to the tray without blocking the others', async () => {
  await put(phone, { path: '/reports/{id}', body: { text: 'x'.repeat(300_000) } });
  await tally(1);
  await flush(phone);
  expect(server.facts.size).toBe(1);
  expect(await tray()).toMatchObject([{ code: 'too_large' }]);
});

test("C7 a wait does not become a day when the phone's clock is put back", async () => {
  await tally(1);
  server.interrupts.push(() => server.problem(429, 'throttled', {}, { 'Retry-After': '60' }));
  expect((await flush(phone)).state).toBe('busy');
  vi.useFakeTimers({ now: Date.now() - 24 * 3600_000, toFake: ['Date'] });
  server.interrupts.push(() =>
    server.json({ results: [{ id: server.batches()[0]!.items[0]!.id, status: 'retry_later' }] }),
  );
  const put_off = await flush(phone);
  expect(put_off.state).toBe('done');
  vi.setSystemTime(Date.now() - 24 * 3600_000);
  await flush(phone);
  vi.useRealTimers();
  expect(server.facts.size).toBe(1);
  expect(await kept()).toBe(0);
});

test('a server that only ever says the epoch changed does not hold the sender in a circle', async () => {
  await tally(1);
  server.interrupts.push(
    ...Array.from({ length: 9 }, () => () => server.problem(409, 'epoch_changed', { epoch: 'epoch-1' })),
  );
  expect((await flush(phone)).state).toBe('busy');
  expect(server.batches()).toHaveLength(1);
});

test('C4 two senders at once send each fact once', async () => {
  for (let n = 0; n < 60; n++) await tally(n);
  await Promise.all([flush(phone), flush(phone), flush(new Store(PERSON))]);
  const sent = server.batches().flatMap((batch) => batch.items.map(({ id }) => id));
  expect(sent).toHaveLength(60);
  expect(new Set(sent).size).toBe(60);
});

test('a fact written while a batch is under way goes in the next one', async () => {
  await tally(1);
  server.interrupts.push(async () => {
    await tally(2);
    return null;
  });
  await flush(phone);
  expect(server.batches().map((batch) => batch.items.length)).toEqual([1, 1]);
});

test('a lost connection to the store is opened again, once', async () => {
  await tally(1);
  const opened = vi.spyOn(IDBDatabase.prototype, 'transaction');
  const lose = () => {
    throw new DOMException('The database connection is closing', 'InvalidStateError');
  };
  opened.mockImplementationOnce(lose);
  expect(await kept()).toBe(1);
  opened.mockImplementationOnce(lose).mockImplementationOnce(lose);
  await expect(kept()).rejects.toThrow('closing');
});

test('a word of a newer server that this version does not know is no receipt', async () => {
  const first = await tally(1);
  await tally(2);
  server.judge = (item) => (item.id === first.id ? { status: 'parked' as 'applied', http: 202 } : null);
  await flush(phone);
  expect((await waiting(phone)).map(({ id }) => id)).toEqual([first.id]);
  expect(await tray()).toEqual([]);
});

test("C15 a server that does not know this version's envelope takes nothing out of the queue and puts nothing into the tray", async () => {
  for (let n = 0; n < 3; n++) await tally(n);
  const errors = [{ path: 'schema', code: 'unknown', message: 'Unknown field.' }];
  server.interrupts.push(() => server.problem(422, 'invalid', { errors }));
  expect((await flush(phone)).state).toBe('busy');
  expect(await kept()).toBe(3);
  expect(await tray()).toEqual([]);
  expect(server.batches()).toHaveLength(1);
});

test('the browser cleared its storage while the session lived on: the device is asked for, nothing goes to the tray', async () => {
  await setSetting('device', undefined);
  await tally(1);
  expect((await flush(phone)).state).toBe('done');
  expect(await setting('device')).toBe(DEVICE);
  await setSetting('device', '01900000-0000-7000-8000-0000000000ff');
  await tally(2);
  expect((await flush(phone)).state).toBe('done');
  expect(await setting('device')).toBe(DEVICE);
  expect(server.facts.size).toBe(2);
  expect(await tray()).toEqual([]);
});

test('2 000 entries drain in forty batches, answers first, and what is tapped meanwhile does not wait for the end', async () => {
  const [entry] = [await tally(0)];
  await phone.write(['outbox', 'meta'], async (tx) => {
    for (let n = 0; n < 1_999; n++)
      await tx.objectStore('outbox').put({ ...entry, id: newId(), seq: n + 2, body: { n } });
    await tx.objectStore('meta').put(2_000, 'seq');
  });
  let tapped = '';
  server.interrupts.push(async () => {
    tapped = (await put(phone, { path: '/alerts/a/answers/{id}', body: { kind: 'received' } })).id;
    return null;
  });
  expect((await flush(phone)).state).toBe('done');
  expect(server.batches()).toHaveLength(41);
  expect(server.batches()[1]!.items[0]!.id).toBe(tapped);
  expect(server.facts.size).toBe(2_001);
  expect(await kept()).toBe(0);
});
