/** The gap a notice leaves for the time things are expected back. */
import { expect, test } from 'vitest';
import { asksForEta, filled, nextAt } from './notices';

const words = { zh: '预计{eta}恢复。', en: 'Expected back at {eta}.' };

test('words with a gap ask for a time until one is known', () => {
  expect(asksForEta({ wording: words, eta: null })).toBe(true);
  expect(asksForEta({ wording: words, eta: '2026-11-22T08:30:00.000Z' })).toBe(false);
  expect(asksForEta({ wording: { zh: '已恢复。', en: 'Back.' }, eta: null })).toBe(false);
});

test('every gap is filled', () => {
  expect(filled('{eta}前暂停，{eta}恢复', '10:30')).toBe('10:30前暂停，10:30恢复');
});

test('a clock time is the next such moment, tomorrow when it has passed today', () => {
  const ten = new Date(2026, 10, 22, 10, 0).getTime();
  expect(nextAt('10:30', ten)).toEqual(new Date(2026, 10, 22, 10, 30));
  expect(nextAt('09:59', ten)).toEqual(new Date(2026, 10, 23, 9, 59));
  expect(nextAt('10:00', ten)).toEqual(new Date(2026, 10, 22, 10, 0));
});

test('what is no clock time is none', () => {
  expect(nextAt('', 0)).toBeNull();
  expect(nextAt('soon', 0)).toBeNull();
});
