/** The plans on this phone, and who has read them. */
import { record } from '../outbox';
import { all, watch } from '../rows';
import { whoIsIn } from '../self';
import { stamp } from '../clock';
import type { Id, Plan, Reading } from '../types';
import type { Readable } from 'svelte/store';

export const plans = (): Readable<Plan[] | undefined> =>
  watch(
    async () => (await all('plan')).sort((a, b) => a.category.localeCompare(b.category) || a.key.localeCompare(b.key)),
    ['plan'],
  );

/** By its key or its id; the approved revision before any other. */
export function planOf(key: string): Readable<Plan | null | undefined> {
  return watch(async () => {
    const found = (await all('plan')).filter((one) => one.key === key || one.id === key);
    return found.find((one) => one.status === 'approved') ?? found[0] ?? null;
  }, ['plan']);
}

/** By revision, the earliest first; those who write plans see everybody's, the others their own. */
export function readings(): Readable<ReadonlyMap<Id, Reading[]>> {
  return watch(
    async () => {
      const found = new Map<Id, Reading[]>();
      for (const one of (await all('reading')).sort((a, b) => a.occurred_at.localeCompare(b.occurred_at))) {
        const known = found.get(one.revision) ?? [];
        if (!known.some((other) => other.person === one.person)) found.set(one.revision, [...known, one]);
      }
      return found;
    },
    ['reading'],
    new Map<Id, Reading[]>(),
  );
}

export const myReading = (all: ReadonlyMap<Id, Reading[]>, revision: Id | undefined): Reading | undefined =>
  revision === undefined ? undefined : all.get(revision)?.find((one) => one.person === whoIsIn());

/** Says that I have read a version of a plan; waits on the phone while there is no network. */
export function sayRead(plan: { id: Id; key: string; version: number; revision: Id }): Promise<Id> {
  const at = stamp();
  return record({
    path: `/plans/${plan.key}/revisions/${plan.version}/readings/{id}`,
    body: { occurred_at: at },
    optimistic: {
      type: 'reading',
      id: '{id}',
      doc: { revision: plan.revision, plan: plan.id, person: whoIsIn(), occurred_at: at },
    },
  });
}
