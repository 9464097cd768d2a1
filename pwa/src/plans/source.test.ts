/** Places in a text, and its version. */
import { expect, it } from 'vitest';
import { bytesOf, keyOf, offsetOf, raiseVersion, SKELETON, versionOf } from './source';

it('finds a place, and the nearest one for a place that is not there', () => {
  const text = 'ab\ncde\n';
  expect(offsetOf(text, 1, 1)).toBe(0);
  expect(offsetOf(text, 2, 3)).toBe(5);
  expect(offsetOf(text, 2, 99)).toBe(6);
  expect(offsetOf(text, 99, 1)).toBe(7);
  expect(offsetOf(text, 0, 0)).toBe(0);
});

it('raises the version of the plan and touches no other number', () => {
  const text = '# version: 9\nkey: a-plan\nversion: 3\nnotes:\n  - {version: 3}\n';
  expect(versionOf(text)).toBe(3);
  expect(raiseVersion(text, 12)).toBe(text.replace('\nversion: 3', '\nversion: 12'));
  expect(raiseVersion('key: a-plan\ntitle: x', 2)).toBe('key: a-plan\nversion: 2\ntitle: x');
});

it('begins a new plan from a text that names key and version', () => {
  expect([keyOf(SKELETON), versionOf(SKELETON)]).toEqual(['my-plan', 1]);
  expect(bytesOf('警a')).toBe(4);
});
