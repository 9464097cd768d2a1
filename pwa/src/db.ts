/** The phone's store: one database per person and a tiny shared one; page and worker open them by this one schema. */

import { deleteDB, openDB, type DBSchema, type IDBPDatabase, type IDBPTransaction, type StoreNames } from 'idb';
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
  /** ArrayBuffers, because Blobs in IndexedDB fail on iOS; emptied once the server has the photo. */
  bytes: ArrayBuffer;
  thumbnail: ArrayBuffer;
  /** Where the upload continues. */
  url: string | null;
  state: 'waiting' | 'delivered' | 'refused';
  code?: string;
  made_at: number;
}

export interface PersonSchema extends DBSchema {
  rows: { key: [string, string, string]; value: StoredRow; indexes: { space: string } };
  cursors: { key: string; value: { space: string; version: number } };
  outbox: { key: string; value: Entry; indexes: { order: [number, number] } };
  sent: { key: string; value: SentEntry; indexes: { sent_at: number } };
  tray: { key: string; value: TrayEntry };
  drafts: { key: string; value: Draft };
  blobs: { key: string; value: StoredPhoto };
  meta: { key: string; value: unknown };
}
interface SharedSchema extends DBSchema {
  settings: { key: string; value: unknown };
}

export type StoreName = StoreNames<PersonSchema>;
export type ReadTx = IDBPTransaction<PersonSchema, StoreName[], 'readonly'>;
export type WriteTx = IDBPTransaction<PersonSchema, StoreName[], 'readwrite'>;

const VERSION = 1;
const OPEN_TIMEOUT_MS = 10_000;
const isWorker = 'clients' in globalThis && !('document' in globalThis);

/** The store could not be opened: blocked by an old tab, forbidden by private mode, or newer than this code. */
export class StoreUnavailable extends Error {
  override name = 'StoreUnavailable';
}

/** A connection that is opened when needed, closed when another version asks, and opened once more when it was lost. */
class Connection<S extends DBSchema> {
  private opening: Promise<IDBPDatabase<S>> | null = null;
  private deleted = false;

  constructor(
    readonly name: string,
    private readonly upgrade: (db: IDBPDatabase<S>) => void,
  ) {}

  async run<T>(work: (db: IDBPDatabase<S>) => Promise<T>): Promise<T> {
    try {
      return await work(await this.open());
    } catch (error) {
      if (!wasLost(error)) throw error;
      this.close();
      return await work(await this.open());
    }
  }

  close(): void {
    this.opening?.then((db) => db.close()).catch(() => undefined);
    this.opening = null;
  }

  /** Deletes the database. Work that was under way meets `StoreUnavailable` instead of making an empty one anew. */
  async delete(): Promise<void> {
    this.deleted = true;
    this.close();
    await deleteDB(this.name);
  }

  private open(): Promise<IDBPDatabase<S>> {
    if (this.deleted) return Promise.reject(new StoreUnavailable(`${this.name} was deleted`));
    this.opening ??= this.connect().catch((error: unknown) => {
      this.opening = null;
      throw error;
    });
    return this.opening;
  }

  private async connect(): Promise<IDBPDatabase<S>> {
    const forget = () => {
      this.opening = null;
    };
    let timer: ReturnType<typeof setTimeout> | undefined;
    const wait = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new StoreUnavailable(`${this.name} is held by another tab`)), OPEN_TIMEOUT_MS);
    });
    const opened = openDB<S>(this.name, isWorker ? undefined : VERSION, {
      upgrade: (db, _from, _to, tx) => {
        // The worker never creates or upgrades: a page that does so would hang behind the worker's old connection.
        if (isWorker) tx.abort();
        else this.upgrade(db);
      },
      blocking: (_current, _wanted, event) => {
        (event.target as IDBDatabase).close();
        forget();
      },
      terminated: forget,
    });
    try {
      return await Promise.race([opened, wait]);
    } catch (error) {
      if (isWorker && error instanceof DOMException && error.name === 'AbortError') {
        throw new StoreUnavailable(`${this.name} is not there yet`);
      }
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** One person's data on this phone. */
export class Store {
  private readonly connection: Connection<PersonSchema>;

  constructor(readonly person: Id) {
    this.connection = new Connection<PersonSchema>(databaseOf(person), upgradePerson);
  }

  read<T>(stores: StoreName[], work: (tx: ReadTx) => Promise<T>): Promise<T> {
    return this.connection.run(async (db) => {
      const tx = db.transaction(stores, 'readonly');
      const result = await work(tx);
      await tx.done;
      return result;
    });
  }

  /** One transaction; `strict` waits until the disk has it, for what a person typed or tapped. */
  write<T>(stores: StoreName[], work: (tx: WriteTx) => Promise<T>, strict = false): Promise<T> {
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

  async meta<T>(key: string): Promise<T | undefined> {
    return this.read(['meta'], async (tx) => (await tx.objectStore('meta').get(key)) as T | undefined);
  }

  async setMeta(key: string, value: unknown): Promise<void> {
    await this.write(['meta'], (tx) => tx.objectStore('meta').put(value, key));
  }

  close(): void {
    this.connection.close();
  }

  /** Deletes everything of this person on this phone. */
  async destroy(): Promise<void> {
    await this.connection.delete();
  }
}

const shared = new Connection<SharedSchema>('tocsin', (db) => {
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
  if (open?.person === person) return open;
  open?.close();
  open = person === null ? null : new Store(person);
  return open;
}

function databaseOf(person: Id): string {
  return `tocsin-${person}`;
}

function wasLost(error: unknown): boolean {
  if (!(error instanceof DOMException)) return false;
  return (
    error.name === 'InvalidStateError' ||
    (error.name === 'AbortError' && /clos|lost/i.test(error.message)) ||
    (error.name === 'UnknownError' && /lost|clos|Internal/i.test(error.message))
  );
}

function upgradePerson(db: IDBPDatabase<PersonSchema>): void {
  if (db.objectStoreNames.contains('rows')) return;
  db.createObjectStore('rows', { keyPath: ['space', 'type', 'id'] }).createIndex('space', 'space');
  db.createObjectStore('cursors', { keyPath: 'space' });
  db.createObjectStore('outbox', { keyPath: 'id' }).createIndex('order', ['priority', 'seq']);
  db.createObjectStore('sent', { keyPath: 'id' }).createIndex('sent_at', 'sent_at');
  db.createObjectStore('tray', { keyPath: 'id' });
  db.createObjectStore('drafts', { keyPath: 'key' });
  db.createObjectStore('blobs', { keyPath: 'id' });
  db.createObjectStore('meta');
}
