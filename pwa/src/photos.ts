/** Photos on the phone: made smaller, freed of what the camera wrote into them, kept until the server has them. */

import { readable, type Readable } from 'svelte/store';
import { hear } from './changes';
import { emptyDelivered, isFull, store, type Store, type StoredPhoto } from './db';
import { newId } from './ids';
import { API } from './queue';
import { saving } from './thrift';
import type { Id, PhotoRef } from './types';

const FULL = { longest: 1600, quality: 0.82 };
const SPARING = { longest: 1024, quality: 0.7 };
const THUMBNAIL = 320;
const MIME = 'image/jpeg';
/** Bytes of delivered pictures kept in case the server is restored from a backup that lacks them. */
const MOST_DELIVERED = 100 * 1024 * 1024;
const FORGOTTEN_MS = 14 * 24 * 3600 * 1000;

/** This browser cannot read the picture; another format may work. */
export class PhotoUnreadable extends Error {
  override name = 'PhotoUnreadable';
}
/** There is no room left on this phone; what was typed is safe. */
export class PhotoNotKept extends Error {
  override name = 'PhotoNotKept';
}

/** Shrinks to 1600 px (1024 when data is saved), drops all metadata, keeps it. Raises `PhotoUnreadable` or `PhotoNotKept`. */
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
    mime: MIME,
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

/** Forgets pictures of drafts that nobody came back to, and what was delivered so long ago that nobody asks for it again. */
export async function tidyPhotos(): Promise<void> {
  const old = Date.now() - FORGOTTEN_MS;
  await store()?.write(['blobs'], async (tx) => {
    for (let at = await tx.objectStore('blobs').openCursor(); at; at = await at.continue()) {
      const idle = at.value.fact === null || at.value.state === 'delivered';
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

interface Size {
  width: number;
  height: number;
}

/** The picture made small; the large one, a fifth of a gigabyte for the best cameras, is let go at once. */
async function shrunk(file: Blob, longest: number): Promise<HTMLCanvasElement> {
  let large: ImageBitmap;
  try {
    large = await createImageBitmap(file, { imageOrientation: 'from-image' });
  } catch {
    return await shrunkByElement(file, longest);
  }
  try {
    return drawn(large, large, longest);
  } finally {
    large.close();
  }
}

/** Safari reads some pictures (HEIC) only as an element of the page. */
async function shrunkByElement(file: Blob, longest: number): Promise<HTMLCanvasElement> {
  const picture = new Image();
  picture.src = URL.createObjectURL(file);
  try {
    await picture.decode();
    return drawn(picture, { width: picture.naturalWidth, height: picture.naturalHeight }, longest);
  } catch {
    throw new PhotoUnreadable(file.type);
  } finally {
    URL.revokeObjectURL(picture.src);
  }
}

/** Drawing anew leaves behind place, time and maker that the camera wrote into the file. */
function drawn(picture: CanvasImageSource, size: Size, longest: number): HTMLCanvasElement {
  const factor = Math.min(1, longest / Math.max(size.width, size.height));
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(size.width * factor));
  canvas.height = Math.max(1, Math.round(size.height * factor));
  const pen = canvas.getContext('2d');
  if (!pen) throw new PhotoUnreadable('no canvas');
  pen.imageSmoothingQuality = 'high';
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return canvas;
}

async function encoded(canvas: HTMLCanvasElement, quality: number): Promise<ArrayBuffer> {
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, MIME, quality));
  if (!blob) throw new PhotoUnreadable('no encoder');
  return await blob.arrayBuffer();
}

async function sha256(bytes: ArrayBuffer): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
