/** Drills with their script and plan, the plan's clock of one that runs, and what whoever leads it may do. */
import { stamp } from '../clock';
import { newId } from '../ids';
import { record } from '../outbox';
import { all, get, watch } from '../rows';
import { whoIsIn } from '../self';
import type { Board, Drill, Fact, Id, Incident, Inject, Instant, Limit, Plan } from '../types';
import { tellable, type Step, type Told } from '../tellable';
import { byUrgency } from '../ui/limits';
import type { Readable } from 'svelte/store';

export const SPEEDS = [1, 5, 10, 30, 60];
const PACE = 'drill.pace';
/** What people decide or the end brings, not what a scenario does to them. */
const NOT_INJECTED =
  /^(incident\.(reported|dismissed|verified)|plan\.|response\.ended|review\.|fallback\.decided|evacuation\.decided)/;

export interface DrillView {
  drill: Drill;
  plan: Plan | undefined;
  incident: Incident | undefined;
  injects: Inject[];
  /** Running or passed, the most pressing first. */
  limits: Limit[];
  board: Board | undefined;
  paces: Pace[];
}
/** Since when the drill runs so many times faster than written. */
export interface Pace {
  since: Instant;
  speed: number;
}

export function drills(): Readable<{ drill: Drill; plan: Plan | undefined }[] | undefined> {
  return watch(async () => {
    const [found, plans] = await Promise.all([all('drill'), all('plan')]);
    return found
      .sort((a, b) => a.scheduled_at.localeCompare(b.scheduled_at))
      .map((drill) => ({ drill, plan: plans.find((one) => one.id === drill.plan) }));
  }, ['drill', 'plan']);
}

/** One drill; null when this phone knows of none by that id. */
export function drillOf(id: Id): Readable<DrillView | null | undefined> {
  return watch(async () => {
    const drill = await get('drill', id);
    if (!drill) return null;
    const [plans, injects, limits, boards, facts] = await Promise.all([
      all('plan'),
      all('inject'),
      all('limit'),
      all('board'),
      all('fact'),
    ]);
    const incident = drill.incident ? await get('incident', drill.incident) : undefined;
    return {
      drill,
      plan: plans.find((one) => one.id === drill.plan),
      incident,
      injects: injects
        .filter((one) => one.drill === id)
        .sort((a, b) => a.at_seconds - b.at_seconds || a.id.localeCompare(b.id)),
      limits: byUrgency(
        limits.filter(
          (one) =>
            one.incident === drill.incident && ['running', 'paused', 'passed'].includes(one.status) && !one.timer,
        ),
      ),
      board: boards.find((one) => one.incident === drill.incident),
      paces: pacesOf(facts, drill),
    };
  }, ['drill', 'plan', 'incident', 'inject', 'limit', 'board', 'fact']);
}

export const approvedPlans = (): Readable<Plan[] | undefined> =>
  watch(
    async () =>
      (await all('plan')).filter((one) => one.status === 'approved').sort((a, b) => a.key.localeCompare(b.key)),
    ['plan'],
  );

function pacesOf(facts: readonly Fact[], drill: Drill): Pace[] {
  const found = facts
    .filter((one) => one.incident === drill.incident && one.key === PACE && typeof one.value === 'number')
    .map((one) => ({ since: one.occurred_at ?? '', speed: one.value as number }))
    .sort((a, b) => a.since.localeCompare(b.since));
  return found.length || !drill.started_at ? found : [{ since: drill.started_at, speed: drill.speed }];
}

/** Seconds on the plan's clock at a moment (ms), through every change of speed. */
export function planSeconds(paces: readonly Pace[], at: number): number {
  let shown = 0;
  for (const [n, pace] of paces.entries()) {
    const from = Date.parse(pace.since);
    const to = Math.min(at, Date.parse(paces[n + 1]?.since ?? '') || Infinity);
    if (to > from) shown += ((to - from) / 1000) * pace.speed;
  }
  return shown;
}

/** What a scenario may bring about: what this plan speaks of first, then the facts every plan shares (`known`). */
export function injectable(plan: Plan | undefined, known: readonly string[]): Told[] {
  if (!plan) return [];
  const spoken = tellable(plan.rules, known);
  const rest = known
    .filter((key) => !spoken.some((one) => one.key === key))
    .map((key): Told => ({ key, title: null, group: 'facts', kind: 'fact', unit: '', options: [] }));
  return [...spoken, ...rest].filter((one) => one.group !== 'levels' && !NOT_INJECTED.test(one.key));
}

export interface NewDrill {
  plan: Plan;
  rule: string | null;
  title: string;
  scheduled_at: Instant;
  announced: boolean;
  speed: number;
  participants: Id[] | null;
  scenario: string;
  risk_check: string;
  script: Step[];
}

/** Puts a drill on the calendar; returns its id at once. */
export async function planDrill({ plan, script, participants, rule, ...said }: NewDrill): Promise<Id> {
  const id = newId();
  const at = stamp();
  await record({
    id,
    path: '/drills/{id}',
    body: {
      ...said,
      plan: plan.key,
      ...(rule ? { rule } : {}),
      ...(participants ? { participants } : {}),
      injects: script,
      occurred_at: at,
    },
    optimistic: {
      type: 'drill',
      id: '{id}',
      doc: {
        ...said,
        plan: plan.id,
        rule,
        participants,
        status: 'planned',
        incident: null,
        started_at: null,
        finished_at: null,
        observations: null,
        weak_points: [],
        score: null,
        by: whoIsIn(),
        occurred_at: at,
      },
    },
  });
  return id;
}

export function startDrill(drill: Drill, speed: number): Promise<Id> {
  const at = stamp();
  const incident = newId();
  return record({
    path: `/drills/${drill.id}/starts/{id}`,
    body: { incident, speed, occurred_at: at },
    optimistic: { type: 'drill', id: drill.id, doc: { status: 'running', incident, speed, started_at: at } },
  });
}

export function callOff(drill: Drill): Promise<Id> {
  return record({
    path: `/drills/${drill.id}/cancellations/{id}`,
    body: { occurred_at: stamp() },
    optimistic: { type: 'drill', id: drill.id, doc: { status: 'off' } },
  });
}

/** Lets something happen now, or with `later` at its time of the plan. */
export function inject(drill: Drill, { at_seconds, ...step }: Step, later: boolean): Promise<Id> {
  return record({
    path: `/drills/${drill.id}/injects/{id}`,
    body: { ...step, ...(later ? { at_seconds } : {}), occurred_at: stamp() },
  });
}

export function injectNow(one: Inject): Promise<Id> {
  const at = stamp();
  return record({
    path: `/injects/${one.id}/applications/{id}`,
    body: { occurred_at: at },
    optimistic: { type: 'inject', id: one.id, doc: { status: 'applied', applied_at: at } },
  });
}

export function leaveOut(one: Inject): Promise<Id> {
  return record({
    path: `/injects/${one.id}/omissions/{id}`,
    body: { occurred_at: stamp() },
    optimistic: { type: 'inject', id: one.id, doc: { status: 'skipped' } },
  });
}

export function setSpeed(drill: Drill, speed: number): Promise<Id> {
  return record({
    path: `/drills/${drill.id}/speeds/{id}`,
    body: { speed, occurred_at: stamp() },
    optimistic: { type: 'drill', id: drill.id, doc: { speed } },
  });
}

export function stopDrill(drill: Drill, reason: string): Promise<Id> {
  return record({ path: `/drills/${drill.id}/stops/{id}`, body: { reason, occurred_at: stamp() } });
}

export function finishDrill(drill: Drill, observations: string, weak_points: string[]): Promise<Id> {
  return record({
    path: `/drills/${drill.id}/finishes/{id}`,
    body: { observations, weak_points, occurred_at: stamp() },
    optimistic: { type: 'drill', id: drill.id, doc: { status: 'done', observations, weak_points } },
  });
}

/** Says that a duty of quiet days was done. */
export function dutyDone(plan: string, duty: string, note: string): Promise<Id> {
  return record({
    path: `/plans/${encodeURIComponent(plan)}/duties/${encodeURIComponent(duty)}/rounds/{id}`,
    body: { ...(note ? { note } : {}), occurred_at: stamp() },
  });
}
