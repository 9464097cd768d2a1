import { beforeEach, expect, test, vi } from 'vitest';
import { hear } from './changes';
import type { Store, StoredRow, TrayEntry } from './db';
import { newId } from './ids';
import { flush } from './flush';
import { docs } from './memory';
import { pull } from './pull';
import { put, waiting } from './queue';
import { sync } from './sync';
import { freshPhone, hurried, restart } from './testing/phone';
import { PERSON, type ServerDouble } from './testing/server';

const stored = IDBObjectStore.prototype.put;
let server: ServerDouble;
let phone: Store;
beforeEach(async () => {
  ({ server, phone } = await freshPhone());
});

const rows = (): Promise<StoredRow[]> => phone.read(['rows'], (tx) => tx.objectStore('rows').getAll());
const cursors = async () => {
  const all = await phone.read(['cursors'], (tx) => tx.objectStore('cursors').getAll());
  return Object.fromEntries(all.map(({ space, version }) => [space, version]));
};
const tray = (): Promise<TrayEntry[]> => phone.read(['tray'], (tx) => tx.objectStore('tray').getAll());
const asked = () => server.calls.filter((call) => call.path === '/api/v1/changes').map((call) => call.body['cursors']);

test('a first pull takes every space in pages, and the next one asks only for what is new', async () => {
  for (let n = 0; n < 12; n++) server.row('org', 'person', `p${n}`, { id: `p${n}`, name: `人员${n}` });
  server.row(`me:${PERSON}`, 'alert', 'a1', { id: 'a1', title: '集合' });
  server.pageSize = 5;
  expect((await pull(phone)).state).toBe('done');
  expect(await rows()).toHaveLength(13);
  expect(asked()).toHaveLength(3);
  expect(await cursors()).toEqual({ org: 12, [`me:${PERSON}`]: 1 });
  server.row('org', 'person', 'p0', { id: 'p0', name: '新名' });
  await pull(phone);
  expect(asked().at(-1)).toEqual({ org: 12, [`me:${PERSON}`]: 1 });
  expect((await rows()).find(({ id }) => id === 'p0')?.doc).toMatchObject({ name: '新名' });
});

test('a page that does not come whole in its time is asked for smaller, and larger again once pages come', async () => {
  const limits = () => server.calls.map((call) => call.body['limit']);
  server.interrupts.push(
    () => 'no answer',
    () => 'no answer',
  );
  await hurried(() => pull(phone));
  await hurried(() => pull(phone));
  for (let n = 0; n < 3; n++) await pull(phone);
  expect(limits()).toEqual([500, 250, 125, 250, 500]);
});

test("C7 what the server shows counts after a pull, also when the phone's clock was put back since the answer", async () => {
  server.row('org', 'item', 'i1', { id: 'i1', state: 'not_done' });
  await pull(phone);
  const effect = { type: 'item', id: 'i1', doc: { state: 'done' } } as const;
  await put(phone, { path: '/items/i1/marks/{id}', body: { value: 'done' }, optimistic: effect });
  expect(docs('item').get('i1')).toMatchObject({ state: 'done', pending: true });
  await flush(phone);
  vi.useFakeTimers({ now: Date.now() - 24 * 3600_000, toFake: ['Date'] });
  server.row('org', 'item', 'i1', { id: 'i1', state: 'contested' });
  await pull(phone);
  vi.useRealTimers();
  expect(docs('item').get('i1')).toMatchObject({ state: 'contested' });
});

test('a tombstone removes the row from its space alone', async () => {
  server.row('org', 'incident', 'i1', { id: 'i1' });
  server.row('incident:i1', 'incident', 'i1', { id: 'i1' });
  await pull(phone);
  server.row('org', 'incident', 'i1', null);
  await pull(phone);
  expect((await rows()).map(({ space }) => space)).toEqual(['incident:i1']);
});

test('a pull cut between two pages goes on from its cursor', async () => {
  for (let n = 0; n < 9; n++) server.row('org', 'person', `p${n}`, { id: `p${n}` });
  server.pageSize = 4;
  server.interrupts.push(
    () => null,
    () => 'no network',
  );
  expect((await pull(phone)).state).toBe('offline');
  expect(await cursors()).toEqual({ org: 4 });
  phone = await restart();
  await pull(phone);
  expect(await rows()).toHaveLength(9);
  expect(asked().at(-1)).toEqual({ org: 8 });
});

test('after a hundred days away the space is reset: old rows go, the queue stays', async () => {
  server.row('org', 'person', 'old', { id: 'old' });
  await pull(phone);
  await put(phone, { path: '/tallies/{id}', body: {} });
  const space = server.space('org');
  space.rows.clear();
  server.row('org', 'person', 'new', { id: 'new' });
  space.version = space.minimum = 50;
  await pull(phone);
  expect((await rows()).map(({ id }) => id)).toEqual(['new']);
  expect(await waiting(phone)).toHaveLength(1);
});

test('a lost space goes with its rows; what was written about it goes to the tray, everything else stays', async () => {
  const [team, item, alert] = [newId(), newId(), newId()];
  const space = `incident:x:team:${team}`;
  server.row(space, 'item', item, { id: item });
  server.row(space, 'alert', alert, { id: alert });
  server.row(`me:${PERSON}`, 'alert', alert, { id: alert });
  await pull(phone);
  const mark = await put(phone, { path: `/items/${item}/marks/{id}`, body: { value: 'done' } });
  const answer = await put(phone, { path: `/alerts/${alert}/answers/{id}`, body: { kind: 'received' } });
  server.allowed = new Set([`me:${PERSON}`]);
  await pull(phone);
  expect((await rows()).map((row) => row.space)).toEqual([`me:${PERSON}`]);
  expect(await tray()).toMatchObject([{ id: mark.id, code: 'space_dropped' }]);
  expect((await waiting(phone)).map(({ id }) => id)).toEqual([answer.id]);
  expect(await cursors()).toEqual({ [`me:${PERSON}`]: 1 });
});

test('an epoch change seen by a pull offers again what was acknowledged, and starts the cursors over', async () => {
  server.row('org', 'person', 'p1', { id: 'p1' });
  await put(phone, { path: '/tallies/{id}', body: {} });
  await sync();
  expect(server.facts.size).toBe(1);
  server.facts.clear();
  server.epoch = 'epoch-2';
  expect((await sync()).state).toBe('done');
  expect(server.facts.size).toBe(1);
  expect(await phone.meta('epoch')).toBe('epoch-2');
  expect(await waiting(phone)).toEqual([]);
  expect(await cursors()).toEqual({ org: 1 });
});

test('after a new epoch rows and spaces that the server no longer knows are gone, at no moment before the new ones are here', async () => {
  server.row('org', 'person', 'p1', { id: 'p1' });
  server.row('org', 'person', 'lost', { id: 'lost' });
  server.row('incident:i', 'limit', 'l1', { id: 'l1' });
  await sync();
  server.epoch = 'epoch-2';
  server.spaces.delete('incident:i');
  server.space('org').rows.delete('person/lost');
  server.interrupts.push(
    () => null,
    () => 'no network',
  );
  await sync();
  expect(await rows()).toHaveLength(3);
  await sync();
  expect((await rows()).map(({ id }) => id)).toEqual(['p1']);
  expect(await cursors()).toEqual({ org: 2 });
});

test('sync sends before it pulls, and calls meanwhile are one more run', async () => {
  await put(phone, { path: '/tallies/{id}', body: {} });
  await Promise.all([sync(), sync(), sync(), sync()]);
  expect(server.calls.map((call) => call.path.split('/').at(-1))).toEqual(['batch', 'changes', 'changes']);
});

test('a captive portal in front of the feed changes nothing', async () => {
  server.row('org', 'person', 'p1', { id: 'p1' });
  server.interrupts.push(() => server.portal());
  expect((await pull(phone)).state).toBe('offline');
  expect(await cursors()).toEqual({});
});

test('C10 somebody else signed in meanwhile: their rows do not come into this store, nothing of it goes to the tray', async () => {
  server.row(`me:${PERSON}`, 'alert', 'a1', { id: 'a1' });
  await pull(phone);
  await put(phone, { path: '/alerts/a1/answers/{id}', body: { kind: 'received' } });
  const other = 'me:01900000-0000-7000-8000-0000000000bb';
  server.row(other, 'alert', 'a2', { id: 'a2', title: 'not for them' });
  server.allowed = new Set([other]);
  expect((await pull(phone)).state).toBe('wrong_person');
  await phone.write(['cursors'], (tx) => tx.objectStore('cursors').clear());
  expect((await pull(phone)).state).toBe('wrong_person');
  expect((await rows()).map(({ id }) => id)).toEqual(['a1']);
  expect(await tray()).toEqual([]);
  expect(await waiting(phone)).toHaveLength(1);
});

test('C5 too full to catch up: said so, the queue still goes, and the next pull begins where it stood', async () => {
  server.row('org', 'person', 'p1', { id: 'p1' });
  await put(phone, { path: '/tallies/{id}', body: {} });
  const seen: unknown[] = [];
  const stop = hear((change) => change.connection && seen.push(change.connection.storageFull));
  const full = vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (this: IDBObjectStore, ...told) {
    if (this.name === 'rows') throw new DOMException('no room', 'QuotaExceededError');
    return stored.apply(this, told);
  });
  expect((await sync()).state).toBe('full');
  expect(server.facts.size).toBe(1);
  expect(await cursors()).toEqual({});
  full.mockRestore();
  expect((await pull(phone)).state).toBe('done');
  expect(await rows()).toHaveLength(1);
  expect(seen.filter((one) => one !== undefined)).toEqual([true, false]);
  stop();
});
