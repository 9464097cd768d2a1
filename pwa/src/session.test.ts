import { get as value } from 'svelte/store';
import { beforeEach, expect, test, vi } from 'vitest';
import { hear, type Connection } from './changes';
import { setSetting, setting, store, Store, useStore } from './db';
import { finishErasing } from './erase';
import { exported } from './taken';
import { all } from './rows';
import { pull } from './pull';
import { put, waiting } from './queue';
import { confirmSession, deviceName, enrol, signIn, signOut } from './session';
import { now, restore } from './clock';
import { connectionNow, note } from './status';
import { sync } from './sync';
import { freshPhone, hurried } from './testing/phone';
import { lookAgain, me, startSession } from './who';
import { PERSON, type ServerDouble } from './testing/server';

const OTHER = '01900000-0000-7000-8000-0000000000bb';
let server: ServerDouble;
let phone: Store;
let connection: Partial<Connection>;
beforeEach(async () => {
  vi.stubGlobal('navigator', { userAgent: 'Mozilla/5.0 (Linux; Android 14) Chrome/130' });
  ({ server, phone } = await freshPhone());
  connection = {};
  await signIn('liming', 'secret');
  phone = store()!;
  return hear((change) => Object.assign(connection, change.connection));
});

const databases = async () => (await indexedDB.databases()).map(({ name }) => name).filter((name) => name !== 'tocsin');

test('signing in sends name, password and device, opens the store and keeps who it is', async () => {
  const { body } = server.calls.find((call) => call.path === '/api/v1/sessions')!;
  expect(body).toMatchObject({ username: 'liming', password: 'secret', device: { name: 'Android · Chrome' } });
  expect(value(me)?.person.id).toBe(PERSON);
  expect(await setting('person')).toBe(PERSON);
});

test('a cold start without a network knows the person and their rows', async () => {
  server.row(`me:${PERSON}`, 'alert', 'a1', { id: 'a1' });
  await pull(phone);
  useStore(null);
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('no network')));
  expect((await startSession())?.person.name).toBe('李明');
  expect(await all('alert')).toHaveLength(1);
  await confirmSession();
  expect(value(me)?.person.id).toBe(PERSON);
});

test('a cold start without a network knows when the server was last heard and how far the clocks differ', async () => {
  await startSession();
  vi.useFakeTimers({ now: Date.now() + 20_000, toFake: ['Date'] });
  const at = Date.now();
  const told = new Date(at + 3600_000).toISOString();
  server.interrupts.push(() => server.json(server.me(), 200, { 'X-Tocsin-Time': told }));
  await confirmSession();
  await vi.waitFor(async () => expect(await setting('contact')).toMatchObject({ at }));
  restore(0);
  note({ lastContact: null });
  await startSession();
  expect(connectionNow().lastContact).toBe(at);
  expect(Math.round((now() - Date.now()) / 1000)).toBe(3600);
  vi.useRealTimers();
  restore(0);
});

test('the hint whom to open is only a hint: the shared store decides, and no empty store is left behind', async () => {
  const kept = new Map([['tocsin.person', OTHER]]);
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, text: string) => kept.set(key, text),
    removeItem: (key: string) => kept.delete(key),
  });
  useStore(null);
  expect((await startSession())?.person.id).toBe(PERSON);
  expect(kept.get('tocsin.person')).toBe(PERSON);
  expect(await databases()).toEqual([`tocsin-${PERSON}`]);
  useStore(null);
  expect((await startSession())?.person.id).toBe(PERSON);
  await signOut();
  expect([...kept]).toEqual([]);
});

test('a one-time token signs in; a used one says so', async () => {
  await enrol('token-1');
  expect(server.calls.at(-1)).toMatchObject({ path: '/api/v1/sessions/enrolments', body: { token: 'token-1' } });
  server.interrupts.push(() => server.problem(410, 'enrolment_used'));
  await expect(enrol('token-1')).rejects.toMatchObject({ code: 'enrolment_used' });
});

test('an ended session is noticed and changes nothing on the phone', async () => {
  server.person = null;
  await confirmSession();
  expect(connection.sessionExpired).toBe(true);
  expect(value(me)?.person.id).toBe(PERSON);
});

test("somebody else's session in this browser is noticed and shows nothing of theirs", async () => {
  server.person = OTHER;
  await confirmSession();
  expect(connection.wrongPerson).toBe(true);
  expect(value(me)?.person.id).toBe(PERSON);
});

test('C9 signing out sends what waits, ends the session, and forgets everything', async () => {
  await put(phone, { path: '/tallies/{id}', body: {} });
  expect(await signOut()).toMatchObject({ done: true, left: { entries: 0, photos: 0 } });
  expect(server.facts.size).toBe(1);
  expect(server.person).toBeNull();
  expect(value(me)).toBeNull();
  expect(await databases()).toEqual([]);
  expect(await setting('person')).toBeNull();
});

test('C9 with unsent facts it first only says so; then they go into a file, or are thrown away', async () => {
  const { id } = await put(phone, { path: '/tallies/{id}', body: { count: 7 } });
  server.interrupts.push(() => 'no network');
  expect(await signOut()).toEqual({ done: false, left: { entries: 1, photos: 0 } });
  expect(value(me)?.person.id).toBe(PERSON);
  expect(JSON.parse(await exported())).toMatchObject({ waiting: [{ id, body: { count: 7 } }] });
  expect((await signOut('discard')).done).toBe(true);
  expect(await databases()).toEqual([]);
});

test('signing out without a network wipes the phone now and tells the server first thing later', async () => {
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('no network')));
  expect((await signOut()).done).toBe(true);
  expect(await databases()).toEqual([]);
  vi.stubGlobal('fetch', server.fetch);
  server.calls.length = 0;
  await confirmSession();
  expect(server.calls.map(({ method, path }) => `${method} ${path}`)).toEqual(['DELETE /api/v1/sessions/current']);
  expect(server.person).toBeNull();
  await confirmSession();
  expect(server.calls).toHaveLength(1);
});

test('C10 another person signs in on this phone: nothing of the first is seen or sent, nothing unsent is lost', async () => {
  server.row('org', 'person', 'p1', { id: 'p1' });
  await pull(phone);
  await put(phone, { path: '/tallies/{id}', body: { by: 'first' } });
  server.person = OTHER;
  server.spaces.clear();
  await signIn('wangfang', 'x');
  expect(store()?.person).toBe(OTHER);
  expect(await all('person')).toEqual([]);
  expect(await waiting(store()!)).toEqual([]);
  const first = new Store(PERSON);
  expect(await waiting(first)).toHaveLength(1);
  expect(await first.read(['rows'], (tx) => tx.objectStore('rows').count())).toBe(0);
  first.close();
  server.person = PERSON;
  await signIn('liming', 'secret');
  expect(await waiting(store()!)).toHaveLength(1);
});

test('another person signs in and the first left nothing unsent: the first store goes', async () => {
  server.person = OTHER;
  await signIn('wangfang', 'x');
  expect(await databases()).toEqual([`tocsin-${OTHER}`]);
});

test('an app killed while it forgot a person goes on forgetting at its next start, but not somebody who signed in again', async () => {
  await setSetting('erasing', PERSON);
  await setSetting('person', null);
  useStore(null);
  await startSession();
  await finishErasing();
  await vi.waitFor(async () => expect(await databases()).not.toContain(`tocsin-${PERSON}`));
  await vi.waitFor(async () => expect(await setting('erasing')).toBeNull());
  server.person = PERSON;
  await signIn('liming', 'secret');
  await setSetting('erasing', PERSON);
  await startSession();
  await finishErasing();
  await vi.waitFor(async () => expect(await setting('erasing')).toBeNull());
  expect(await databases()).toContain(`tocsin-${PERSON}`);
});

test('C20 a page that slept while its person left shows nobody when it wakes', async () => {
  await setSetting('person', null);
  expect(value(me)?.person.id).toBe(PERSON);
  await lookAgain();
  expect(value(me)).toBeNull();
});

test('signing out while rows are still coming in leaves nothing behind', async () => {
  for (let n = 0; n < 50; n++) server.row('org', 'person', `p${n}`, { id: `p${n}` });
  server.pageSize = 5;
  const coming = sync();
  await vi.waitFor(() =>
    expect(server.calls.filter(({ path }) => path.endsWith('/changes')).length).toBeGreaterThan(1),
  );
  expect((await signOut()).done).toBe(true);
  await coming;
  expect(await databases()).not.toContain(`tocsin-${PERSON}`);
});

test('devices are named so that people know them', () => {
  expect(deviceName('Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) Version/18.0 Safari/604.1')).toBe('iPhone · Safari');
  expect(deviceName('Mozilla/5.0 (Linux; Android 13) Chrome/114 MicroMessenger/8.0')).toBe('Android · WeChat');
  expect(deviceName('?')).toBe('Browser');
});

test('signing out from a server that answers nothing takes seconds, and the server hears of it when it answers again', async () => {
  server.interrupts.push(() => 'no answer');
  const began = performance.now();
  expect((await hurried(() => signOut())).done).toBe(true);
  expect(performance.now() - began).toBeLessThan(5_000);
  expect(value(me)).toBeNull();
  expect(await setting('leaving')).toBe(true);
  expect(server.person).toBe(PERSON);
  await confirmSession();
  expect(server.person).toBeNull();
  expect(await setting('leaving')).toBe(false);
});

test('what cannot be sent to a server that answers nothing is told within seconds', async () => {
  await put(phone, { path: '/tallies/{id}', body: { n: 1 } });
  server.interrupts.push(() => 'no answer');
  let asked = 0;
  const waits = vi.spyOn(AbortController.prototype, 'abort').mockImplementation(() => void (asked += 1));
  expect(await hurried(() => signOut())).toEqual({ done: false, left: { entries: 1, photos: 0 } });
  expect(asked).toBe(0);
  waits.mockRestore();
});
