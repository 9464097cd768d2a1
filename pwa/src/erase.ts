/** Makes this phone forget a person: their store, their kept pictures, and that they were signed in. */

import { announce } from './changes';
import { setSetting, setting, store, useStore, type Store } from './db';

/** Tells every tab first, so that none opens the store again behind its deletion. */
export async function erase(gone: Store, why: 'out' | 'wiped'): Promise<void> {
  if ((await setting<string | null>('person')) === gone.person) await setSetting('person', null);
  if (store() === gone) useStore(null);
  announce({ person: gone.person, session: why });
  await gone.destroy();
  if (typeof caches !== 'undefined') await caches.delete('tocsin-photos');
}
