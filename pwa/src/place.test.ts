/** A page that was ended at work opens there again, but only soon after and only when nothing else was asked for. */
import { beforeEach, expect, it, vi } from 'vitest';
import { placeBefore, rememberPlace } from './place';

beforeEach(() => {
  const kept = new Map<string, string>();
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
  });
});

it('goes back to work that was under way', () => {
  rememberPlace('#/checklists/1', 0);
  expect(placeBefore('#/now', 60_000)).toBe('#/checklists/1');
  expect(placeBefore('', 60_000)).toBe('#/checklists/1');
});

it('does not after ten minutes, nor over a link somebody opened, nor to a mere list', () => {
  rememberPlace('#/report', 0);
  expect(placeBefore('#/now', 600_000)).toBeNull();
  expect(placeBefore('#/alerts/1', 1)).toBeNull();
  rememberPlace('#/incidents', 0);
  expect(placeBefore('#/now', 1)).toBeNull();
});
