/** A plan's rules as a person reads them: sections of titled paragraphs with their clauses, and limits on one line of time. */
import { desk } from '../i18n/desk';
import { say, span, title } from '../i18n/say';
import type { Clause, Words } from '../types';

export interface Paragraph {
  key: string;
  title: string;
  text: string[];
  clause: Clause | null;
  colour?: string | null;
}
export interface Section {
  key: string;
  title: string;
  paragraphs: Paragraph[];
}

type Rule = Record<string, unknown> & { key?: string; title?: Words; words?: Words; text?: Words; clause?: Clause };
interface Length {
  kind: string;
  seconds?: number;
  days?: number;
}

const list = (rules: Record<string, unknown>, name: string): Rule[] => (rules[name] as Rule[] | undefined) ?? [];
const words = (value: unknown): string => title(value as Words | undefined);

export function outline(rules: Record<string, unknown>): Section[] {
  const teams = new Map(list(rules, 'teams').map((one) => [one.key ?? '', words(one.title)]));
  const team = (key: unknown): string => (typeof key === 'string' ? teams.get(key) : undefined) ?? '';
  const t = say.t.plans;
  const sections: Section[] = [
    {
      key: 'scope',
      title: t.scope,
      paragraphs: [plain('scope', '', [words(rules['scope'])], (rules['clause'] as Clause | undefined) ?? null)],
    },
    {
      key: 'triggers',
      title: t.triggers,
      paragraphs: [
        ...list(rules, 'triggers').map((one) => of(one, [words(one.words)])),
        ...(rules['authority'] ? [of(rules['authority'] as Rule, [words((rules['authority'] as Rule).words)])] : []),
      ],
    },
    {
      key: 'teams',
      title: t.teams,
      paragraphs: list(rules, 'teams').map((one) => of(one, ((one['duties'] as Words[] | undefined) ?? []).map(words))),
    },
    {
      key: 'levels',
      title: t.levels,
      paragraphs: list(rules, 'scales').flatMap((scale) =>
        ((scale['levels'] as Rule[] | undefined) ?? []).map((one) => ({
          ...of(one, [
            ...((one['alternatives'] as Rule[] | undefined) ?? []).map((way) => words(way.words)),
            words(one['action']),
          ]),
          colour: (one['colour'] as string | null | undefined) ?? null,
        })),
      ),
    },
    {
      key: 'limits',
      title: t.limits,
      paragraphs: list(rules, 'limits').map((one) =>
        of(one, [`${team(one['owner'])} · ${lengthWords(one['length'] as Length)}`, ...consequences(one, team)]),
      ),
    },
    {
      key: 'orders',
      title: t.orders,
      paragraphs: list(rules, 'orders').map((one) => ({
        ...of(one, [words(one.text)]),
        title: `${team(one['team'])} · ${words(one.title)}`,
      })),
    },
    {
      key: 'checklists',
      title: t.checklists,
      paragraphs: list(rules, 'checklists').map((one) =>
        of(
          one,
          ((one['items'] as Rule[] | undefined) ?? []).map((item) => `□ ${words(item.text)}`),
        ),
      ),
    },
    {
      key: 'interlocks',
      title: t.interlocks,
      paragraphs: list(rules, 'interlocks').map((one) => of(one, [words(one.words)])),
    },
    {
      key: 'prohibitions',
      title: t.prohibitions,
      paragraphs: [...list(rules, 'prohibitions'), ...list(rules, 'zones')].map((one) => of(one, [words(one.words)])),
    },
    {
      key: 'manual',
      title: t.manual,
      paragraphs: [
        ...sub(rules, 'manual', 'tiers').map((one) => of(one, [words(one.words)])),
        ...sub(rules, 'manual', 'back_entry').map((one) => of(one, [lengthWords(one['due'] as Length)])),
      ],
    },
    {
      key: 'supplies',
      title: t.supplies,
      paragraphs: list(rules, 'supplies').map((one) =>
        of(one, [
          [
            `${String((one['minimum'] as number | undefined) ?? 1)} ${words(one['unit'])}`,
            words(one['place']),
            team(one['keeper']),
          ]
            .filter(Boolean)
            .join(' · '),
        ]),
      ),
    },
    { key: 'notices', title: t.notices, paragraphs: list(rules, 'notices').map((one) => of(one, [words(one.text)])) },
    {
      key: 'end',
      title: t.end,
      paragraphs: rules['end']
        ? [
            of(rules['end'] as Rule, [
              words((rules['end'] as Rule).words),
              ...sub(rules, 'end', 'conditions').map((one) => words(one.words)),
            ]),
          ]
        : [],
    },
    {
      key: 'review',
      title: t.review,
      paragraphs: rules['review']
        ? [
            of(rules['review'] as Rule, [
              lengthWords((rules['review'] as Rule)['due'] as Length),
              ...sub(rules, 'review', 'sections').map((one) => words(one.title)),
            ]),
          ]
        : [],
    },
    {
      key: 'drills',
      title: t.drills,
      paragraphs: list(rules, 'drills').map((one) =>
        of(one, ((one['content'] as Words[] | undefined) ?? []).map(words)),
      ),
    },
    {
      key: 'rest',
      title: t.rest,
      paragraphs: list(rules, 'notes').map((one, n) =>
        plain(`note${n}`, (one['about'] as string | undefined) ?? '', [words(one.words)], null),
      ),
    },
  ];
  return sections.filter((one) => one.paragraphs.some((paragraph) => paragraph.title || paragraph.text.some(Boolean)));
}

export interface PlannedLimit {
  key: string;
  title: string;
  owner: string;
  /** Seconds, when the plan gives a span. */
  seconds: number | null;
  length: string;
  from: string;
  then: string[];
  clause: Clause | null;
}

/** The limits by length, those that orders, paper tiers, the ledger, reports and the review imply among them; without a span last. */
export function plannedLimits(rules: Record<string, unknown>): PlannedLimit[] {
  const teams = new Map(list(rules, 'teams').map((one) => [one.key ?? '', words(one.title)]));
  const facts = new Map(
    [...list(rules, 'facts'), ...list(rules, 'phases')].map((one) => [one.key ?? '', words(one.title)]),
  );
  return [...list(rules, 'limits'), ...implied(rules)]
    .map((one) => {
      const length = one['length'] as Length;
      return {
        key: one.key ?? '',
        title: words(one.title),
        owner: teams.get(String(one['owner'])) ?? '',
        seconds: seconds(length),
        length: lengthWords(length),
        from: ((one['starts'] as string[] | undefined) ?? [])
          .map((fact) => facts.get(fact) ?? factWords(rules, fact))
          .join(' / '),
        then: consequences(one, (key) => teams.get(String(key)) ?? ''),
        clause: one.clause ?? null,
      };
    })
    .sort((a, b) => (a.seconds ?? Infinity) - (b.seconds ?? Infinity));
}

/** A fact every plan has, or one that a rule of this plan makes: `order.fix.done`, `level.crowd.red`. */
function factWords(rules: Record<string, unknown>, fact: string): string {
  const [kind = '', key = '', end = ''] = fact.split('.');
  const level = list(rules, 'scales').flatMap((one) => (one.key === key ? (one['levels'] as Rule[]) : []));
  const from: Record<string, Rule[]> = { level, order: list(rules, 'orders'), notice: list(rules, 'notices') };
  const made = words(from[kind]?.find((one) => one.key === (kind === 'level' ? end : key))?.title);
  const known = desk.t.facts[fact] ?? fact;
  return made ? (desk.t.made[kind === 'level' ? kind : end]?.(made) ?? made) : inside(known);
}

/** As it stands within a sentence. */
const inside = (text: string): string => text.slice(0, 1).toLowerCase() + text.slice(1);

/** The clocks the rest of the plan implies, in the form of its limits; the server starts the same. */
function implied(rules: Record<string, unknown>): Rule[] {
  const manual = (rules['manual'] as Rule | null | undefined) ?? {};
  const review = rules['review'] as Rule | null | undefined;
  const outside = new Set(list(rules, 'teams').flatMap((one) => (one['external'] ? [one.key] : [])));
  const decides = (rules['authority'] as Rule | undefined)?.['decides'];
  const clock = (kind: string, one: Rule, length: unknown, start: unknown, then: Rule[]): Rule[] =>
    length ? [{ ...one, key: `${kind}-${one.key ?? ''}`, length, starts: [start], then }] : [];
  return [
    ...sub(rules, 'manual', 'tiers').flatMap((one) =>
      clock(
        'tier',
        { ...one, owner: manual['by'] },
        one['after'],
        manual['since'] ?? 'service.interrupted',
        one.words ? [{ words: one.words }] : [],
      ),
    ),
    ...sub(rules, 'manual', 'back_entry').flatMap((one) =>
      clock('back-entry', one, one['due'], one['starts'] ?? 'service.restored', [{ alert: [one['owner']] }]),
    ),
    ...list(rules, 'reports').flatMap((one) =>
      one['starts'] ? clock('report', one, one['within'], one['starts'], [{ alert: [one['owner']] }]) : [],
    ),
    ...list(rules, 'orders')
      .filter((one) => !outside.has(one['team'] as string) && !stated(rules, one))
      .flatMap((one) =>
        clock('order', { ...one, owner: one['team'] }, one['within'], 'order.issued', [
          { alert: [...new Set([one['team'], decides])] },
        ]),
      ),
    ...(review
      ? clock(
          'review',
          { ...review, title: { zh: say.t.plans.review, en: say.t.plans.review } },
          review['due'],
          review['starts'] ?? 'response.ended',
          [{ alert: [review['owner'], decides] }],
        )
      : []),
  ];
}

/** Whether a limit of the plan that is no longer ends with the same order. */
function stated(rules: Record<string, unknown>, order: Rule): boolean {
  const ends = [`order.${order.key ?? ''}.done`, `checklist.${String(order['checklist'])}.done`];
  const own = seconds(order['within'] as Length | undefined) ?? Infinity;
  return list(rules, 'limits').some(
    (one) =>
      ((one['ends'] as string[] | undefined) ?? []).some((end) => ends.includes(end)) &&
      (seconds(one['length'] as Length) ?? Infinity) <= own,
  );
}

const seconds = (length: Length | undefined): number | null =>
  length?.kind === 'span' ? (length.seconds ?? 0) + (length.days ?? 0) * 86_400 : null;

function consequences(rule: Rule, team: (key: unknown) => string): string[] {
  return ((rule['then'] as Rule[] | undefined) ?? [])
    .map((one) => {
      const told = ((one['alert'] as string[] | undefined) ?? []).map(team).filter(Boolean).join(desk.t.comma);
      return [told && desk.t.tells(told), words(one.words)].filter(Boolean).join(say.locale === 'zh' ? '：' : ': ');
    })
    .filter(Boolean);
}

function lengthWords(length: Length | undefined): string {
  if (!length) return '';
  const whole = seconds(length);
  if (whole !== null) return whole < 60 ? say.t.plans.at_once : say.t.plans.within(span(whole));
  if (length.kind === 'end_of_day')
    return (length.days ?? 0) > 0 ? say.t.plans.end_of_day_after(length.days ?? 0) : say.t.plans.end_of_day;
  if (length.kind === 'at_once') return say.t.plans.at_once;
  return say.t.plans.measured;
}

const sub = (rules: Record<string, unknown>, name: string, inner: string): Rule[] =>
  ((rules[name] as Record<string, unknown> | null | undefined)?.[inner] as Rule[] | undefined) ?? [];

function of(rule: Rule, text: string[]): Paragraph {
  return plain(
    rule.key ?? rule.clause?.ref ?? text[0] ?? '',
    words(rule.title),
    text.filter(Boolean),
    rule.clause ?? null,
  );
}

function plain(key: string, heading: string, text: string[], clause: Clause | null): Paragraph {
  return { key, title: heading, text, clause };
}
