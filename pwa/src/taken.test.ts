import { beforeEach, expect, test, vi } from 'vitest';
import type { Store, StoredPhoto } from './db';
import { flush } from './flush';
import { keepDraft, draftOf } from './drafts';
import { pending, refused } from './outbox';
import { put, waiting } from './queue';
import { bringBack, exported, exportedOne, NotOurFile } from './taken';
import { freshPhone } from './testing/phone';
import type { ServerDouble } from './testing/server';
import { uploadWaiting } from './uploads';
import type { Id } from './types';

let server: ServerDouble;
let phone: Store;
beforeEach(async () => {
  vi.stubGlobal('self', { location: { origin: 'https://tocsin.test' } });
  ({ server, phone } = await freshPhone());
});

const photo = (id: Id, fact: Id | null): StoredPhoto => ({
  ...{ id, fact, sha256: 'a'.repeat(64), mime: 'image/jpeg', size: 3, url: null, state: 'waiting', made_at: 0 },
  bytes: new Uint8Array([1, 2, 250]).buffer,
  thumbnail: new ArrayBuffer(1),
});
const A = '01900000-0000-7000-8000-00000000000a';

/** Three facts, one of them refused, with a photo and a begun form; then a phone of the same person that has nothing. */
async function takenAlong(): Promise<string> {
  await put(phone, { path: '/tallies/{id}', body: { n: 1 } });
  const report = await put(phone, { path: '/reports/{id}', body: { n: 2 }, photos: [A] });
  await phone.write(['blobs'], (tx) => tx.objectStore('blobs').put(photo(A, report.id)));
  server.interrupts.push((call) => {
    const [first] = call.body['items'] as { id: string }[];
    const word = { id: first!.id, status: 'refused', http: 422, code: 'no', message: '不行' };
    return server.json({ results: [word] });
  });
  server.interrupts.push(() => 'no network');
  await flush(phone);
  await put(phone, { path: '/tallies/{id}', body: { n: 3 } });
  await keepDraft('report', { text: '说到一半' });
  const file = await exported();
  ({ server, phone } = await freshPhone());
  return file;
}

test('what was taken along comes back on a phone that has nothing: queue, tray, begun form and photo, and goes out once', async () => {
  const file = await takenAlong();
  const taken = JSON.parse(file) as { waiting: { id: Id }[]; refused: { id: Id }[] };
  const before = taken.waiting.length + taken.refused.length;
  expect(before).toBe(3);
  expect(await bringBack(file)).toBe(before);
  expect((await waiting(phone)).map(({ id }) => id)).toEqual(taken.waiting.map(({ id }) => id));
  expect(await draftOf('report')).toEqual({ text: '说到一半' });
  let shown = 0;
  pending().subscribe((entries) => (shown = entries.length))();
  expect(shown).toBe(taken.waiting.length);
  refused().subscribe((entries) => (shown = entries.length))();
  expect(shown).toBe(taken.refused.length);

  await flush(phone);
  await uploadWaiting(phone);
  expect(server.facts.size).toBe(taken.waiting.length);
  const arrived = [...server.uploads.values()].map((upload) => upload.flatMap((part) => [...part]));
  expect(arrived).toEqual([[1, 2, 250]]);

  // Again: all of it is here, or has arrived.
  expect(await bringBack(file)).toBe(0);
  expect(await waiting(phone)).toEqual([]);
});

test('a single refused entry comes back into the tray', async () => {
  const file = await takenAlong();
  const [entry] = (JSON.parse(file) as { refused: Parameters<typeof exportedOne>[0][] }).refused;
  expect(await bringBack(exportedOne(entry!))).toBe(1);
  expect(await phone.read(['tray'], (tx) => tx.objectStore('tray').getAllKeys())).toEqual([entry!.id]);
});

test("what is no file of ours, or another person's, changes nothing", async () => {
  const file = await takenAlong();
  const person = A.replace('a', 'b');
  const bad = [
    ['', 'unreadable'],
    ['[]', 'unreadable'],
    ['{"person":1}', 'unreadable'],
    [file.replace('/api/v1/tallies', 'https://elsewhere'), 'unreadable'],
    [file.replace('"base64": "', '"base64": "<script>'), 'unreadable'],
    [JSON.stringify({ ...(JSON.parse(file) as object), person }), 'anothers'],
  ] as const;
  for (const [text, why] of bad) {
    const refusal = await bringBack(text).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(NotOurFile);
    expect((refusal as NotOurFile).why).toBe(why);
  }
  expect(await waiting(phone)).toEqual([]);
  expect(await phone.read(['tray', 'blobs', 'drafts'], (tx) => tx.objectStore('blobs').count())).toBe(0);
});
