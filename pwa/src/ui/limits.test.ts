/** A limit shows 0:00 only when it is due, amber under a quarter, and what was left when it was paused. */
import { describe, expect, it } from 'vitest';
import { speak } from '../i18n/locale.svelte';
import { countdown, duration } from '../i18n/say';
import type { Limit } from '../types';
import { byUrgency, limitAt } from './limits';

const START = Date.parse('2026-11-22T08:00:00.000Z');
const limit = (over: Partial<Limit> = {}): Limit => ({
  id: 'l',
  incident: 'i',
  key: 'restore',
  title: { zh: '', en: '' },
  clause: null,
  owner_team: null,
  started_at: '2026-11-22T08:00:00.000Z',
  due_at: '2026-11-22T08:15:00.000Z',
  length_seconds: 900,
  status: 'running',
  ended_at: null,
  fired_at: null,
  consequence: null,
  timer: false,
  ...over,
});
const after = (seconds: number): number => START + seconds * 1000;

describe('what is left', () => {
  it('counts down to zero and never shows it early', () => {
    expect(limitAt(limit(), after(0))).toEqual({ seconds: 900, fraction: 1, tone: 'calm' });
    expect(limitAt(limit(), after(899.9)).seconds).toBe(1);
    expect(limitAt(limit(), after(900)).tone).toBe('passed');
  });
  it('turns amber under a quarter, not at it', () => {
    expect(limitAt(limit(), after(675)).tone).toBe('calm');
    expect(limitAt(limit(), after(675.1)).tone).toBe('soon');
  });
  it('stands still while paused', () => {
    const paused = limit({ status: 'paused', paused_at: '2026-11-22T08:05:00.000Z' });
    expect(limitAt(paused, after(5000)).seconds).toBe(600);
  });
  it('is over when met, and a step the plan takes by itself is no failure', () => {
    expect(limitAt(limit({ status: 'met' }), after(5000)).tone).toBe('over');
    expect(limitAt(limit({ status: 'passed', timer: true }), after(5000)).tone).toBe('over');
  });
});

it('puts the most pressing first', () => {
  const list = [
    limit({ id: 'met', status: 'met' }),
    limit({ id: 'late', due_at: '2026-11-22T09:00:00.000Z' }),
    limit({ id: 'soon' }),
    limit({ id: 'order', key: 'order-publish', due_at: '2026-11-22T08:10:00.000Z' }),
    limit({ id: 'undone', key: 'order-repair', status: 'passed', due_at: '2026-11-22T08:05:00.000Z' }),
  ];
  expect(byUrgency(list).map((one) => one.id)).toEqual(['soon', 'late', 'order', 'undone', 'met']);
});

it('is said in digits that keep their places and in words', async () => {
  expect([countdown(899), countdown(59), countdown(3723), countdown(-1)]).toEqual(['14:59', '0:59', '1:02:03', '0:00']);
  await speak('zh');
  expect(duration(750)).toBe('12 分 30 秒');
  await speak('en');
  expect(duration(750)).toBe('12 min 30 s');
  expect(duration(0)).toBe('0 s');
});
