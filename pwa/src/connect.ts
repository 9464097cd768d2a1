/** A connection to a database of this phone: opened when needed, once more when lost, never again once it was left. */

import { deleteDB, openDB, type DBSchema, type IDBPDatabase, type IDBPTransaction, type StoreNames } from 'idb';

const OPEN_TIMEOUT_MS = 10_000;
const DELETE_WAIT_MS = 3_000;
const isWorker = 'clients' in globalThis && !('document' in globalThis);

/** The store could not be opened: blocked by an old tab, forbidden by private mode, or newer than this code. */
export class StoreUnavailable extends Error {
  override name = 'StoreUnavailable';
}

export type Upgrade<S extends DBSchema> = (
  db: IDBPDatabase<S>,
  from: number,
  tx: IDBPTransaction<S, StoreNames<S>[], 'versionchange'>,
) => void;

/** A connection that is opened when needed, closed when another version asks, and opened once more when it was lost. */
export class Connection<S extends DBSchema> {
  private opening: Promise<IDBPDatabase<S>> | null = null;
  /** Nothing is read or written here any more. */
  ended = false;

  constructor(
    readonly name: string,
    private readonly version: number,
    private readonly upgrade: Upgrade<S>,
  ) {}

  async run<T>(work: (db: IDBPDatabase<S>) => Promise<T>): Promise<T> {
    try {
      return await work(await this.open());
    } catch (error) {
      if (!wasLost(error)) throw error;
      this.disconnect();
      // Once: a store that is lost again at once is worth telling. `open` refuses when the store was left meanwhile.
      return await work(await this.open());
    }
  }

  /** Closes for good: work that was under way meets `StoreUnavailable` instead of opening, or making, the store anew. */
  close(): void {
    this.ended = true;
    this.disconnect();
  }

  /** Deletes the database; one that an old tab does not let go is deleted as soon as that tab closes. */
  async delete(): Promise<void> {
    this.close();
    await deleteStore(this.name);
  }

  private disconnect(): void {
    this.opening?.then((db) => db.close()).catch(() => undefined);
    this.opening = null;
  }

  private open(): Promise<IDBPDatabase<S>> {
    if (this.ended) return Promise.reject(new StoreUnavailable(`${this.name} was left`));
    this.opening ??= this.connect().catch((error: unknown) => {
      this.opening = null;
      throw error;
    });
    return this.opening;
  }

  private async connect(): Promise<IDBPDatabase<S>> {
    try {
      return await this.connectAt(isWorker ? undefined : this.version);
    } catch (error) {
      // A newer version of the app has upgraded the store; what this older page knows of it is still there.
      if (error instanceof DOMException && error.name === 'VersionError') return await this.connectAt(undefined);
      throw error;
    }
  }

  private async connectAt(version: number | undefined): Promise<IDBPDatabase<S>> {
    const forget = () => {
      this.opening = null;
    };
    let timer: ReturnType<typeof setTimeout> | undefined;
    let late = false;
    const wait = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        late = true;
        reject(new StoreUnavailable(`${this.name} is held by another tab`));
      }, OPEN_TIMEOUT_MS);
    });
    const opened = openDB<S>(this.name, version, {
      upgrade: (db, from, _to, tx) => {
        // The worker never creates or upgrades: a page that does so would hang behind the worker's old connection.
        if (isWorker || version === undefined) tx.abort();
        else this.upgrade(db, from, tx);
      },
      blocking: (_current, wanted, event) => {
        (event.target as IDBDatabase).close();
        // Deleted elsewhere: the person has left this phone, and nothing of this page may make their store anew.
        if (wanted === null) this.ended = true;
        forget();
      },
      terminated: forget,
    });
    opened.then(
      (db) => {
        if (late) db.close();
      },
      () => undefined,
    );
    try {
      return await Promise.race([opened, wait]);
    } catch (error) {
      if ((isWorker || version === undefined) && error instanceof DOMException && error.name === 'AbortError') {
        throw new StoreUnavailable(`${this.name} is not there yet`);
      }
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Deletes a person's database by its name, waiting only so long for other tabs to let go of it. */
async function deleteStore(name: string): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const enough = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, DELETE_WAIT_MS);
  });
  await Promise.race([deleteDB(name), enough]);
  clearTimeout(timer);
}

/** Whether the phone refused to keep more. */
export function isFull(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'QuotaExceededError';
}

function wasLost(error: unknown): boolean {
  if (!(error instanceof DOMException)) return false;
  return (
    error.name === 'InvalidStateError' ||
    (error.name === 'AbortError' && /clos|lost/i.test(error.message)) ||
    (error.name === 'UnknownError' && /lost|clos|Internal/i.test(error.message))
  );
}
