/** The very first thing a page does: it opens the store of whoever was here last and asks for the first screen's rows, while the rest of the app still loads. */

import { setting, useStore, type Store } from './db';
import { readPicture, type Picture } from './picture';
import type { Id } from './types';

const HINT = 'tocsin.person';
let early: { from: Store; picture: Promise<Picture> } | null = null;

/** Begins; what it meets (private mode, an old tab) is told to whoever reads the picture. */
export function openEarly(): void {
  const likely = likelyPerson();
  const from = likely ? useStore(likely) : null;
  if (from) {
    const picture = readPicture(from);
    picture.catch(() => undefined);
    early = { from, picture };
  }
  // Who it really is stands in the shared store: its connection opens meanwhile.
  setting('person').catch(() => undefined);
}

/** The rows of the first screen of this store: those asked for at the start, else read now. */
export function firstPicture(from: Store): Promise<Picture> {
  const begun = early?.from === from ? early.picture : null;
  early = null;
  return begun ?? readPicture(from);
}

/** Whose store to open while the shared one is still opening; only a hint. */
export function likelyPerson(): Id | null {
  try {
    return localStorage.getItem(HINT);
  } catch {
    return null;
  }
}

/** Notes who is here for the next start; returns whether it was somebody else before. */
export function rememberPerson(person: Id | null): boolean {
  try {
    const before = localStorage.getItem(HINT);
    if (person) localStorage.setItem(HINT, person);
    else localStorage.removeItem(HINT);
    return before !== person;
  } catch {
    return false;
  }
}
