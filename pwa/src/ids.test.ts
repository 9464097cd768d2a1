import { expect, test } from 'vitest';
import { newId } from './ids';

test('an id is a UUIDv7 of the given millisecond', () => {
  const id = newId(Date.parse('2100-01-01T00:00:00Z'));
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(parseInt(id.replaceAll('-', '').slice(0, 12), 16)).toBe(Date.parse('2100-01-01T00:00:00Z'));
});

test('ten thousand ids of one burst are different and in order', () => {
  const at = Date.parse('2101-01-01T00:00:00Z');
  const ids = Array.from({ length: 10_000 }, () => newId(at));
  expect(new Set(ids).size).toBe(10_000);
  expect([...ids].sort()).toEqual(ids);
});

test('a clock that goes back does not break the order', () => {
  const later = newId(Date.parse('2102-01-01T00:00:00Z'));
  expect(newId(Date.parse('1970-01-01T00:00:00Z')) > later).toBe(true);
});
