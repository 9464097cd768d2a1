/** Whether the teams that plans name exist here: a plan finds a team by its kind, and the leadership group stands in where there is none. */
import { all, watch } from './rows';
import type { Readable } from 'svelte/store';
import type { Team, Words } from './types';

export interface PlanTeam {
  kind: string;
  title: Words;
}

/** The plan's own teams whose kind no team in use here has, in the plan's order; teams of other organisations are not its own. */
export function missingTeams(rules: Record<string, unknown>, here: readonly Team[]): PlanTeam[] {
  const kinds = new Set(here.filter((one) => one.active !== false).map((one) => one.kind));
  const named = (rules['teams'] as (PlanTeam & { external?: boolean })[] | undefined) ?? [];
  return named.filter(({ kind, external }) => !external && !kinds.has(kind) && kinds.add(kind));
}

/** Those of one plan, given its rules. */
export const missingIn = (rules: Record<string, unknown>): Readable<PlanTeam[]> =>
  watch(async () => missingTeams(rules, await all('team')), ['team'], []);

/** Those of all plans that are kept here, also of drafts, each kind once. */
export const missingHere: Readable<PlanTeam[]> = watch(
  async () => {
    const [plans, teams] = await Promise.all([all('plan'), all('team')]);
    const named = plans.filter((one) => one.status !== 'retired').flatMap((one) => one.rules['teams'] ?? []);
    return missingTeams({ teams: named }, teams);
  },
  ['plan', 'team'],
  [],
);
