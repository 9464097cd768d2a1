/** Sends kept photos by tus 1.0 once the fact that names them was accepted; a cut upload goes on where the server stands. */

import { call, callForHeaders, Offline, Refused } from './api';
import { announce } from './changes';
import type { Store, StoredPhoto } from './db';
import { heard } from './flush';
import { exclusive } from './locks';
import type { Id, Me } from './types';

const CHUNK = 256 * 1024;
const SMALLEST_CHUNK = 32 * 1024;
const TUS = { 'Tus-Resumable': '1.0.0' };
/** How often the server may say that it stands elsewhere, before the photo counts as refused. */
const MOST_MOVES = 3;
const CHUNK_TIMEOUT_MS = 90_000;
/** Bytes of the next chunk; fewer after a time-out, because a slow link may never take a large one whole. */
let chunk = CHUNK;

/** Uploads every photo whose fact the server has. Stops quietly when the connection or the session ends. */
export function uploadWaiting(store: Store): Promise<void> {
  return exclusive(`tocsin-upload-${store.person}`, async () => {
    for (const id of await due(store)) {
      try {
        await upload(store, id);
      } catch (error) {
        if (error instanceof Offline) return;
        if (!(error instanceof Refused)) throw error;
        if (!final(error) || !(await isOwn(store))) return;
        await change(store, id, { state: 'refused', code: error.code });
      }
    }
  });
}

/** A refusal is final only when this person's own session got it: to another's the server says there is no such photo. */
async function isOwn(store: Store): Promise<boolean> {
  try {
    const own = (await call<Me>('GET', '/me')).person.id === store.person;
    if (!own) heard({ wrongPerson: true });
    return own;
  } catch (error) {
    if (error instanceof Offline || error instanceof Refused) return false;
    throw error;
  }
}

async function due(store: Store): Promise<Id[]> {
  return await store.read(['blobs', 'outbox', 'tray'], async (tx) => {
    const held = new Set([
      ...(await tx.objectStore('outbox').getAllKeys()),
      ...(await tx.objectStore('tray').getAllKeys()),
    ]);
    const found: { id: Id; made_at: number }[] = [];
    // One after the other: all pictures at once are more than a small phone's memory.
    for (let at = await tx.objectStore('blobs').index('state').openCursor('waiting'); at; at = await at.continue()) {
      const { id, fact, made_at } = at.value;
      if (fact !== null && !held.has(fact)) found.push({ id, made_at });
    }
    return found.sort((a, b) => a.made_at - b.made_at).map(({ id }) => id);
  });
}

async function upload(store: Store, id: Id): Promise<void> {
  let again = 2;
  for (;;) {
    const photo = await store.read(['blobs'], (tx) => tx.objectStore('blobs').get(id));
    if (!photo || photo.state !== 'waiting') return;
    try {
      const url = photo.url ?? (await begin(store, photo));
      await send(store, photo, url);
      // The picture stays for a while, in case the server is restored from a backup that lacks it.
      await change(store, id, { state: 'delivered' });
      return;
    } catch (error) {
      // Expired, or damaged on the way: begun anew, a bounded number of times.
      const anew = error instanceof Refused && (error.status === 404 || error.status === 410 || error.status === 460);
      if (!anew || again-- === 0) throw error;
      await change(store, id, { url: null });
    }
  }
}

async function begin(store: Store, photo: StoredPhoto): Promise<string> {
  const metadata = `id ${btoa(photo.id)},sha256 ${btoa(photo.sha256)},mime ${btoa(photo.mime)}`;
  const headers = await callForHeaders('POST', '/uploads', {
    headers: { ...TUS, 'Upload-Length': String(photo.bytes.byteLength), 'Upload-Metadata': metadata },
  });
  const location = headers.get('Location');
  if (!location) throw new Offline('an upload without an address');
  // Only a path is kept: an upload goes to the server this app came from and nowhere else.
  const url = new URL(location, self.location.origin).pathname;
  await change(store, photo.id, { url });
  return url;
}

async function send(store: Store, photo: StoredPhoto, url: string): Promise<void> {
  let offset = await offsetOf(url);
  let moved = 0;
  try {
    while (offset < photo.bytes.byteLength) {
      tell(store, photo, offset, true);
      const data = photo.bytes.slice(offset, offset + chunk);
      const headers = { ...TUS, 'Upload-Offset': String(offset), 'Content-Type': 'application/offset+octet-stream' };
      try {
        const answer = await callForHeaders('PATCH', url, { raw: { data, headers }, timeoutMs: CHUNK_TIMEOUT_MS });
        const reached = Number(answer.get('Upload-Offset'));
        if (!(reached > offset)) throw new Offline('an upload that does not move');
        offset = reached;
        chunk = Math.min(CHUNK, chunk * 2);
      } catch (error) {
        if (error instanceof Offline && error.timedOut) chunk = Math.max(SMALLEST_CHUNK, chunk / 2);
        if (!(error instanceof Refused && error.status === 409)) throw error;
        const stands = await offsetOf(url);
        if (stands === offset || moved++ === MOST_MOVES) throw error;
        offset = stands;
      }
    }
  } finally {
    tell(store, photo, offset, false);
  }
}

async function offsetOf(url: string): Promise<number> {
  const offset = (await callForHeaders('HEAD', url, { headers: TUS })).get('Upload-Offset');
  if (offset === null || !Number.isInteger(Number(offset))) throw new Offline('an upload without an offset');
  return Number(offset);
}

async function change(store: Store, id: Id, part: Partial<StoredPhoto>): Promise<void> {
  const photo = await store.write(['blobs'], async (tx) => {
    const kept = await tx.objectStore('blobs').get(id);
    if (!kept) return undefined;
    const changed = { ...kept, ...part };
    await tx.objectStore('blobs').put(changed);
    return changed;
  });
  if (photo && part.state) tell(store, photo, part.state === 'delivered' ? photo.size : 0, false);
}

function tell(store: Store, { id, size, state }: StoredPhoto, sent: number, moving: boolean): void {
  announce({ person: store.person, photo: { id, sent, size, state, moving } });
}

/** What no repeat can mend; a lost session, a busy or failing server can. */
function final(error: Refused): boolean {
  if (error.code === 'offset_wrong') return false;
  return error.status >= 400 && error.status < 500 && ![401, 408, 423, 425, 429].includes(error.status);
}
