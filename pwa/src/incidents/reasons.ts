/** Which decisions need a reason and what still holds one back, known before it is sent; the server decides by the same rules. */
import { holds, known, type Known } from '../conditions';
import type { DecisionKind } from '../types';
import type { IncidentView } from './incidents';
import { endConditions, interlocksOf, levelsOf, type EndCondition } from './plan-words';

/** Decisions nobody may take without saying why, whatever the plan says. */
const ALWAYS: ReadonlySet<DecisionKind> = new Set([
  'dismiss',
  'decline',
  'extend_limit',
  'pause_limit',
  'end_limit',
  'stand_down',
  'resume',
]);

export type Why = 'always' | 'lowering' | 'differs' | 'end_open' | 'ledger_open' | 'interlock';
type Seen = Pick<IncidentView, 'incident' | 'plan' | 'facts' | 'decisions' | 'proposed' | 'back_entries'>;

/** Why this decision (for a level: to this `scale/level`) needs a reason; null when it needs none. */
export function whyReason(view: Seen, kind: DecisionKind, level: string | null): Why | null {
  if (ALWAYS.has(kind)) return 'always';
  if (kind === 'level' && level !== null) return whyLevel(view, level);
  if (kind === 'end' && view.incident.activated_at && stillOpen(view).length) return 'end_open';
  if (kind === 'end' && view.back_entries.some((one) => one.remaining > 0 || one.counted_at === null))
    return 'ledger_open';
  return view.incident.drill && heldBack(view, kind).length ? 'interlock' : null;
}

function whyLevel(view: Seen, chosen: string): Why | null {
  const [scale = ''] = chosen.split('/');
  const rank = new Map(levelsOf(view.plan).map((one) => [one.id, one.rank]));
  const before = levelNow(view, scale);
  if (before && (rank.get(chosen) ?? 0) > (rank.get(`${scale}/${before}`) ?? 0)) return 'lowering';
  const asked = view.proposed.find((one) => one.scale === scale);
  return asked && `${scale}/${asked.level}` !== chosen ? 'differs' : null;
}

/** The level of this scale as it stands, with what this phone has decided and not sent yet; null for none. */
export function levelNow(view: Seen, scale: string): string | null {
  const own = view.decisions.find((one) => one.pending && one.kind === 'level' && one.subject?.scale === scale);
  if (own?.subject?.level) return String(own.subject.level);
  const set = view.facts.find((one) => one.key === 'level.set' && String(one.value).startsWith(`${scale}.`));
  return set ? String(set.value).slice(scale.length + 1) : null;
}

/** Conditions of the end that are not known to hold. */
export function stillOpen(view: Seen): EndCondition[] {
  const facts = knownIn(view);
  return endConditions(view.plan).filter((one) =>
    one.when ? holds(one.when, facts) !== true : facts.get(one.key) !== true,
  );
}

/** What the plan's interlocks want first, as far as this phone knows. */
export function heldBack(view: Seen, kind: DecisionKind): ReturnType<typeof interlocksOf> {
  const facts = knownIn(view);
  return interlocksOf(view.plan).filter(
    (one) => one.locks.includes(`decision.${kind}`) && holds(one.needs, facts) !== true,
  );
}

function knownIn(view: Seen): Known {
  const scales = new Set(levelsOf(view.plan).map((one) => one.id.split('/')[0] ?? ''));
  const levels = [...scales].map((scale) => `${scale}.${levelNow(view, scale)}`);
  return new Map([...known(view.facts, view.incident.id), ...levels.map((one) => [one, true] as const)]);
}
