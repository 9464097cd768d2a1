/** The plans on this phone. */
import { all, watch } from '../rows';
import type { Plan } from '../types';
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
