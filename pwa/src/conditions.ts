/** What is known about an incident, and whether a condition of its plan holds: reckoned on the phone as on the server. */
import { byText } from './order';
import type { Condition, Fact, Id } from './types';

export type Known = ReadonlyMap<string, string | number | boolean>;

/** Whether a condition of the plan holds; null while something it needs is not known. The same three values as on the server. */
export function holds(condition: Condition | null, facts: Known): boolean | null {
  if (condition === null) return true;
  const parts = (condition.parts ?? []).map((part) => holds(part, facts));
  if (condition.op === 'all') return parts.includes(false) ? false : parts.includes(null) ? null : true;
  if (condition.op === 'any') return parts.includes(true) ? true : parts.includes(null) ? null : false;
  if (condition.op === 'not') return parts[0] === null || parts[0] === undefined ? null : !parts[0];
  const is = facts.get(condition.name ?? '');
  if (condition.op === 'fact') return is !== undefined && is !== false;
  if (is === undefined) return null;
  if (condition.op === 'flag') return is === true;
  const than = condition.value;
  if (condition.op === '=') return is === than;
  if (condition.op === '!=') return is !== than;
  if (typeof is !== 'number' || typeof than !== 'number') return null;
  return { '<': is < than, '<=': is <= than, '>': is > than, '>=': is >= than }[condition.op];
}

/** What happened or was last measured in an incident, by key. */
export function known(facts: readonly Fact[], incident: Id): Known {
  const own = facts
    .filter((one) => one.incident === incident)
    .sort((a, b) => byText(a.occurred_at, b.occurred_at) || byText(a.id, b.id));
  return new Map(own.map((one) => [one.key, one.value ?? true]));
}
