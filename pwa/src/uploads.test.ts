import { beforeEach, expect, test, vi } from 'vitest';
import type { Store, StoredPhoto } from './db';
import { offerAgain, put } from './queue';
import { flush } from './flush';
import { freshPhone, hurried } from './testing/phone';
import { hear, type Change } from './changes';
import { connectionNow } from './status';
import { PERSON, type Call, type ServerDouble } from './testing/server';
import { forgetLink, uploadWaiting } from './uploads';

const SIZE = 600_000;
const OTHER = '01900000-0000-7000-8000-0000000000bb';
let server: ServerDouble;
let phone: Store;
let bytes: Uint8Array<ArrayBuffer>;
beforeEach(async () => {
  vi.stubGlobal('self', { location: { origin: 'http://localhost' } });
  ({ server, phone } = await freshPhone());
  forgetLink();
  bytes = Uint8Array.from({ length: SIZE }, (_, n) => (n * 31 + (n >> 8)) & 0xff);
  await phone.write(['blobs'], (tx) => tx.objectStore('blobs').put(photo('p1')));
});

function photo(id: string): StoredPhoto {
  const thumbnail = new ArrayBuffer(9);
  const shared = { sha256: 'ab'.repeat(32), mime: 'image/jpeg', size: SIZE, url: null, state: 'waiting' as const };
  return { id, fact: null, bytes: bytes.buffer, thumbnail, made_at: 1, ...shared };
}
const kept = (): Promise<StoredPhoto | undefined> => phone.read(['blobs'], (tx) => tx.objectStore('blobs').get('p1'));
/** The requests of the upload; with how many bytes each. */
const sent = () =>
  server.calls
    .filter(({ path }) => path.startsWith('/api/v1/uploads'))
    .map(({ method, raw }) => [method, raw?.byteLength ?? 0]);
const begun = () => sent().filter(([method]) => method === 'POST').length;
/** Whether the server holds exactly the photo's bytes. */
function arrived(): boolean {
  const parts = server.uploads.get('p1')!;
  let at = 0;
  return parts.every((part) => part.every((byte) => byte === bytes[at++])) && at === bytes.length;
}
async function reported(): Promise<void> {
  await put(phone, { path: '/reports/{id}', body: {}, photos: ['p1'] });
  await flush(phone);
}

test('a photo follows its report and never goes before it, and goes once', async () => {
  await uploadWaiting(phone);
  await put(phone, { path: '/reports/{id}', body: {}, photos: ['p1'] });
  await uploadWaiting(phone);
  expect(server.uploads.size).toBe(0);
  await flush(phone);
  await uploadWaiting(phone);
  expect(arrived()).toBe(true);
  expect(await kept()).toMatchObject({ state: 'delivered', bytes: bytes.buffer, thumbnail: new ArrayBuffer(9) });
  await uploadWaiting(phone);
  expect(begun()).toBe(1);
});

test('an ordinary photo is one request, a larger one goes in pieces that grow with the link', async () => {
  const large = new ArrayBuffer(4_000_000);
  await phone.write(['blobs'], (tx) =>
    tx.objectStore('blobs').put({ ...photo('p1'), bytes: bytes.buffer.slice(0, 300_000) }),
  );
  await phone.write(['blobs'], (tx) => tx.objectStore('blobs').put({ ...photo('p2'), bytes: large, made_at: 2 }));
  await put(phone, { path: '/reports/{id}', body: {}, photos: ['p1', 'p2'] });
  await flush(phone);
  await uploadWaiting(phone);
  expect(sent()).toEqual([
    ['POST', 300_000],
    ['POST', 524_288],
    ['PATCH', 1_048_576],
    ['PATCH', 1_048_576],
    ['PATCH', 1_048_576],
    ['PATCH', 329_984],
  ]);
});

test('a slow link gets no larger pieces than it takes in ten seconds', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  try {
    await phone.write(['blobs'], (tx) => tx.objectStore('blobs').put({ ...photo('p1'), bytes: new ArrayBuffer(2e6) }));
    await reported();
    const slowly = (seconds: number) => () => {
      vi.setSystemTime(Date.now() + seconds * 1000);
      return null;
    };
    server.interrupts.push(slowly(8), slowly(13), slowly(4));
    await uploadWaiting(phone);
  } finally {
    vi.useRealTimers();
  }
  expect(sent().map(([, size]) => size)).toEqual([262_144, 327_680, 262_144, 524_288, 623_744]);
});

test('on a slow link the next photo leaves while the answer to the last one is waited for, and never a third', async () => {
  for (const [id, made_at] of [
    ['p2', 2],
    ['p3', 3],
    ['p4', 4],
  ] as const)
    // prettier-ignore
    await phone.write(['blobs'], (tx) => tx.objectStore('blobs').put({ ...photo(id), bytes: new ArrayBuffer(3e5), made_at }));
  await put(phone, { path: '/reports/{id}', body: {}, photos: ['p1', 'p2', 'p3', 'p4'] });
  await flush(phone);
  let under = 0;
  const most: number[] = [];
  const slowly = async () => {
    most.push((under += 1));
    await new Promise((done) => setTimeout(done, 350));
    under -= 1;
    return null;
  };
  server.interrupts.push(...Array.from({ length: 5 }, () => slowly));
  await uploadWaiting(phone);
  expect(most).toEqual([1, 1, 1, 2, 2]);
  expect(arrived()).toBe(true);
  expect(begun()).toBe(4);
});

test('when the network goes, the photo that is under way beside the lost one comes to its end and no other begins', async () => {
  for (const [id, made_at] of [
    ['p2', 2],
    ['p3', 3],
  ] as const)
    await phone.write(['blobs'], (tx) =>
      tx.objectStore('blobs').put({ ...photo(id), bytes: new ArrayBuffer(3e5), made_at }),
    );
  await put(phone, { path: '/reports/{id}', body: {}, photos: ['p1', 'p2', 'p3'] });
  await flush(phone);
  const after = (ms: number, what: 'no network' | null) => () =>
    new Promise<'no network' | null>((done) => setTimeout(() => done(what), ms));
  server.interrupts.push(after(400, null), after(450, 'no network'), after(350, null));
  await uploadWaiting(phone);
  expect(sent()).toHaveLength(3);
  expect((await kept())?.state).toBe('waiting');
  expect(server.uploads.has('p2')).toBe(true);
});

test('a server of before, which leaves the bytes of the first request, gets them with the next, and no more in vain', async () => {
  server.takesBytesAtOnce = false;
  await reported();
  await phone.write(['blobs'], (tx) => tx.objectStore('blobs').put({ ...photo('p2'), made_at: 2 }));
  await put(phone, { path: '/reports/{id}', body: {}, photos: ['p2'] });
  await flush(phone);
  await uploadWaiting(phone);
  expect(arrived()).toBe(true);
  expect(sent()).toEqual([
    ['POST', 262_144],
    ['PATCH', SIZE],
    ['POST', 0],
    ['PATCH', SIZE],
  ]);
});

test('a server that does not say where it stands is asked', async () => {
  await reported();
  server.interrupts.push(() => {
    server.uploads.set('p1', []);
    return server.empty(201, { Location: '/api/v1/uploads/p1' });
  });
  await uploadWaiting(phone);
  expect(sent().map(([method]) => method)).toEqual(['POST', 'HEAD', 'PATCH']);
  expect(arrived()).toBe(true);
});

test('the upload names id, hash and kind', async () => {
  await reported();
  await uploadWaiting(phone);
  const { headers } = server.calls.find((call) => call.path === '/api/v1/uploads')!;
  expect(headers.get('Upload-Length')).toBe(String(SIZE));
  expect(headers.get('Tus-Resumable')).toBe('1.0.0');
  const parts = headers
    .get('Upload-Metadata')!
    .split(',')
    .map((pair) => pair.split(' '));
  expect(Object.fromEntries(parts.map(([key, value]) => [key, atob(value!)]))).toEqual({
    id: 'p1',
    sha256: 'ab'.repeat(32),
    mime: 'image/jpeg',
  });
});

test.each([1, 2])('C1 cut at exchange %i, it goes on where the server stands; the bytes are equal', async (cut) => {
  await reported();
  server.interrupts.push(...Array.from({ length: cut - 1 }, () => () => null), () => 'no network');
  await uploadWaiting(phone);
  expect((await kept())?.state).toBe('waiting');
  await uploadWaiting(phone);
  expect(arrived()).toBe(true);
  expect((await kept())?.state).toBe('delivered');
});

test('a piece that does not get through in its time is sent smaller; what stands still is not told to be moving', async () => {
  const told: NonNullable<Change['photo']>[] = [];
  const stop = hear(({ photo }) => photo && told.push(photo));
  await reported();
  server.interrupts.push(() => 'no answer');
  await hurried(() => uploadWaiting(phone));
  expect(told.map(({ moving }) => moving)).toEqual([true, false]);
  await uploadWaiting(phone);
  expect(sent()).toEqual([
    ['POST', 262_144],
    ['POST', 0],
    ['PATCH', 131_072],
    ['PATCH', 262_144],
    ['PATCH', 206_784],
  ]);
  expect(told.at(-1)).toMatchObject({ state: 'delivered', moving: false });
  expect(arrived()).toBe(true);
  stop();
});

test.each([0, 1])('offset applied but the answer to piece %i lost: no piece is sent twice', async (piece) => {
  await reported();
  const lost = (call: Call): 'no network' => {
    server.uploads.set('p1', [...(server.uploads.get('p1') ?? []), new Uint8Array(call.raw!)]);
    return 'no network';
  };
  server.interrupts.push(...Array.from({ length: piece }, () => () => null), lost);
  await uploadWaiting(phone);
  await uploadWaiting(phone);
  expect(arrived()).toBe(true);
  expect(sent().reduce((sum, [, size]) => sum + (size as number), 0)).toBe(SIZE);
});

test('409 tells that the server stands elsewhere: asked again, then continued', async () => {
  await reported();
  server.interrupts.push(() => server.empty(201, { Location: '/api/v1/uploads/p1', 'Upload-Offset': '262144' }));
  server.uploads.set('p1', [bytes.slice(0, 100)]);
  await uploadWaiting(phone);
  expect(arrived()).toBe(true);
});

test('a server that starts over again and again ends in a refusal, not in a circle', async () => {
  await reported();
  const over = Array.from({ length: 60 }, (_, n) => (call: { method: string }) => {
    if (call.method === 'HEAD') return server.empty(200, { 'Upload-Offset': n % 2 ? '0' : '1' });
    return call.method === 'PATCH' ? server.problem(409, 'hash_mismatch') : null;
  });
  server.interrupts.push(...over);
  await uploadWaiting(phone);
  expect(await kept()).toMatchObject({ state: 'refused', code: 'hash_mismatch' });
});

test('an expired upload is begun anew, a damaged one too, but not for ever', async () => {
  await reported();
  server.interrupts.push(
    () => null,
    () => {
      server.uploads.clear();
      return null;
    },
  );
  await uploadWaiting(phone);
  expect(begun()).toBe(2);
  expect(arrived()).toBe(true);
  expect((await kept())?.state).toBe('delivered');
});

test.each([413, 415, 460])('%i for good marks the photo refused', async (status) => {
  await reported();
  const refuse = (call: { path: string }) => (call.path === '/api/v1/me' ? null : server.problem(status, 'no_photo'));
  server.interrupts.push(...Array.from({ length: 9 }, () => refuse));
  await uploadWaiting(phone);
  expect(await kept()).toMatchObject({ state: 'refused', code: 'no_photo' });
});

test.each([401, 423, 429, 503])('%i holds the upload and keeps its place', async (status) => {
  await reported();
  server.interrupts.push(
    () => null,
    () => server.problem(status, 'later'),
  );
  await uploadWaiting(phone);
  expect(await kept()).toMatchObject({ state: 'waiting', url: '/api/v1/uploads/p1' });
  await uploadWaiting(phone);
  expect(begun()).toBe(1);
  expect(arrived()).toBe(true);
});

test("C10 under another person's session a photo is not taken for refused; it goes when its own person is back", async () => {
  await reported();
  server.person = OTHER;
  const unknown = (call: { path: string }) =>
    call.path === '/api/v1/me' ? null : server.problem(404, 'photo_unknown');
  server.interrupts.push(...Array.from({ length: 9 }, () => unknown));
  await uploadWaiting(phone);
  expect(await kept()).toMatchObject({ state: 'waiting' });
  expect(connectionNow().wrongPerson).toBe(true);
  server.interrupts.length = 0;
  server.person = PERSON;
  await uploadWaiting(phone);
  expect(arrived()).toBe(true);
});

test('after a backup was restored a delivered photo is offered again with its report', async () => {
  await reported();
  await uploadWaiting(phone);
  server.uploads.clear();
  server.facts.clear();
  await offerAgain(phone, (server.epoch = 'epoch-2'));
  expect(await kept()).toMatchObject({ state: 'waiting', url: null });
  await flush(phone);
  await uploadWaiting(phone);
  expect(server.facts.size).toBe(1);
  expect(arrived()).toBe(true);
});

test('a photo under way while the server was restored is not given up: its report waits again, and both arrive', async () => {
  await reported();
  server.epoch = 'epoch-2';
  const facts = new Map(server.facts);
  server.facts.clear();
  const unknown = () => server.problem(404, 'photo_unknown');
  server.interrupts.push(unknown, unknown, () => offerAgain(phone, 'epoch-2').then(unknown));
  await uploadWaiting(phone);
  expect(await kept()).toMatchObject({ state: 'waiting' });

  // The same before the phone had noticed.
  await flush(phone);
  server.facts.clear();
  const gone = (call: { path: string }) => (call.path.includes('/uploads') ? unknown() : null);
  server.interrupts.push(...Array.from({ length: 6 }, () => gone));
  await uploadWaiting(phone);
  expect(await kept()).toMatchObject({ state: 'refused' });
  await offerAgain(phone, (server.epoch = 'epoch-3'));
  await flush(phone);
  server.interrupts = [];
  await uploadWaiting(phone);
  expect(arrived()).toBe(true);
  expect(server.facts.size).toBe(facts.size);
});

test('two uploaders send one photo once', async () => {
  await reported();
  await Promise.all([uploadWaiting(phone), uploadWaiting(phone)]);
  expect(arrived()).toBe(true);
  expect(begun()).toBe(1);
});

test('an address on another host is not followed', async () => {
  await reported();
  server.interrupts.push(() => server.empty(201, { Location: 'https://elsewhere.example/api/v1/uploads/u9' }));
  await uploadWaiting(phone);
  expect(server.calls[2]).toMatchObject({ method: 'HEAD', path: '/api/v1/uploads/u9' });
});
