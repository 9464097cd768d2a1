/** The phone's store: one database per person and a tiny shared one; page and worker open them by this one schema. */

import type { DBSchema, IDBPDatabase, IDBPTransaction, StoreNames } from 'idb';
import { Connection, isFull } from './connect';
import type { BatchResult, FieldError, Id, Instant, RowType } from './types';

export interface StoredRow {
  space: string;
  type: string;
  id: Id;
  version: number;
  doc: Record<string, unknown>;
}
/** What a fact will change on the screen until the server's own row says so. */
export interface Effect {
  type: RowType;
  id: Id;
  doc: Record<string, unknown>;
}
/** A fact waiting to be sent. */
export interface Entry {
  id: Id;
  /** Per device and person, without gaps: the order of taps, whatever the phone's clock did. */
  seq: number;
  /** 0 for answers and receipts, 1 for everything else. */
  priority: 0 | 1;
  path: string;
  body: Record<string, unknown>;
  effects: Effect[];
  photos: Id[];
  made_at: Instant;
  attempts: number;
  /** Phone time in ms before which the server asked not to be asked again. */
  not_before: number;
  /** What it speaks of is not there since a backup was restored; another phone may bring it back. */
  missing?: boolean;
}
export interface SentEntry extends Entry {
  /** Phone time in ms. */
  sent_at: number;
  status: BatchResult['status'];
  /** 1 once a pull that began after the answer has ended: the server's rows then show the fact. */
  settled: 0 | 1;
}
export interface TrayEntry extends Entry {
  code: string;
  message: string;
  errors: FieldError[];
  at: Instant;
}
export interface Draft {
  key: string;
  value: unknown;
  saved_at: number;
}
export interface StoredPhoto {
  id: Id;
  /** The fact that names this photo; null while it is only part of a draft. */
  fact: Id | null;
  sha256: string;
  mime: string;
  size: number;
  /** ArrayBuffers, because Blobs in IndexedDB fail on iOS; emptied when room is needed, once the server has the photo. */
  bytes: ArrayBuffer;
  thumbnail: ArrayBuffer;
  /** Where the upload continues. */
  url: string | null;
  /** It has been sent, in part at least; whether anything arrived only the server knows. */
  tried?: boolean;
  state: 'waiting' | 'delivered' | 'refused';
  code?: string;
  made_at: number;
}

export interface PersonSchema extends DBSchema {
  rows: { key: [string, string, string]; value: StoredRow; indexes: { space: string; type: string } };
  cursors: { key: string; value: { space: string; version: number } };
  outbox: { key: string; value: Entry; indexes: { order: [number, number] } };
  sent: { key: string; value: SentEntry; indexes: { sent_at: number } };
  tray: { key: string; value: TrayEntry };
  drafts: { key: string; value: Draft };
  blobs: { key: string; value: StoredPhoto; indexes: { state: string } };
  meta: { key: string; value: unknown };
}
interface SharedSchema extends DBSchema {
  settings: { key: string; value: unknown };
}

export { isFull, StoreUnavailable } from './connect';
export type StoreName = StoreNames<PersonSchema>;
export type ReadTx = IDBPTransaction<PersonSchema, StoreName[], 'readonly'>;
export type WriteTx = IDBPTransaction<PersonSchema, StoreName[], 'readwrite'>;

const VERSION = 3;
const SHARED_VERSION = 1;

/** One person's data on this phone. */
export class Store {
  private readonly connection: Connection<PersonSchema>;

  constructor(readonly person: Id) {
    this.connection = new Connection<PersonSchema>(databaseOf(person), VERSION, upgradePerson);
  }

  read<T>(stores: StoreName[], work: (tx: ReadTx) => Promise<T>): Promise<T> {
    return this.connection.run(async (db) => {
      const tx = db.transaction(stores, 'readonly');
      const result = await work(tx);
      await tx.done;
      return result;
    });
  }

  /**
   * One transaction; `strict` waits until the disk has it, for what a person typed or tapped. `work` may run twice. On a
   * full phone what the server has makes room first. Raises `QuotaExceededError` when that is not enough.
   */
  async write<T>(stores: StoreName[], work: (tx: WriteTx) => Promise<T>, strict = false): Promise<T> {
    try {
      return await this.attempt(stores, work, strict);
    } catch (error) {
      if (!isFull(error)) throw error;
      await this.makeRoom();
      return await this.attempt(stores, work, strict);
    }
  }

  private attempt<T>(stores: StoreName[], work: (tx: WriteTx) => Promise<T>, strict: boolean): Promise<T> {
    return this.connection.run(async (db) => {
      const tx = db.transaction(stores, 'readwrite', { durability: strict ? 'strict' : 'relaxed' });
      // A failed request aborts the transaction; its own rejection is the one worth telling.
      tx.done.catch(() => undefined);
      try {
        const result = await work(tx);
        await tx.done;
        return result;
      } catch (error) {
        try {
          tx.abort();
        } catch {
          // Already aborted or committed.
        }
        throw error;
      }
    });
  }

  private async makeRoom(): Promise<void> {
    if ('caches' in globalThis) await caches.delete('tocsin-photos');
    await this.attempt(['blobs'], (tx) => emptyDelivered(tx, () => true), false);
  }

  async meta<T>(key: string): Promise<T | undefined> {
    return this.read(['meta'], async (tx) => (await tx.objectStore('meta').get(key)) as T | undefined);
  }

  async setMeta(key: string, value: unknown): Promise<void> {
    await this.write(['meta'], (tx) => tx.objectStore('meta').put(value, key));
  }

  /** Whether the person has left this phone, here or in another tab. */
  get left(): boolean {
    return this.connection.ended;
  }

  /** Leaves the store for good; its data stays. */
  close(): void {
    this.connection.close();
  }

  /** Deletes everything of this person on this phone. */
  async destroy(): Promise<void> {
    await this.connection.delete();
  }
}

const shared = new Connection<SharedSchema>('tocsin', SHARED_VERSION, (db) => {
  if (!db.objectStoreNames.contains('settings')) db.createObjectStore('settings');
});

export function setting<T>(key: string): Promise<T | undefined> {
  return shared.run(async (db) => (await db.get('settings', key)) as T | undefined);
}

export async function setSetting(key: string, value: unknown): Promise<void> {
  await shared.run((db) => db.put('settings', value, key));
}

let open: Store | null = null;

/** The store of the person this page or worker works for; null when nobody is signed in. */
export function store(): Store | null {
  return open;
}

/** Changes whom this page or worker works for. */
export function useStore(person: Id | null): Store | null {
  if (open?.person === person && !open.left) return open;
  open?.close();
  open = person === null ? null : new Store(person);
  return open;
}

function databaseOf(person: Id): string {
  return `tocsin-${person}`;
}

/** Drops the pictures the server has; their thumbnails stay for the screen. */
export async function emptyDelivered(tx: WriteTx, which: (photo: StoredPhoto) => boolean): Promise<void> {
  const blobs = tx.objectStore('blobs');
  for (let at = await blobs.index('state').openCursor('delivered'); at; at = await at.continue()) {
    if (at.value.bytes.byteLength > 0 && which(at.value)) await at.update({ ...at.value, bytes: new ArrayBuffer(0) });
  }
}

/** Only ever adds: an older page or worker that still runs goes on with the parts it knows. */
function upgradePerson(
  db: IDBPDatabase<PersonSchema>,
  from: number,
  tx: IDBPTransaction<PersonSchema, StoreName[], 'versionchange'>,
): void {
  if (from < 1) {
    db.createObjectStore('rows', { keyPath: ['space', 'type', 'id'] }).createIndex('space', 'space');
    db.createObjectStore('cursors', { keyPath: 'space' });
    db.createObjectStore('outbox', { keyPath: 'id' }).createIndex('order', ['priority', 'seq']);
    db.createObjectStore('sent', { keyPath: 'id' }).createIndex('sent_at', 'sent_at');
    db.createObjectStore('tray', { keyPath: 'id' });
    db.createObjectStore('drafts', { keyPath: 'key' });
    db.createObjectStore('blobs', { keyPath: 'id' });
    db.createObjectStore('meta');
  }
  // Which photos wait is asked at every sync; their bytes should not be read for it.
  if (from < 2) tx.objectStore('blobs').createIndex('state', 'state');
  // The first screen does without the types that grow.
  if (from < 3) tx.objectStore('rows').createIndex('type', 'type');
}
