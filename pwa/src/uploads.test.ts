import { beforeEach, expect, test, vi } from 'vitest';
import type { Store, StoredPhoto } from './db';
import { offerAgain, put } from './queue';
import { flush } from './flush';
import { freshPhone, hurried } from './testing/phone';
import { hear, type Change } from './changes';
import { connectionNow } from './status';
import { PERSON, type ServerDouble } from './testing/server';
import { uploadWaiting } from './uploads';

const SIZE = 600_000;
const OTHER = '01900000-0000-7000-8000-0000000000bb';
let server: ServerDouble;
let phone: Store;
let bytes: Uint8Array<ArrayBuffer>;
beforeEach(async () => {
  vi.stubGlobal('self', { location: { origin: 'http://localhost' } });
  ({ server, phone } = await freshPhone());
  bytes = Uint8Array.from({ length: SIZE }, (_, n) => (n * 31 + (n >> 8)) & 0xff);
  await phone.write(['blobs'], (tx) => tx.objectStore('blobs').put(photo('p1')));
});

function photo(id: string): StoredPhoto {
  const thumbnail = new ArrayBuffer(9);
  const shared = { sha256: 'ab'.repeat(32), mime: 'image/jpeg', size: SIZE, url: null, state: 'waiting' as const };
  return { id, fact: null, bytes: bytes.buffer, thumbnail, made_at: 1, ...shared };
}
const kept = (): Promise<StoredPhoto | undefined> => phone.read(['blobs'], (tx) => tx.objectStore('blobs').get('p1'));
const patches = () => server.calls.filter((call) => call.method === 'PATCH');
/** Whether the newest upload holds exactly the photo's bytes. */
function arrived(): boolean {
  const parts = [...server.uploads.values()].at(-1)!.bytes;
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
  expect(server.uploads.size).toBe(1);
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

test.each([1, 2, 3, 4, 5])(
  'C1 cut at exchange %i, it goes on where the server stands; the bytes are equal',
  async (cut) => {
    await reported();
    server.interrupts.push(...Array.from({ length: cut - 1 }, () => () => null), () => 'no network');
    await uploadWaiting(phone);
    expect((await kept())?.state).toBe('waiting');
    await uploadWaiting(phone);
    expect(arrived()).toBe(true);
    expect((await kept())?.state).toBe('delivered');
  },
);

test('a piece that does not get through in its time is sent smaller; what stands still is not told to be moving', async () => {
  const told: NonNullable<Change['photo']>[] = [];
  const stop = hear(({ photo }) => photo && told.push(photo));
  await reported();
  server.interrupts.push(
    () => null,
    () => null,
    () => 'no answer',
  );
  await hurried(() => uploadWaiting(phone));
  expect(told.map(({ moving }) => moving)).toEqual([true, false]);
  await uploadWaiting(phone);
  expect(patches().map(({ raw }) => raw!.byteLength)).toEqual([262_144, 131_072, 262_144, 206_784]);
  expect(told.at(-1)).toMatchObject({ state: 'delivered', moving: false });
  expect(arrived()).toBe(true);
  stop();
});

test('offset applied but the answer lost: the chunk is not sent twice', async () => {
  await reported();
  server.interrupts.push(
    () => null,
    () => null,
    (call) => {
      [...server.uploads.values()][0]!.bytes.push(new Uint8Array(call.raw!));
      return 'no network';
    },
  );
  await uploadWaiting(phone);
  await uploadWaiting(phone);
  expect(arrived()).toBe(true);
  expect(patches()).toHaveLength(3);
});

test('409 tells that the server stands elsewhere: asked again, then continued', async () => {
  await reported();
  server.interrupts.push(
    () => null,
    () => server.empty(200, { 'Upload-Offset': '262144' }),
  );
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
    () => server.problem(410, 'upload_gone'),
  );
  await uploadWaiting(phone);
  expect(server.uploads.size).toBe(2);
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
    () => null,
    () => null,
    () => server.problem(status, 'later'),
  );
  await uploadWaiting(phone);
  expect(await kept()).toMatchObject({ state: 'waiting', url: '/api/v1/uploads/u1' });
  await uploadWaiting(phone);
  expect(server.uploads.size).toBe(1);
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

test('two uploaders send one photo once', async () => {
  await reported();
  await Promise.all([uploadWaiting(phone), uploadWaiting(phone)]);
  expect(arrived()).toBe(true);
  expect(server.uploads.size).toBe(1);
});

test('an address on another host is not followed', async () => {
  await reported();
  server.interrupts.push(() => server.empty(201, { Location: 'https://elsewhere.example/api/v1/uploads/u9' }));
  await uploadWaiting(phone);
  expect(server.calls[2]).toMatchObject({ method: 'HEAD', path: '/api/v1/uploads/u9' });
});
