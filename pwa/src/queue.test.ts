import { beforeEach, expect, test, vi } from 'vitest';
import { type Store } from './db';
import { newId } from './ids';
import { draftOf, keepDraft } from './drafts';
import { choose, itemOf, keep, made, MAX_BYTES, put, waiting } from './queue';
import { freshPhone, restart } from './testing/phone';

let phone: Store;
beforeEach(async () => {
  ({ phone } = await freshPhone());
});

test('C2 a fact is on the disk when put returns: a killed app finds it again, with its time', async () => {
  const entry = await put(phone, { path: '/tallies/{id}', body: { kind: 'in', count: 3 } });
  const after = await waiting(await restart());
  expect(after).toEqual([entry]);
  expect(entry.path).toBe(`/api/v1/tallies/${entry.id}`);
  expect(entry.body['occurred_at']).toMatch(/^\d{4}-.*Z$/);
});

test('C3 the queue and drafts are written with strict durability', async () => {
  const seen = vi.spyOn(IDBDatabase.prototype, 'transaction');
  await put(phone, { path: '/tallies/{id}', body: {} });
  expect(seen.mock.calls.at(-1)?.[2]).toEqual({ durability: 'strict' });
});

test('what one tap made is kept as a whole: a phone that dies in the middle has nothing of it, and the draft still', async () => {
  await keepDraft('report', { text: 'a queue of two hundred' });
  const tap = [made({ path: '/incidents/{id}', body: {} }), made({ path: '/reports/{id}', body: {} })];
  const real = IDBObjectStore.prototype.put;
  const dying = vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (this: IDBObjectStore, ...words) {
    const asked = real.apply(this, words);
    if ((words[0] as { id?: string }).id === tap[1]!.id) this.transaction.abort();
    return asked;
  });
  await expect(keep(phone, tap, ['report'])).rejects.toThrow();
  dying.mockRestore();
  const after = await restart();
  expect(await waiting(after)).toEqual([]);
  expect(await draftOf('report')).toEqual({ text: 'a queue of two hundred' });

  await keep(after, tap, ['report']);
  expect((await waiting(after)).map(({ id, seq }) => [id, seq])).toEqual([
    [tap[0]!.id, 1],
    [tap[1]!.id, 2],
  ]);
  expect(await draftOf('report')).toBeUndefined();
});

test('C8 facts keep the order of taps when the clock jumps between them', async () => {
  vi.useFakeTimers({ now: new Date('2026-11-22T08:00:00Z'), toFake: ['Date'] });
  const first = await put(phone, { path: '/tallies/{id}', body: { n: 1 } });
  vi.setSystemTime(new Date('1970-01-01'));
  const second = await put(phone, { path: '/tallies/{id}', body: { n: 2 } });
  vi.useRealTimers();
  expect((await waiting(phone)).map(({ id }) => id)).toEqual([first.id, second.id]);
  expect([first.seq, second.seq]).toEqual([1, 2]);
});

test('sequences have no gap when many facts are made at once', async () => {
  await Promise.all(Array.from({ length: 20 }, (_, n) => put(phone, { path: '/tallies/{id}', body: { n } })));
  expect((await waiting(phone)).map(({ seq }) => seq)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
});

test('answers and receipts go before everything else', async () => {
  await put(phone, { path: '/reports/{id}', body: {} });
  await put(phone, { path: '/alerts/a/answers/{id}', body: { kind: 'received' } });
  await put(phone, { path: '/alerts/a/receipts/{id}', body: { kind: 'opened' } });
  expect((await waiting(phone)).map(({ path }) => path.split('/')[5] ?? path.split('/')[3])).toEqual([
    'answers',
    'receipts',
    'reports',
  ]);
});

test('a batch holds at most 50 entries', async () => {
  for (let n = 0; n < 51; n++) await put(phone, { path: '/tallies/{id}', body: { n } });
  expect(choose(await waiting(phone), Date.now()).batch).toHaveLength(50);
});

test('a batch holds at most 256 KiB of JSON, counted in bytes; what fits in none is named', async () => {
  const wide = '字'.repeat(25_000);
  for (let n = 0; n < 5; n++) await put(phone, { path: '/reports/{id}', body: { text: wide } });
  await put(phone, { path: '/reports/{id}', body: { text: '字'.repeat(100_000) } });
  const { batch, oversized } = choose(await waiting(phone), Date.now());
  expect(batch).toHaveLength(3);
  expect(new TextEncoder().encode(JSON.stringify(batch.map(itemOf))).length).toBeLessThanOrEqual(MAX_BYTES);
  expect(oversized).toHaveLength(0);
  expect(choose((await waiting(phone)).slice(4), Date.now()).oversized).toHaveLength(1);
});

test('what names a postponed fact waits with it, the rest goes', async () => {
  const incident = await put(phone, { path: '/incidents/{id}', body: { title: '停电' } });
  const report = await put(phone, { path: '/reports/{id}', body: { incident: incident.id } });
  const other = await put(phone, { path: '/tallies/{id}', body: {} });
  await phone.write(['outbox'], (tx) => tx.objectStore('outbox').put({ ...incident, not_before: Date.now() + 9_000 }));
  const { batch, next } = choose(await waiting(phone), Date.now());
  expect(batch.map(({ id }) => id)).toEqual([other.id]);
  expect(batch.map(({ id }) => id)).not.toContain(report.id);
  expect(next).toBeGreaterThan(Date.now());
});

test('a fact takes its photos out of the draft and the draft away, in the same transaction', async () => {
  const bytes = new ArrayBuffer(4);
  const photo = {
    id: 'p1',
    fact: null,
    sha256: 'x',
    mime: 'image/jpeg',
    size: 4,
    bytes,
    thumbnail: bytes,
    url: null,
    state: 'waiting' as const,
    made_at: 0,
  };
  await phone.write(['blobs', 'drafts'], async (tx) => {
    await tx.objectStore('blobs').put(photo);
    await tx.objectStore('drafts').put({ key: 'report', value: {}, saved_at: 0 });
  });
  const { id } = await put(phone, { path: '/reports/{id}', body: {}, photos: ['p1'], draft: 'report' });
  await phone.read(['blobs', 'drafts'], async (tx) => {
    expect((await tx.objectStore('blobs').get('p1'))?.fact).toBe(id);
    expect(await tx.objectStore('drafts').count()).toBe(0);
  });
});

test('C5 a full phone: what the server has makes room, what a person made is never given up', async () => {
  const bytes = new ArrayBuffer(4);
  const shared = {
    fact: 'f',
    sha256: 'x',
    mime: 'image/jpeg',
    size: 4,
    bytes,
    thumbnail: bytes,
    url: null,
    made_at: 0,
  };
  await phone.write(['blobs'], async (tx) => {
    await tx.objectStore('blobs').put({ ...shared, id: 'has', state: 'delivered' });
    await tx.objectStore('blobs').put({ ...shared, id: 'lacks', state: 'waiting' });
  });
  const stored = IDBObjectStore.prototype.put;
  let full = true;
  vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (this: IDBObjectStore, ...told) {
    if (this.name === 'outbox' && full) {
      full = false;
      throw new DOMException('no room', 'QuotaExceededError');
    }
    return stored.apply(this, told);
  });
  const entry = await put(phone, { path: '/reports/{id}', body: { text: '人多' } });
  expect(await waiting(phone)).toMatchObject([{ id: entry.id, body: { text: '人多' } }]);
  const blobs = await phone.read(['blobs'], (tx) => tx.objectStore('blobs').getAll());
  expect(blobs.map(({ id, bytes }) => [id, bytes.byteLength])).toEqual([
    ['has', 0],
    ['lacks', 4],
  ]);
});

test('2 000 entries are chosen in a batch quickly', async () => {
  const entry = await put(phone, { path: '/tallies/{id}', body: {} });
  const many = Array.from({ length: 2_000 }, (_, n) => ({
    ...entry,
    id: newId(),
    seq: n,
    not_before: n < 50 ? Infinity : 0,
  }));
  const began = performance.now();
  expect(choose(many, Date.now()).batch).toHaveLength(50);
  expect(performance.now() - began).toBeLessThan(100);
});
