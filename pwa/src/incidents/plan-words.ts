/** What an incident's plan says about its levels, decisions, facts and tiers; read from the plan's rules as this phone has them. */
import { say, title, unit } from '../i18n/say';
import type { Clause, Colour, Condition, Decision, DecisionKind, Fact, Id, Mode, Plan, Words } from '../types';

/** Without `when` a person confirms it as the fact `key`. */
export interface EndCondition {
  key: string;
  words: Words;
  when?: Condition | null;
  clause: Clause;
}
interface Interlock {
  locks: string[];
  needs: Condition;
  words: Words;
  clause: Clause;
}
interface Rules {
  authority?: { words: Words; clause: Clause };
  scales?: {
    key: string;
    title: Words;
    levels: { key: string; rank: number; title: Words; colour?: Colour; action: Words; clause: Clause }[];
  }[];
  facts?: { key: string; title: Words }[];
  measures?: { key: string; title: Words; kind?: string; unit?: string; options?: { key: string; title: Words }[] }[];
  manual?: {
    tiers: { key: string; title: Words; words: Words; clause: Clause }[];
    back_entry?: { key: string; title: Words }[];
    clause: Clause;
  };
  end?: { words: Words; clause: Clause; conditions?: EndCondition[] };
  triggers?: { words: Words; clause: Clause }[];
  interlocks?: Interlock[];
}

const rulesOf = (plan: Plan | undefined): Rules => plan?.rules ?? {};

export interface PlanLevel {
  /** `scale/level` */
  id: string;
  /** The lower, the more severe. */
  rank: number;
  title: Words;
  action: Words;
  colour: Colour | null;
  clause: Clause;
}

export function levelsOf(plan: Plan | undefined): PlanLevel[] {
  const scales = rulesOf(plan).scales ?? [];
  return scales.flatMap((scale) =>
    scale.levels.map((level) => ({
      id: `${scale.key}/${level.key}`,
      rank: level.rank,
      title: scales.length > 1 ? both(scale.title, level.title) : level.title,
      action: level.action,
      colour: level.colour ?? null,
      clause: level.clause,
    })),
  );
}

/** The clauses that speak about a decision, for the one who takes it. */
export function planSays(plan: Plan | undefined, kind: DecisionKind): Clause[] {
  const rules = rulesOf(plan);
  switch (kind) {
    case 'verify':
    case 'dismiss':
      return (rules.triggers ?? []).slice(0, 2).map((one) => ({ ref: one.clause.ref, words: one.words }));
    case 'activate':
    case 'decline':
      return rules.authority ? [{ ref: rules.authority.clause.ref, words: rules.authority.words }] : [];
    case 'fallback':
    case 'resume':
      return (rules.manual?.tiers ?? []).slice(0, 2).map((one) => ({ ref: one.clause.ref, words: one.words }));
    case 'restore':
    case 'end':
      return rules.end ? [{ ref: rules.end.clause.ref, words: rules.end.words }] : [];
    default:
      return [];
  }
}

export const endConditions = (plan: Plan | undefined): EndCondition[] => rulesOf(plan).end?.conditions ?? [];

export const interlocksOf = (plan: Plan | undefined): Interlock[] => rulesOf(plan).interlocks ?? [];

export interface Recordable {
  key: string;
  title: Words;
  kind: 'fact' | 'number' | 'choice' | 'flag';
  unit: string;
  options: { key: string; title: Words }[];
}

/** Restoring is a fact of every plan; the rest the plan names. */
export function factsToRecord(plan: Plan | undefined): Recordable[] {
  const { facts = [], measures = [] } = rulesOf(plan);
  return [
    { key: 'service.restored', title: RESTORED, kind: 'fact' as const, unit: '', options: [] },
    ...facts.map((one) => ({ ...one, kind: 'fact' as const, unit: '', options: [] })),
    ...measures
      .filter((one) => one.kind !== 'elapsed')
      .map((one): Recordable => ({
        key: one.key,
        title: one.title,
        kind: one.kind === 'choice' || one.kind === 'flag' ? one.kind : 'number',
        unit: one.unit ?? '',
        options: one.options ?? [],
      })),
  ];
}

const RESTORED: Words = { zh: '系统恢复', en: 'Service restored' };

/** Kept as facts, yet nothing anybody measured: a level stands among the decisions, a pace with its drill. */
const UNMEASURED = new Set(['level.set', 'drill.pace']);

/** What people measured or recorded; the steps the plan notes for itself stand on the timeline. */
export function recorded(view: { plan: Plan | undefined; facts: readonly Fact[] }): Fact[] {
  const known = new Set(factsToRecord(view.plan).map((one) => one.key));
  return view.facts.filter(
    (one) => known.has(one.key) || (one.value !== null && one.value !== true && !UNMEASURED.has(one.key)),
  );
}

export function factWord(plan: Plan | undefined, key: string): string {
  return title(factsToRecord(plan).find((one) => one.key === key)?.title) || key;
}

export function factValue(plan: Plan | undefined, fact: Fact): string {
  if (fact.value === null || fact.value === true) return '';
  const option = factsToRecord(plan)
    .find((one) => one.key === fact.key)
    ?.options.find((one) => one.key === fact.value);
  if (option) return title(option.title);
  return `${fact.value}${fact.unit ? ` ${unit(fact.unit)}` : ''}`;
}

export function tierTitle(plan: Plan | undefined, tier: string): string {
  return title(rulesOf(plan).manual?.tiers.find((one) => one.key === tier)?.title) || tier;
}

/** What a line of the ledger is called: the plan's own words where the plan opened it. */
export function ledgerTitle(plan: Plan | undefined, line: { key: string | null; title: string }): string {
  const manual = rulesOf(plan).manual;
  return title(manual?.back_entry?.find((one) => one.key === line.key)?.title) || line.title;
}

/** Every tier of the plan or switched so far, and whether its posts work on paper now. */
export function modesNow(view: {
  plan: Plan | undefined;
  modes: readonly Mode[];
  incident: { status: string };
}): { tier: string; manual: boolean }[] {
  const tiers = new Set(view.modes.map((one) => one.tier));
  if (['activated', 'restored', 'ended'].includes(view.incident.status))
    for (const one of rulesOf(view.plan).manual?.tiers ?? []) tiers.add(one.key);
  return [...tiers].map((tier) => ({ tier, manual: view.modes.find((one) => one.tier === tier)?.to === 'manual' }));
}

/** `决定启动预案`, with the level or limit it was about. */
export function decisionWord(
  view: { plan: Plan | undefined; limits: readonly { id: Id; title: Words }[] },
  decision: Decision,
): string {
  const word = say.t.incidents.decided[decision.kind] ?? decision.kind;
  const { scale, level, limit } = decision.subject ?? {};
  const about = level
    ? title(levelsOf(view.plan).find((one) => one.id === `${scale}/${level}`)?.title)
    : limit
      ? title(view.limits.find((one) => one.id === limit)?.title)
      : '';
  return about ? `${word} ${about}` : word;
}

function both(first: Words, second: Words): Words {
  return { zh: `${first.zh} ${second.zh}`, en: `${first.en} ${second.en}` };
}
