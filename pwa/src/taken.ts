/** What is taken along as a file: everything the server does not have, and the way back into the phone of the same person. */

import { announce } from './changes';
import type { Draft, Entry, Store, StoredPhoto, TrayEntry } from './db';
import { signedIn } from './outbox';
import { nextSeq, plain } from './queue';
import type { Id } from './types';

interface TakenPhoto extends Pick<StoredPhoto, 'id' | 'fact' | 'sha256' | 'mime'> {
  base64: string;
}
interface Taken {
  person: Id;
  waiting: Entry[];
  refused: TrayEntry[];
  drafts: Draft[];
  photos: TakenPhoto[];
}

/** A file that was not taken along from here (`unreadable`), or by somebody else (`anothers`). */
export class NotOurFile extends Error {
  override name = 'NotOurFile';
  constructor(readonly why: 'unreadable' | 'anothers') {
    super(why);
  }
}

/** Everything of this person that the server does not have, photos and begun forms included, as a JSON file's text. */
export async function exported(): Promise<string> {
  const mine = signedIn();
  const kept = await mine.read(['outbox', 'tray', 'drafts', 'blobs'], async (tx) => ({
    waiting: await tx.objectStore('outbox').getAll(),
    refused: await tx.objectStore('tray').getAll(),
    drafts: await tx.objectStore('drafts').getAll(),
    photos: (await tx.objectStore('blobs').getAll()).filter((photo) => photo.state !== 'delivered'),
  }));
  kept.waiting.sort((a, b) => a.seq - b.seq);
  const photos = kept.photos.map(({ id, fact, sha256, mime, bytes }) => ({
    ...{ id, fact, sha256, mime },
    base64: base64(new Uint8Array(bytes)),
  }));
  return JSON.stringify({ person: mine.person, ...kept, photos }, null, 2);
}

/** One refused entry as a JSON file's text. */
export function exportedOne(entry: TrayEntry): string {
  return JSON.stringify({ person: signedIn().person, ...entry }, null, 2);
}

/**
 * Takes a file back in, as a whole: what this phone knows already stays as it is, and ids make sure that nothing counts twice
 * which had arrived after all. Returns how many entries came back. Raises `NotOurFile`, or `QuotaExceededError`.
 */
export async function bringBack(text: string): Promise<number> {
  const mine = signedIn();
  const taken = read(text);
  if (taken.person !== mine.person) throw new NotOurFile('anothers');
  const outbox: Entry[] = [];
  const tray: TrayEntry[] = [];
  const photos: StoredPhoto[] = [];
  await mine.write(
    ['outbox', 'sent', 'tray', 'drafts', 'blobs', 'meta'],
    async (tx) => {
      outbox.length = tray.length = photos.length = 0;
      const known = async (id: Id) => {
        for (const name of ['outbox', 'sent', 'tray'] as const) if (await tx.objectStore(name).get(id)) return true;
        return false;
      };
      for (const entry of taken.waiting) {
        if (await known(entry.id)) continue;
        outbox.push({ ...plain(entry), seq: await nextSeq(tx), attempts: 0, not_before: 0 });
        await tx.objectStore('outbox').put(outbox.at(-1)!);
      }
      for (const entry of taken.refused) {
        if (await known(entry.id)) continue;
        tray.push(entry);
        await tx.objectStore('tray').put(entry);
      }
      for (const draft of taken.drafts) {
        if (!(await tx.objectStore('drafts').get(draft.key))) await tx.objectStore('drafts').put(draft);
      }
      for (const { base64, ...photo } of taken.photos) {
        if (await tx.objectStore('blobs').get(photo.id)) continue;
        const bytes = bytesOf(base64);
        const fresh = { url: null, state: 'waiting', made_at: Date.now(), size: bytes.byteLength } as const;
        photos.push({ ...photo, ...fresh, bytes, thumbnail: bytes });
        await tx.objectStore('blobs').put(photos.at(-1)!);
      }
    },
    true,
  );
  tell(mine, outbox, tray, photos);
  return outbox.length + tray.length;
}

function tell(mine: Store, outbox: Entry[], tray: TrayEntry[], photos: StoredPhoto[]): void {
  announce({ person: mine.person, queue: { outbox, tray } });
  for (const { id, size, state, fact } of photos) {
    if (fact !== null) announce({ person: mine.person, photo: { id, sent: 0, size, state, moving: false } });
  }
}

/** The parts of a file, each of the shape it left with; raises `NotOurFile`. */
function read(text: string): Taken {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    throw new NotOurFile('unreadable');
  }
  if (!isRecord(found) || typeof found['person'] !== 'string') throw new NotOurFile('unreadable');
  const one = 'path' in found ? [found] : [];
  const { person, waiting = [], refused = one, drafts = [], photos = [] } = found;
  if (
    !listOf(waiting, isEntry) ||
    !listOf(refused, isRefused) ||
    !listOf(drafts, isDraft) ||
    !listOf(photos, isPhoto)
  ) {
    throw new NotOurFile('unreadable');
  }
  return { person: person, waiting, refused, drafts, photos };
}

function listOf<T>(list: unknown, fits: (one: unknown) => one is T): list is T[] {
  return Array.isArray(list) && list.every(fits);
}

function isEntry(one: unknown): one is Entry {
  if (!isRecord(one) || !isRecord(one['body']) || !Array.isArray(one['photos']) || !isId(one['id'])) return false;
  const effects = one['effects'];
  if (!Array.isArray(effects) || !effects.every((effect) => isRecord(effect) && isRecord(effect['doc']))) return false;
  const numbers = typeof one['seq'] === 'number' && (one['priority'] === 0 || one['priority'] === 1);
  return numbers && typeof one['made_at'] === 'string' && /^\/api\/v1\/[\w/-]+$/.test(String(one['path']));
}

function isRefused(one: unknown): one is TrayEntry {
  if (!isEntry(one)) return false;
  const { code, message, errors, at } = one as Partial<TrayEntry>;
  return [code, message, at].every((word) => typeof word === 'string') && Array.isArray(errors);
}

function isDraft(one: unknown): one is Draft {
  return isRecord(one) && typeof one['key'] === 'string' && typeof one['saved_at'] === 'number';
}

function isPhoto(one: unknown): one is TakenPhoto {
  if (!isRecord(one) || !isId(one['id']) || !(one['fact'] === null || isId(one['fact']))) return false;
  const fits = /^[0-9a-f]{64}$/.test(String(one['sha256'])) && /^image\/[a-z]+$/.test(String(one['mime']));
  return fits && typeof one['base64'] === 'string' && /^[A-Za-z0-9+/]*={0,2}$/.test(one['base64']);
}

function isRecord(one: unknown): one is Record<string, unknown> {
  return typeof one === 'object' && one !== null && !Array.isArray(one);
}

function isId(one: unknown): one is Id {
  return typeof one === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(one);
}

/** Piece by piece, because a call takes only so many arguments. */
function base64(bytes: Uint8Array): string {
  let binary = '';
  for (let at = 0; at < bytes.length; at += 0x8000) binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(binary);
}

function bytesOf(base64: string): ArrayBuffer {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)).buffer;
}
