/** Photos on the phone: made smaller, freed of what the camera wrote into them, kept until the server has them. */

import { readable, type Readable } from 'svelte/store';
import { hear } from './changes';
import { store, type StoredPhoto } from './db';
import { newId } from './ids';
import { API } from './queue';
import type { Id, PhotoRef } from './types';

const LONGEST = 1600;
const THUMBNAIL = 320;
const MIME = 'image/jpeg';
const FORGOTTEN_MS = 14 * 24 * 3600 * 1000;

/** This browser cannot read the picture; another format may work. */
export class PhotoUnreadable extends Error {
  override name = 'PhotoUnreadable';
}
/** There is no room left on this phone; what was typed is safe. */
export class PhotoNotKept extends Error {
  override name = 'PhotoNotKept';
}

/** Shrinks to 1600 px, drops all metadata, keeps it. Raises `PhotoUnreadable` or `PhotoNotKept`. */
export async function keepPhoto(file: Blob): Promise<PhotoRef> {
  let picture: ImageBitmap;
  try {
    picture = await createImageBitmap(file, { imageOrientation: 'from-image' });
  } catch {
    throw new PhotoUnreadable(file.type);
  }
  try {
    const bytes = await scaled(picture, LONGEST, 0.82);
    const photo: StoredPhoto = {
      id: newId(),
      fact: null,
      sha256: await sha256(bytes),
      mime: MIME,
      size: bytes.byteLength,
      bytes,
      thumbnail: await scaled(picture, THUMBNAIL, 0.7),
      url: null,
      state: 'waiting',
      made_at: Date.now(),
    };
    await keep(photo);
    return { id: photo.id, sha256: photo.sha256, size: photo.size, mime: photo.mime };
  } finally {
    picture.close();
  }
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

export interface Progress {
  sent: number;
  size: number;
  state: StoredPhoto['state'];
}
/** How far each photo of this phone has got. */
export const progress: Readable<ReadonlyMap<Id, Progress>> = readable<ReadonlyMap<Id, Progress>>(new Map(), (set) => {
  let known = new Map<Id, Progress>();
  void store()
    ?.read(['blobs'], (tx) => tx.objectStore('blobs').getAll())
    .then((photos) => {
      for (const { id, size, state } of photos) {
        if (!known.has(id)) known.set(id, { sent: state === 'delivered' ? size : 0, size, state });
      }
      set((known = new Map(known)));
    });
  return hear((change) => {
    if (!change.photo || change.person !== store()?.person) return;
    const { id, ...rest } = change.photo;
    set((known = new Map(known).set(id, rest)));
  });
});

/** Forgets pictures of drafts that nobody came back to, and old thumbnails. */
export async function tidyPhotos(): Promise<void> {
  await store()?.write(['blobs'], async (tx) => {
    for (const photo of await tx.objectStore('blobs').getAll()) {
      const idle = photo.fact === null || photo.state === 'delivered';
      if (idle && photo.made_at < Date.now() - FORGOTTEN_MS) await tx.objectStore('blobs').delete(photo.id);
    }
  });
}

async function keep(photo: StoredPhoto): Promise<void> {
  const write = () => store()?.write(['blobs'], (tx) => tx.objectStore('blobs').put(photo), true);
  try {
    await write();
  } catch (error) {
    if (!(error instanceof DOMException) || error.name !== 'QuotaExceededError') throw error;
    // What the server has, goes first; facts never.
    await makeRoom();
    try {
      await write();
    } catch {
      throw new PhotoNotKept('no room on this phone');
    }
  }
}

async function makeRoom(): Promise<void> {
  if ('caches' in globalThis) await caches.delete('tocsin-photos');
  await store()?.write(['blobs'], async (tx) => {
    for (const photo of await tx.objectStore('blobs').getAll()) {
      if (photo.state === 'delivered') await tx.objectStore('blobs').delete(photo.id);
    }
  });
}

/** Drawing anew leaves behind place, time and maker that the camera wrote into the file. */
async function scaled(picture: ImageBitmap, longest: number, quality: number): Promise<ArrayBuffer> {
  const factor = Math.min(1, longest / Math.max(picture.width, picture.height));
  const width = Math.max(1, Math.round(picture.width * factor));
  const height = Math.max(1, Math.round(picture.height * factor));
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  const pen = canvas.getContext('2d');
  if (!pen) throw new PhotoUnreadable('no canvas');
  pen.imageSmoothingQuality = 'high';
  pen.drawImage(picture, 0, 0, width, height);
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, MIME, quality));
  if (!blob) throw new PhotoUnreadable('no encoder');
  return await blob.arrayBuffer();
}

async function sha256(bytes: ArrayBuffer): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
