import { get as value, type Unsubscriber } from 'svelte/store';
import { beforeEach, expect, test, vi } from 'vitest';
import type { Store } from './db';
import { exported } from './taken';
import { markOf, markStore, pending, record, refused, sendAgain, throwAway } from './outbox';
import { pull } from './pull';
import { put } from './queue';
import { all, get, watch } from './rows';
import { sync } from './sync';
import { freshPhone, restart } from './testing/phone';
import { PERSON, type ServerDouble } from './testing/server';

let server: ServerDouble;
let phone: Store;
let stops: Unsubscriber[];
beforeEach(async () => {
  ({ server, phone } = await freshPhone());
  stops = [];
  return async () => {
    stops.forEach((stop) => stop());
    await sync();
  };
});

const settled = () => vi.waitFor(async () => expect(await sync()).toMatchObject({ state: 'done' }));

test('the richest space wins, whatever came last', async () => {
  server.row('incident:i:command', 'incident', 'i', { id: 'i', from: 'command' });
  server.row('incident:i:team:t', 'incident', 'i', { id: 'i', from: 'team' });
  server.row('incident:i', 'incident', 'i', { id: 'i', from: 'incident' });
  server.row(`me:${PERSON}`, 'incident', 'i', { id: 'i', from: 'me' });
  server.row('org', 'incident', 'i', { id: 'i', from: 'org' });
  const from = async () => (await get<{ from: string }>('incident', 'i'))?.from;
  await pull(phone);
  for (const [space, next] of [
    ['incident:i:command', 'team'],
    ['incident:i:team:t', 'incident'],
    ['incident:i', 'me'],
    [`me:${PERSON}`, 'org'],
  ]) {
    server.row(space!, 'incident', 'i', null);
    await pull(phone);
    expect(await from()).toBe(next);
  }
});

test("a fact shows at once, keeps showing between answer and pull, and then the server's row shows", async () => {
  server.row(`me:${PERSON}`, 'recipient', 'r1', { id: 'r1', alert: 'a1', person: PERSON, answer: null });
  await pull(phone);
  const seen: unknown[] = [];
  stops.push(watch(() => get('recipient', 'r1'), ['recipient']).subscribe((doc) => seen.push(doc?.answer)));
  const { id } = await put(phone, {
    path: '/alerts/a1/answers/{id}',
    body: { kind: 'received' },
    optimistic: { type: 'recipient', id: 'r1', doc: { answer: 'received' } },
  });
  expect(await get('recipient', 'r1')).toMatchObject({ answer: 'received', pending: true, alert: 'a1' });
  expect(markOf(id)).toBe('saved');
  server.interrupts.push(
    () => null,
    () => 'no network',
  );
  await sync();
  expect(markOf(id)).toBe('received');
  expect(await get('recipient', 'r1')).toMatchObject({ answer: 'received', pending: false });
  server.row(`me:${PERSON}`, 'recipient', 'r1', {
    id: 'r1',
    alert: 'a1',
    person: PERSON,
    answer: 'received',
    answer_id: id,
    answer_seen_at: 'x',
  });
  await settled();
  expect(await get('recipient', 'r1')).not.toHaveProperty('pending');
  expect(markOf(id)).toBe('seen');
  expect(seen.lastIndexOf(null)).toBeLessThan(seen.indexOf('received'));
});

test('a new document made on this phone has its own id and is there after a cold start without a network', async () => {
  server.interrupts.push(() => 'no network');
  const id = await record({
    path: '/reports/{id}',
    body: { chain: 'first', type: 'crowd' },
    optimistic: { type: 'report', id: '{id}', doc: { type: 'crowd', text: '人多' } },
  });
  await restart();
  expect(await all('report')).toMatchObject([{ id, text: '人多', pending: true }]);
});

test('later facts lie over earlier ones', async () => {
  const effect = (answer: string) => ({ type: 'recipient' as const, id: 'r1', doc: { answer } });
  await put(phone, { path: '/alerts/a/answers/{id}', body: {}, optimistic: effect('received') });
  await put(phone, { path: '/alerts/a/answers/{id}', body: {}, optimistic: effect('cannot') });
  expect(await get('recipient', 'r1')).toMatchObject({ answer: 'cannot' });
});

test('a refused fact stops showing, lies in the tray with its reason, can be exported, repeated, thrown away', async () => {
  server.judge = () => ({ code: 'not_yours', message: '这不是您的检查单' });
  const id = await record({
    path: '/items/i/marks/{id}',
    body: { value: 'done' },
    optimistic: { type: 'mark', id: '{id}', doc: {} },
  });
  await settled();
  expect(markOf(id)).toBe('refused');
  expect(await all('mark')).toEqual([]);
  expect(value(refused())).toMatchObject([{ id, code: 'not_yours', message: '这不是您的检查单' }]);
  expect(JSON.parse(await exported())).toMatchObject({ person: PERSON, waiting: [], refused: [{ id }] });
  server.judge = () => null;
  expect(await sendAgain(id)).toBe(id);
  await settled();
  expect(markOf(id)).toBe('received');
  server.judge = () => ({ code: 'closed' });
  const other = await record({ path: '/items/i/marks/{id}', body: {} });
  await settled();
  await throwAway(other);
  expect(value(refused())).toEqual([]);
});

test('the queue and the marks are watched', async () => {
  const lengths: number[] = [];
  const marks: string[] = [];
  stops.push(pending().subscribe((entries) => lengths.push(entries.length)));
  server.interrupts.push(() => 'no network');
  const id = await record({ path: '/tallies/{id}', body: {} });
  stops.push(markStore(id).subscribe((mark) => marks.push(mark)));
  await sync();
  await settled();
  await vi.waitFor(() => expect(marks).toEqual(['saved', 'received']));
  expect(lengths).toEqual([0, 1, 0]);
});

test('a watched query runs once per burst, only for its types, and not after it was left', async () => {
  let runs = 0;
  const stop = watch(() => Promise.resolve(++runs), ['person']).subscribe(() => undefined);
  for (let n = 0; n < 30; n++) server.row('org', 'person', `p${n}`, { id: `p${n}` });
  await pull(phone);
  await vi.waitFor(() => expect(runs).toBe(2));
  server.row('org', 'team', 't', { id: 't' });
  await pull(phone);
  expect(runs).toBe(2);
  stop();
  server.row('org', 'person', 'p', { id: 'p' });
  await pull(phone);
  expect(runs).toBe(2);
});

test('an older answer never replaces a newer one', async () => {
  const answers: ((value: string) => void)[] = [];
  const seen: (string | undefined)[] = [];
  stops.push(
    watch(() => new Promise<string>((resolve) => answers.push(resolve)), ['person']).subscribe((one) => seen.push(one)),
  );
  server.row('org', 'person', 'p', { id: 'p' });
  await pull(phone);
  await vi.waitFor(() => expect(answers).toHaveLength(2));
  answers[1]!('new');
  answers[0]!('old');
  await vi.waitFor(() => expect(seen).toEqual([undefined, 'new']));
  await Promise.resolve();
  expect(seen.at(-1)).toBe('new');
});

test('a list of 2 000 documents is folded in a few milliseconds', async () => {
  for (let n = 0; n < 2_000; n++) server.row('incident:i', 'report', `r${n}`, { id: `r${n}`, text: '情况' });
  await pull(phone);
  const began = performance.now();
  expect(await all('report')).toHaveLength(2_000);
  expect(performance.now() - began).toBeLessThan(50);
});

test('what another tab wrote is seen here', async () => {
  const other = new BroadcastChannel('tocsin');
  const doc = { id: 'p1', name: '王芳' };
  other.postMessage({
    person: PERSON,
    rows: { put: [{ space: 'org', type: 'person', id: 'p1', version: 1, doc }], gone: [], spacesGone: [] },
  });
  await vi.waitFor(async () => expect(await get('person', 'p1')).toEqual(doc));
  other.postMessage({
    person: 'somebody else',
    rows: { put: [{ space: 'org', type: 'person', id: 'p2', version: 1, doc }], gone: [], spacesGone: [] },
  });
  other.postMessage({ person: PERSON, rows: { put: [], gone: [['org', 'person', 'p1']], spacesGone: [] } });
  await vi.waitFor(async () => expect(await all('person')).toEqual([]));
  other.close();
});

const tick = {
  path: '/items/i1/marks/{id}',
  body: { value: 'done' },
  optimistic: { type: 'mark' as const, id: '{id}', doc: { item: 'i1', value: 'done' } },
};

test('a tap shows at once as being saved, as saved only when the disk has it, and not at all when it could not be', async () => {
  // Nothing arrives meanwhile: what the server has taken is no longer this phone's to show.
  server.away = true;
  await all('mark');
  const shown: [saving: boolean | undefined, queued: number][] = [];
  const look = (marks: { saving?: boolean }[] | undefined) => {
    if (marks?.length) shown.push([marks[0]?.saving, value(pending()).length]);
  };
  stops.push(watch(() => all('mark'), ['mark']).subscribe(look));
  const real = IDBDatabase.prototype.transaction;
  const id = await record(tick);
  await vi.waitFor(() => expect(shown).toContainEqual([undefined, 1]));
  expect(shown[0]).toEqual([true, 0]);
  expect(await get('mark', id)).toMatchObject({ value: 'done' });

  const full = vi.spyOn(IDBDatabase.prototype, 'transaction').mockImplementation(function (
    this: IDBDatabase,
    ...words
  ) {
    if (words[1] === 'readwrite') throw new DOMException('no room', 'QuotaExceededError');
    return real.apply(this, words);
  });
  const refusal = record({ ...tick, body: { value: 'not_done' } });
  expect(await all('mark')).toHaveLength(2);
  await expect(refusal).rejects.toThrow('no room');
  full.mockRestore();
  expect(await all('mark')).toHaveLength(1);
});

test('the timeline is read after the first screen, and what is announced meanwhile has the last word', async () => {
  server.row('incident:i', 'incident', 'i', { id: 'i', title: 'first' });
  for (const id of ['e1', 'e2']) server.row('incident:i', 'entry', id, { id, text: 'old' });
  await pull(phone);
  phone = await restart();
  const reads = vi.spyOn(IDBIndex.prototype, 'getAll');
  expect(await get<{ title: string }>('incident', 'i')).toMatchObject({ title: 'first' });
  expect(reads.mock.calls).toEqual([]);

  server.row('incident:i', 'entry', 'e1', null);
  server.row('incident:i', 'entry', 'e2', { id: 'e2', text: 'new' });
  server.row('incident:i', 'entry', 'e3', { id: 'e3', text: 'new' });
  const [, entries] = await Promise.all([pull(phone), all<{ id: string; text: string }>('entry')]);
  expect(reads.mock.calls.map(([asked]) => asked)).toEqual(['entry', 'plan']);
  expect(entries.length).toBeGreaterThan(0);
  expect((await all<{ id: string; text: string }>('entry')).sort((a, b) => (a.id < b.id ? -1 : 1))).toEqual([
    { id: 'e2', text: 'new' },
    { id: 'e3', text: 'new' },
  ]);
});
