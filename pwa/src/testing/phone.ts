/** A phone for unit tests: an empty IndexedDB, somebody signed in, and a server double behind `fetch`. */

import { vi } from 'vitest';
import { setSetting, store, useStore, type Store } from '../db';
import { forgetBackOff } from '../flush';
import { load } from '../memory';
import { DEVICE, PERSON, ServerDouble } from './server';

/** Signs `PERSON` in on a fresh phone. */
export async function freshPhone(): Promise<{ server: ServerDouble; phone: Store }> {
  useStore(null);
  await load();
  await emptyShared();
  const server = new ServerDouble();
  vi.stubGlobal('fetch', server.fetch);
  forgetBackOff();
  await forget(PERSON);
  await setSetting('device', DEVICE);
  await setSetting('person', PERSON);
  const phone = useStore(PERSON)!;
  await phone.setMeta('epoch', server.epoch);
  await load();
  return { server, phone };
}

/** As if the app had been killed: memory is gone, the disk is not. */
export async function restart(): Promise<Store> {
  const person = store()!.person;
  useStore(null);
  const phone = useStore(person)!;
  await load();
  return phone;
}

async function emptyShared(): Promise<void> {
  for (const key of ['person', 'device', 'leaving', 'subscription', 'contact']) await setSetting(key, undefined);
}

async function forget(person: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const request = indexedDB.deleteDatabase(`tocsin-${person}`);
    request.onsuccess = () => resolve();
    request.onerror = () => reject(new Error('the store could not be deleted'));
  });
}

/** Does `work` while time runs a hundred times as fast, so that what is never answered comes to its time-out. */
export async function hurried<T>(work: () => Promise<T>): Promise<T> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  let going = true;
  try {
    const done = work().finally(() => (going = false));
    while (going) await vi.advanceTimersByTimeAsync(500);
    return await done;
  } finally {
    vi.useRealTimers();
  }
}
