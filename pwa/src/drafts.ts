/** Forms that were begun: kept by the disk at every change, so that a killed page or the camera app loses nothing. */

import { store } from './db';

/** Keeps a form's values under a key such as `report` or `mark:<item>`. */
export async function keepDraft(key: string, value: unknown): Promise<void> {
  const draft = { key, value, saved_at: Date.now() };
  await store()?.write(['drafts'], (tx) => tx.objectStore('drafts').put(draft), true);
}

export async function draftOf<T>(key: string): Promise<T | undefined> {
  const draft = await store()?.read(['drafts'], (tx) => tx.objectStore('drafts').get(key));
  return draft?.value as T | undefined;
}

export async function dropDraft(key: string): Promise<void> {
  await store()?.write(['drafts'], (tx) => tx.objectStore('drafts').delete(key), true);
}

/** Whether a form was changed after this moment, in phone time (ms). */
export async function draftedSince(when: number): Promise<boolean> {
  const drafts = await store()?.read(['drafts'], (tx) => tx.objectStore('drafts').getAll());
  return (drafts ?? []).some((draft) => draft.saved_at > when);
}
