/** A plan rehearsed: what may be told to it, and what would have happened up to a moment, grouped by minute. */
import type { Clause, Instant, Words } from '../types';

export interface Step {
  at_seconds: number;
  key: string;
  value?: boolean | number | string;
}
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
export interface Told {
  key: string;
  title: Words | null;
  group: 'facts' | 'measures' | 'levels' | 'judged';
  kind: 'fact' | 'number' | 'choice' | 'flag';
  unit: string;
  options: { key: string; title: Words }[];
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

type Rule = Record<string, unknown> & { key: string; title: Words; words?: Words; kind?: string; unit?: string };
const list = (of: unknown, name: string): Rule[] =>
  ((of as Record<string, unknown> | null | undefined)?.[name] as Rule[] | undefined) ?? [];

/** What may be told to a plan: the facts it speaks of (`known` are those every plan shares), its measures, levels and signs. */
export function tellable(rules: Record<string, unknown>, known: readonly string[]): Told[] {
  const spoken = new Set<string>(['incident.reported', 'plan.activated', 'service.restored', 'response.ended']);
  const walk = (value: unknown): void => {
    if (typeof value === 'string') spoken.add(value);
    else if (typeof value === 'object' && value !== null) Object.values(value).forEach(walk);
  };
  walk(rules);
  const own = list(rules, 'facts');
  const fact = (key: string, title: Words | null): Told => ({
    key,
    title,
    group: 'facts',
    kind: 'fact',
    unit: '',
    options: [],
  });
  const judged = (key: string, title: Words): Told => ({ ...fact(key, title), group: 'judged', kind: 'flag' });
  return [
    ...known.filter((key) => spoken.has(key) && !own.some((one) => one.key === key)).map((key) => fact(key, null)),
    ...own.map((one) => fact(one.key, one.title)),
    ...list(rules, 'measures')
      .filter((one) => one.kind !== 'elapsed')
      .map((one): Told => ({
        key: one.key,
        title: one.title,
        group: 'measures',
        kind: one.kind === 'choice' || one.kind === 'flag' ? one.kind : 'number',
        unit: one.unit ?? '',
        options: (one['options'] as { key: string; title: Words }[] | undefined) ?? [],
      })),
    ...list(rules, 'scales').flatMap((scale) =>
      list(scale, 'levels').map((one): Told => ({
        ...fact(`level.${scale.key}.${one.key}`, one.title),
        group: 'levels',
      })),
    ),
    ...list(rules, 'scales').flatMap((scale) =>
      list(scale, 'levels').flatMap((one) =>
        list(one, 'alternatives').map((way) => judged(way.key, way.words ?? way.title)),
      ),
    ),
    ...list(rules['end'], 'conditions')
      .filter((one) => !one['when'])
      .map((one) => judged(one.key, one.words ?? one.title)),
  ];
}
