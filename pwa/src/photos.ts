/** Photos on the phone: made smaller, freed of what the camera wrote into them, kept until the server has them. */

import { readable, type Readable } from 'svelte/store';
import { hear } from './changes';
import { emptyDelivered, isFull, store, type Store, type StoredPhoto } from './db';
import { newId } from './ids';
import { drawn, encoded, JPEG, shrunk } from './pictures';
import { API } from './queue';
import { saving } from './thrift';
import type { Id, PhotoRef } from './types';

const FULL = { longest: 1600, quality: 0.82 };
const SPARING = { longest: 1024, quality: 0.7 };
const THUMBNAIL = 320;
/** Bytes of delivered pictures kept in case the server is restored from a backup that lacks them. */
const MOST_DELIVERED = 100 * 1024 * 1024;
const FORGOTTEN_MS = 14 * 24 * 3600 * 1000;

/** There is no room left on this phone; what was typed is safe. */
export class PhotoNotKept extends Error {
  override name = 'PhotoNotKept';
}

/** Shrinks to 1600 px (1024 when data is saved), drops all metadata, keeps it. Raises `PictureUnreadable` or `PhotoNotKept`. */
export async function keepPhoto(file: Blob): Promise<PhotoRef> {
  // Whose it is, is decided when it was taken: making it smaller takes a moment.
  const mine = store();
  if (!mine) throw new PhotoNotKept('nobody is signed in');
  const { longest, quality } = saving() ? SPARING : FULL;
  const small = await shrunk(file, longest);
  const bytes = await encoded(small, quality);
  const photo: StoredPhoto = {
    id: newId(),
    fact: null,
    sha256: await sha256(bytes),
    mime: JPEG,
    size: bytes.byteLength,
    bytes,
    thumbnail: await encoded(drawn(small, small, THUMBNAIL), 0.7),
    url: null,
    state: 'waiting',
    made_at: Date.now(),
  };
  await keep(mine, photo);
  return { id: photo.id, sha256: photo.sha256, size: photo.size, mime: photo.mime };
}

/** An address for an `<img>`: the phone's own copy, else the server's. The caller revokes what begins with `blob:`. */
export async function photoAddress(id: Id, small = true): Promise<string> {
  const photo = await store()?.read(['blobs'], (tx) => tx.objectStore('blobs').get(id));
  const bytes = small || photo?.bytes.byteLength === 0 ? photo?.thumbnail : photo?.bytes;
  if (photo && bytes && (small || photo.bytes.byteLength > 0)) {
    return URL.createObjectURL(new Blob([bytes], { type: photo.mime }));
  }
  return `${API}/photos/${id}${small ? '/thumbnail' : ''}`;
}

/** Takes a photo out of a draft. */
export async function dropPhoto(id: Id): Promise<void> {
  await store()?.write(['blobs'], (tx) => tx.objectStore('blobs').delete(id));
}

/** Of photos of a fact; one in a draft waits for nothing. */
export interface Progress {
  sent: number;
  size: number;
  state: StoredPhoto['state'];
  /** Bytes of it are on their way at this moment. */
  moving: boolean;
}
/** How far each photo of this phone has got. */
export const progress: Readable<ReadonlyMap<Id, Progress>> = readable<ReadonlyMap<Id, Progress>>(new Map(), (set) => {
  let known = new Map<Id, Progress>();
  void store()
    ?.read(['blobs'], (tx) => tx.objectStore('blobs').getAll())
    .then((photos) => {
      for (const { id, size, state, fact } of photos) {
        if (fact === null || known.has(id)) continue;
        known.set(id, { sent: state === 'delivered' ? size : 0, size, state, moving: false });
      }
      set((known = new Map(known)));
    });
  return hear((change) => {
    if (!change.photo || change.person !== store()?.person) return;
    const { id, ...rest } = change.photo;
    set((known = new Map(known).set(id, rest)));
  });
});

/** Forgets pictures of drafts that nobody came back to, and what was delivered so long ago that nobody asks for it again. */
export async function tidyPhotos(): Promise<void> {
  const old = Date.now() - FORGOTTEN_MS;
  await store()?.write(['blobs', 'drafts'], async (tx) => {
    const drafts = JSON.stringify(await tx.objectStore('drafts').getAll());
    for (let at = await tx.objectStore('blobs').openCursor(); at; at = await at.continue()) {
      // Not by its age alone: the phone's clock may have stood in 1970 when it was taken.
      const idle = at.value.fact === null ? !drafts.includes(at.value.id) : at.value.state === 'delivered';
      if (idle && at.value.made_at < old) await at.delete();
    }
    let kept = 0;
    await emptyDelivered(tx, (photo) => (kept += photo.size) > MOST_DELIVERED);
  });
}

async function keep(mine: Store, photo: StoredPhoto): Promise<void> {
  try {
    await mine.write(['blobs'], (tx) => tx.objectStore('blobs').put(photo), true);
  } catch (error) {
    if (isFull(error)) throw new PhotoNotKept('no room on this phone');
    throw error;
  }
}

async function sha256(bytes: ArrayBuffer): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
