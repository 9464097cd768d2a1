/** What may be told to a plan, in a rehearsal or a drill: the facts it speaks of, its measures, levels and signs. */
import type { Words } from './types';

/** One thing told: a fact, or a measure with its value, so many seconds of the plan's time after the start. */
export interface Step {
  at_seconds: number;
  key: string;
  value?: boolean | number | string;
  unit?: string;
  note?: string;
}

export interface Told {
  key: string;
  title: Words | null;
  group: 'facts' | 'measures' | 'levels' | 'judged';
  kind: 'fact' | 'number' | 'choice' | 'flag';
  unit: string;
  options: { key: string; title: Words }[];
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
