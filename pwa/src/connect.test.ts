import { deleteDB, openDB, type DBSchema } from 'idb';
import { afterEach, expect, test, vi } from 'vitest';
import { Connection, StoreUnavailable } from './connect';

interface Notes extends DBSchema {
  notes: { key: string; value: string };
  more: { key: string; value: string };
}
const NAME = 'connect-test';
const connect = (version: number) =>
  new Connection<Notes>(NAME, version, (db, from) => {
    if (from < 1) db.createObjectStore('notes');
    if (from < 2 && version >= 2) db.createObjectStore('more');
  });
const write = (to: Connection<Notes>, text: string) => to.run((db) => db.put('notes', text, 'k'));
const read = (from: Connection<Notes>) => from.run((db) => db.get('notes', 'k'));
const opened: Connection<Notes>[] = [];
const at = (version: number) => {
  opened.push(connect(version));
  return opened.at(-1)!;
};

afterEach(async () => {
  vi.useRealTimers();
  opened.splice(0).forEach((one) => one.close());
  await deleteDB(NAME);
});

test('C16 an older page lets a newer one upgrade, and goes on working beside it', async () => {
  const [older, newer] = [at(1), at(2)];
  await write(older, 'before');
  expect(await newer.run((db) => db.count('more'))).toBe(0);
  expect(await read(newer)).toBe('before');
  await write(older, 'after');
  expect(await read(newer)).toBe('after');
});

test('C16 a tab that does not let go: no hang, the reason, and it works as soon as that tab is closed', async () => {
  await write(at(1), 'kept');
  const stuck = await openDB<Notes>(NAME, 1);
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const newer = at(2);
  const failed = expect(read(newer)).rejects.toBeInstanceOf(StoreUnavailable);
  await vi.advanceTimersByTimeAsync(10_000);
  await failed;
  vi.useRealTimers();
  stuck.close();
  expect(await read(newer)).toBe('kept');
});

test('what was left is neither opened nor made anew by work still under way', async () => {
  const one = at(1);
  await write(one, 'theirs');
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  const late = one.run(async (db) => {
    await held;
    return await db.put('notes', 'too late', 'k');
  });
  const failed = expect(late).rejects.toBeInstanceOf(StoreUnavailable);
  await one.delete();
  release();
  await failed;
  expect((await indexedDB.databases()).map(({ name }) => name)).not.toContain(NAME);
});

test('deleted by another tab, this one does not make it anew', async () => {
  const [here, there] = [at(1), at(1)];
  await write(here, 'theirs');
  await there.delete();
  await expect(write(here, 'late')).rejects.toBeInstanceOf(StoreUnavailable);
  expect((await indexedDB.databases()).map(({ name }) => name)).not.toContain(NAME);
});

test('a deletion that an old tab holds up does not hold up the person', async () => {
  const one = at(1);
  await write(one, 'theirs');
  const stuck = await openDB<Notes>(NAME, 1);
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const gone = one.delete();
  await vi.advanceTimersByTimeAsync(3_000);
  await gone;
  vi.useRealTimers();
  stuck.close();
  await vi.waitFor(async () => expect((await indexedDB.databases()).map(({ name }) => name)).not.toContain(NAME));
});
