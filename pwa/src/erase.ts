/** Makes this phone forget a person: their store, their kept pictures, and that they were signed in. */

import { announce } from './changes';
import { setSetting, setting, store, Store, useStore } from './db';
import type { Id } from './types';

const UNFINISHED = 'erasing';

/** Tells every tab first, so that none opens the store again behind its deletion. */
export async function erase(gone: Store, why: 'out' | 'wiped'): Promise<void> {
  // Written down before: an app killed in the middle goes on with it at its next start.
  await setSetting(UNFINISHED, gone.person);
  if ((await setting<string | null>('person')) === gone.person) await setSetting('person', null);
  if (store() === gone) useStore(null);
  announce({ person: gone.person, session: why });
  await gone.destroy();
  await forgetPictures();
  await setSetting(UNFINISHED, null);
}

/** Ends what an earlier `erase` had begun when the app was killed; a person who has signed in again since keeps their store. */
export async function finishErasing(): Promise<void> {
  const gone = await setting<Id | null>(UNFINISHED);
  if (!gone) return;
  if ((await setting<Id | null>('person')) !== gone) {
    await new Store(gone).destroy();
    await forgetPictures();
  }
  await setSetting(UNFINISHED, null);
}

/** Pictures that were looked at in somebody's name are not the next person's to see. */
export async function forgetPictures(): Promise<void> {
  if (typeof caches !== 'undefined') await caches.delete('tocsin-photos');
}
