/** An answer given in a cellar at 10:03 that came out at 10:41 is told with both times. */
import { expect, it } from 'vitest';
import { speak } from '../i18n/locale.svelte';
import { arrivedLate, bothTimes } from './late';

const at = (clock: string): string => new Date(`2026-11-22T${clock}`).toISOString();

it('says both times of what came late, and one of what came at once', async () => {
  await speak('zh');
  const now = Date.parse(at('11:00:00'));
  expect(arrivedLate(at('10:03:00'), at('10:03:59'))).toBe(false);
  expect(bothTimes(at('10:03:00'), at('10:03:59'), now)).toBe('10:03');
  expect(bothTimes(at('10:03:00'), at('10:41:00'), now)).toBe('10:03 发生，10:41 收到');
  expect(bothTimes(at('10:03:00'), null, now)).toBe('10:03');
});
