/** What the shapes of this product are made of: ids, times, words, levels, clauses, places on the ground. */

export type Id = string;

/** `2026-11-22T08:03:00.123Z` */
export type Instant = string;

export interface Words {
  zh: string;
  en: string;
}

export type Role = 'admin' | 'commander' | 'leader' | 'responder' | 'observer';

export type TeamRole = 'leader' | 'deputy' | 'member' | 'liaison';

export type Colour = 'blue' | 'yellow' | 'orange' | 'red';

/** What every document that came from a fact carries besides its own fields. */
export interface FromFact {
  occurred_at?: Instant;
  received_at?: Instant;
  by?: Id | null;
}

/** Set by the phone alone: some of this document is still only on this phone. */
export interface Folded {
  pending?: boolean;
  /** Not even kept on this phone yet: the disk is being asked. */
  saving?: boolean;
}

export interface Level {
  scale: string;
  key: string;
  title: Words;
  colour: Colour | null;
}

export interface Clause {
  ref: string;
  words: Words;
}

export interface Position {
  lat: number;
  lon: number;
  accuracy?: number | null;
}

export interface PhotoRef {
  id: Id;
  sha256: string;
  size: number;
  mime: string;
}
