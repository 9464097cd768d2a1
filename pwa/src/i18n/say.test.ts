/** A time says the day when it is not today, and the year when it is another one. */
import { expect, it } from 'vitest';
import { speak } from './locale.svelte';
import { time } from './say';

const NOW = new Date(2026, 10, 28, 9, 0).getTime();
const at = (year: number, month: number, day: number) => new Date(year, month - 1, day, 10, 3);

it.each([
  ['zh', at(2026, 11, 28), '10:03'],
  ['zh', at(2026, 1, 5), '1 月 5 日 10:03'],
  ['zh', at(2030, 1, 5), '2030 年 1 月 5 日 10:03'],
  ['en', at(2026, 1, 5), '5 Jan, 10:03'],
  ['en', at(2030, 1, 5), '5 Jan 2030, 10:03'],
] as const)('%s: %s', async (locale, moment, said) => {
  await speak(locale);
  expect(time(moment, NOW)).toBe(said);
});
