/** Sends kept photos by tus 1.0 once the fact that names them was accepted; a cut upload goes on where the server stands. */

import { call, callForHeaders, Offline, Refused } from './api';
import { announce } from './changes';
import type { Store, StoredPhoto } from './db';
import { heard } from './flush';
import { exclusive } from './locks';
import type { Id, Me } from './types';

const CHUNK = 256 * 1024;
const SMALLEST_CHUNK = 32 * 1024;
const LARGEST_CHUNK = 1024 * 1024;
/** A piece is what the link takes in about this time: few answers to wait for, and still often told how far it is. */
const PIECE_MS = 10_000;
/** So much longer a last piece may be, rather than leave a small one to follow. */
const LAST = 1.25;
/** The share of its usual time after which the bytes of a piece have mostly left. */
const NEARLY = 0.8;
/** A shorter wait than this for an answer is not worth a second photo at a time. */
const WORTH_MS = 200;
const TUS = { 'Tus-Resumable': '1.0.0' };
/** How often the server may say that it stands elsewhere, before the photo counts as refused. */
const MOST_MOVES = 3;
const CHUNK_TIMEOUT_MS = 90_000;
/** Bytes of the next chunk; fewer after a time-out, because a slow link may never take a large one whole. */
let chunk = CHUNK;
/** Milliseconds that a byte of the last piece took, with the wait for its answer; 0 when none was sent. */
let pace = 0;
/** Whether the server takes the first bytes with the first request; an older one leaves them. */
let takesAtOnce = true;

/** Forgets what the link has shown to take: this may be another one. */
export function forgetLink(): void {
  chunk = CHUNK;
  pace = 0;
  takesAtOnce = true;
}

interface Place {
  url: string;
  offset: number;
}

/** A photo that is being sent. */
interface Sending {
  store: Store;
  photo: StoredPhoto;
  /** Called when its last bytes must soon have left: the next may begin. */
  leaving: () => void;
}

/**
 * Uploads every photo whose fact the server has. Stops quietly when the connection or the session ends.
 * One begins while the answer to the one before is still waited for, so that the link is never idle; no more than two are under way.
 */
export function uploadWaiting(store: Store): Promise<void> {
  return exclusive(`tocsin-upload-${store.person}`, async () => {
    let before = Promise.resolve(true);
    for (const id of await due(store)) {
      const { promise: left, resolve: leaving } = signal();
      const mine = attempt(store, id, leaving).finally(leaving);
      const [goOn] = await Promise.all([before, left]);
      before = mine;
      if (!goOn) break;
    }
    await before;
  });
}

/** Uploads one; whether the others may be tried as well. */
async function attempt(store: Store, id: Id, leaving: () => void): Promise<boolean> {
  try {
    await upload(store, id, leaving);
  } catch (error) {
    if (error instanceof Offline) return false;
    if (!(error instanceof Refused)) throw error;
    if (!final(error) || !(await isOwn(store))) return false;
    // Not when the server was restored from a backup meanwhile: the report waits again itself, and its photo with it.
    if ((await due(store)).includes(id)) await change(store, id, { state: 'refused', code: error.code });
  }
  return true;
}

function signal(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
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

async function upload(store: Store, id: Id, leaving: () => void): Promise<void> {
  let again = 2;
  for (;;) {
    const photo = await store.read(['blobs'], (tx) => tx.objectStore('blobs').get(id));
    if (!photo || photo.state !== 'waiting') return;
    try {
      const sending = { store, photo, leaving };
      await send(sending, photo.url === null ? await begin(sending) : await placeOf(photo.url));
      // The picture stays for a while, in case the server is restored from a backup that lacks it.
      await change(store, id, { state: 'delivered' });
      return;
    } catch (error) {
      // Expired, or damaged on the way: begun anew, a bounded number of times.
      const anew = error instanceof Refused && [404, 410, 460].includes(error.status);
      if (!anew || again-- === 0) throw error;
      await change(store, id, { url: null });
    }
  }
}

/** The first try sends the first bytes at once. Any other asks first: what was sent before may have arrived. */
async function begin(sending: Sending): Promise<Place> {
  const { store, photo } = sending;
  const metadata = `id ${btoa(photo.id)},sha256 ${btoa(photo.sha256)},mime ${btoa(photo.mime)}`;
  const headers = { ...TUS, 'Upload-Length': String(photo.bytes.byteLength), 'Upload-Metadata': metadata };
  const first = takesAtOnce && !photo.tried;
  if (first) await change(store, photo.id, { tried: true });
  if (first) tell(store, photo, 0, true);
  try {
    const answer = first
      ? await sendPiece(sending, 'POST', '/uploads', 0, headers)
      : await callForHeaders('POST', '/uploads', { headers });
    const location = answer.get('Location');
    if (!location) throw new Offline('an upload without an address');
    // Only a path is kept: an upload goes to the server this app came from and nowhere else.
    const url = new URL(location, self.location.origin).pathname;
    await change(store, photo.id, { url });
    const place = answer.has('Upload-Offset') ? { url, offset: offsetIn(answer) } : await placeOf(url);
    if (first) takesAtOnce = place.offset > 0;
    return place;
  } catch (error) {
    tell(store, photo, 0, false);
    throw error;
  }
}

async function send(sending: Sending, { url, offset }: Place): Promise<void> {
  const { store, photo } = sending;
  let moved = 0;
  try {
    while (offset < photo.bytes.byteLength) {
      tell(store, photo, offset, true);
      try {
        const reached = offsetIn(await sendPiece(sending, 'PATCH', url, offset, { 'Upload-Offset': String(offset) }));
        if (!(reached > offset)) throw new Offline('an upload that does not move');
        offset = reached;
      } catch (error) {
        if (!(error instanceof Refused && error.status === 409)) throw error;
        const stands = (await placeOf(url)).offset;
        if (stands === offset || moved++ === MOST_MOVES) throw error;
        offset = stands;
      }
    }
  } finally {
    tell(store, photo, offset, false);
  }
}

/** Sends the bytes from `offset` on, as many as make a piece, and learns how large the next may be. */
async function sendPiece(
  { photo, leaving }: Sending,
  method: string,
  url: string,
  offset: number,
  more: Record<string, string>,
): Promise<Headers> {
  const left = photo.bytes.byteLength - offset;
  const size = left <= chunk * LAST ? left : chunk;
  const headers = { ...TUS, ...more, 'Content-Type': 'application/offset+octet-stream' };
  const raw = { data: photo.bytes.slice(offset, offset + size), headers };
  const soon = size * pace * NEARLY;
  const timer = size === left && soon > WORTH_MS ? setTimeout(leaving, soon) : undefined;
  const since = Date.now();
  try {
    const answer = await callForHeaders(method, url, { raw, timeoutMs: CHUNK_TIMEOUT_MS });
    learn(size, Math.max(1, Date.now() - since));
    return answer;
  } catch (error) {
    if (error instanceof Offline && error.timedOut) chunk = Math.max(SMALLEST_CHUNK, Math.min(chunk, size) >> 1);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function learn(size: number, ms: number): void {
  if (size < CHUNK / 2) return; // a small piece is mostly waiting and tells nothing of the link
  pace = ms / size;
  if (size >= chunk) chunk = Math.min(chunk * 2, LARGEST_CHUNK, Math.max(CHUNK, Math.floor(PIECE_MS / pace)));
}

async function placeOf(url: string): Promise<Place> {
  return { url, offset: offsetIn(await callForHeaders('HEAD', url, { headers: TUS })) };
}

function offsetIn(answer: Headers): number {
  const offset = answer.get('Upload-Offset');
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
