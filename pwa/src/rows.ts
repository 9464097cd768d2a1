/** What a screen may ask of the feed: documents by type, already folded with this phone's own unsent facts, and watching them. */

import { readable, type Readable } from 'svelte/store';
import { docs, onChange, ready } from './memory';
import type { Docs, Id, RowType } from './types';

/** Every document of a type this person may see, in no promised order. Treat the answer as read-only: it is shared. */
export async function all<K extends RowType>(type: K): Promise<Docs[K][]>;
export async function all<T>(type: string): Promise<T[]>;
export async function all(type: string): Promise<unknown[]> {
  await ready(type);
  return [...docs(type).values()];
}

/** One document, or undefined when this phone has none by that id. */
export async function get<K extends RowType>(type: K, id: Id): Promise<Docs[K] | undefined>;
export async function get<T>(type: string, id: Id): Promise<T | undefined>;
export async function get(type: string, id: Id): Promise<unknown> {
  await ready(type);
  return docs(type).get(id);
}

/**
 * A store that runs `query` again whenever rows of `types`, or what this phone made of them, changed. It holds `initial`
 * (undefined if left out) until the first answer; an older answer never replaces a newer one.
 */
export function watch<T>(query: () => Promise<T>, types: readonly string[]): Readable<T | undefined>;
export function watch<T>(query: () => Promise<T>, types: readonly string[], initial: T): Readable<T>;
export function watch<T>(query: () => Promise<T>, types: readonly string[], initial?: T): Readable<T | undefined> {
  return readable<T | undefined>(initial, (set) => {
    let latest = 0;
    const run = () => {
      const mine = ++latest;
      query().then(
        (value) => {
          if (mine === latest) set(value);
        },
        (error: unknown) => reportError(error),
      );
    };
    const stop = onChange(types, run);
    run();
    return () => {
      latest = -1;
      stop();
    };
  });
}
