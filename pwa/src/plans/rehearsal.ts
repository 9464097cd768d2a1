/** A plan rehearsed: what would have happened up to a moment, grouped by minute. */
import type { Clause, Instant, Words } from '../types';

export interface Happening {
  at: Instant;
  /** After the start. */
  seconds: number;
  kind: string;
  rule: string;
  to: string[];
  words: Words | null;
  clause: Clause | null;
  due: Instant | null;
}
export interface Rehearsal {
  start: Instant;
  teams: Record<string, Words>;
  happenings: Happening[];
}
export interface Moment {
  minute: number;
  /** When the last thing in this minute happens. */
  seconds: number;
  happenings: Happening[];
}
export interface Picture {
  /** The moments so far, the latest first. */
  moments: Moment[];
  count: number;
  /** Limits whose clock runs, the next due first; `due` in seconds after the start. */
  running: { rule: string; words: Words | null; due: number }[];
  level: Happening | null;
}
/** Facts a plan's own rules make; their rule has an entry of its own. */
const MADE = /^(limit|order|phase|tier|notice|report|checklist|team)\..+\.\w/;

export function shownHappenings(all: readonly Happening[]): Happening[] {
  return all.filter((one) => !(one.kind === 'fact' && MADE.test(one.rule) && one.words?.zh === one.rule));
}

/** Grouped by whole minutes after the start, in order. */
export function moments(all: readonly Happening[]): Moment[] {
  const found: Moment[] = [];
  for (const one of [...all].sort((a, b) => a.seconds - b.seconds)) {
    const minute = Math.floor(one.seconds / 60);
    const last = found.at(-1);
    if (last?.minute === minute) {
      last.happenings.push(one);
      last.seconds = one.seconds;
    } else found.push({ minute, seconds: one.seconds, happenings: [one] });
  }
  return found;
}

/** How things stand after the first `until` moments and the one there. */
export function pictureAt(all: readonly Moment[], start: Instant, until: number): Picture {
  const past = all.slice(0, until + 1);
  const running = new Map<string, { rule: string; words: Words | null; due: number }>();
  let level: Happening | null = null;
  for (const one of past.flatMap((moment) => moment.happenings)) {
    if (one.kind === 'limit_started' && one.due) {
      const due = (Date.parse(one.due) - Date.parse(start)) / 1000;
      running.set(one.rule, { rule: one.rule, words: one.words, due });
    } else if (one.kind === 'limit_met' || one.kind === 'limit_passed') running.delete(one.rule);
    else if (one.kind === 'fact' && one.rule === 'incident.dismissed') running.clear();
    else if (one.kind === 'level_set') level = one;
  }
  return {
    moments: past.reverse(),
    count: past.reduce((sum, moment) => sum + moment.happenings.length, 0),
    running: [...running.values()].sort((a, b) => a.due - b.due),
    level,
  };
}
