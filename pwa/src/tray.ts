/** Facts that were refused, kept with the reason until a person mends, repeats, exports or throws them away. */

import { announce } from './changes';
import type { Entry, Store, TrayEntry, WriteTx } from './db';
import { newId } from './ids';
import { inTray, nextSeq, plain } from './queue';
import type { Id } from './types';

/** Moves entries to the tray with a reason of the phone's own. */
export async function setAside(store: Store, entries: Entry[], code: string, message: string): Promise<void> {
  if (entries.length === 0) return;
  const refused = entries.map((entry) => inTray(entry, code, message, []));
  await store.write(['outbox', 'tray'], (tx) => moveToTray(tx, refused), true);
  announce({ person: store.person, queue: { tray: refused, outboxGone: refused.map((entry) => entry.id) } });
}

export async function moveToTray(tx: WriteTx, refused: TrayEntry[]): Promise<void> {
  for (const entry of refused) {
    await tx.objectStore('outbox').delete(entry.id);
    await tx.objectStore('tray').put(entry);
  }
}

/**
 * Tries a refused entry again, optionally with another body. It keeps its id, so that facts which name it still fit;
 * only when that id belongs to another fact it gets a new one.
 */
export async function retry(store: Store, id: Id, body?: Record<string, unknown>): Promise<Entry | undefined> {
  const entry = await store.write(
    ['outbox', 'tray', 'meta', 'blobs'],
    async (tx) => {
      const old = await tx.objectStore('tray').get(id);
      if (!old) return undefined;
      const again = renamed(plain(old), old.code === 'id_reused' ? newId() : id);
      again.seq = await nextSeq(tx);
      again.body = { ...(body ?? old.body), occurred_at: old.body['occurred_at'] };
      again.attempts = again.not_before = 0;
      await tx.objectStore('tray').delete(id);
      await tx.objectStore('outbox').put(again);
      for (const photo of again.photos) {
        const kept = await tx.objectStore('blobs').get(photo);
        if (kept) await tx.objectStore('blobs').put({ ...kept, fact: again.id });
      }
      return again;
    },
    true,
  );
  if (entry) announce({ person: store.person, queue: { outbox: [entry], trayGone: [id] } });
  return entry;
}

/** Throws a refused entry away for good. */
export async function discard(store: Store, id: Id): Promise<void> {
  await store.write(['tray'], (tx) => tx.objectStore('tray').delete(id), true);
  announce({ person: store.person, queue: { trayGone: [id] } });
}

function renamed(entry: Entry, id: Id): Entry {
  const effects = entry.effects.map((effect) =>
    effect.id === entry.id ? { ...effect, id, doc: { ...effect.doc, id } } : effect,
  );
  return { ...entry, id, path: entry.path.replace(entry.id, id), effects };
}
