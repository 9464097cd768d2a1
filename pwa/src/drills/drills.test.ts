/** The plan's clock of a drill, and what a scenario may bring about. */
import { expect, it } from 'vitest';
import type { Plan } from '../types';
import { injectable, planSeconds } from './drills';

const at = (seconds: number): string => new Date(seconds * 1000).toISOString();

it('counts the time of the plan through changes of speed', () => {
  const paces = [
    { since: at(0), speed: 10 },
    { since: at(60), speed: 60 },
    { since: at(70), speed: 1 },
  ];
  expect(planSeconds(paces, -5_000)).toBe(0);
  expect(planSeconds(paces, 30_000)).toBe(300);
  expect(planSeconds(paces, 65_000)).toBe(600 + 300);
  expect(planSeconds(paces, 100_000)).toBe(600 + 600 + 30);
  expect(planSeconds([], 1_000)).toBe(0);
});

it('offers what happens to people, not what they decide', () => {
  const plan = {
    rules: {
      facts: [{ key: 'paper.ready', title: { zh: '纸质票到位', en: 'Paper tickets ready' } }],
      scales: [{ key: 'size', levels: [{ key: 'red', title: { zh: '红', en: 'Red' } }] }],
      limits: [{ starts: ['plan.activated'], ends: ['fault.cleared'] }],
    },
  } as unknown as Plan;
  const found = injectable(plan, ['fault.cleared', 'plan.activated', 'response.ended', 'people.hurt']).map(
    (one) => one.key,
  );
  expect(found).toEqual(['fault.cleared', 'paper.ready', 'people.hurt']);
  expect(injectable(undefined, ['fault.cleared'])).toEqual([]);
});
