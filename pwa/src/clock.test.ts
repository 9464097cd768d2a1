import { beforeEach, expect, test, vi } from 'vitest';
import { learn, now, restore, skew, stamp } from './clock';

beforeEach(() => {
  vi.useFakeTimers({ now: new Date('2026-11-22T08:00:00Z') });
  restore(0);
  return () => vi.useRealTimers();
});

test('C7 a phone three hours ahead learns the difference from one answer', () => {
  learn('2026-11-22T05:00:00.100Z', Date.now(), Date.now() + 200);
  expect(skew()).toBe(-3 * 3600_000);
  expect(stamp()).toBe('2026-11-22T05:00:00.000Z');
});

test('a slow answer that agrees does not blur a sharp one, one that disagrees replaces it', () => {
  learn('2026-11-22T08:00:10.005Z', Date.now(), Date.now() + 10);
  learn('2026-11-22T08:00:13.000Z', Date.now(), Date.now() + 6_000);
  expect(skew()).toBe(10_000);
  learn('2026-11-22T11:00:00.000Z', Date.now(), Date.now() + 2_000);
  expect(Math.round(skew() / 60_000)).toBe(180);
});

test('a time that cannot be read, or an answer after half a minute, teaches nothing', () => {
  learn('soon', Date.now(), Date.now() + 10);
  learn('2026-11-22T09:00:00Z', Date.now(), Date.now() + 40_000);
  expect(now()).toBe(Date.now());
});
