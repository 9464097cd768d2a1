/** Places stand below the one they lie in, and number ranges are read as people type them. */
import { expect, it } from 'vitest';
import type { Place } from '../types';
import { rangesIn, rangesOf, tree } from './office';

const place = (id: string, parent: string | null): Place => ({ id, parent, code: id }) as Place;

it('puts each place below the one it lies in, and those whose parent is unknown on top', () => {
  const list = [place('b', 'a'), place('a', null), place('c', 'b'), place('d', 'gone')];
  expect(tree(list).map((one) => [one.place.id, one.depth])).toEqual([
    ['a', 0],
    ['b', 1],
    ['c', 2],
    ['d', 0],
  ]);
});

it('offers no place inside itself to lie in', () => {
  const list = [place('a', null), place('b', 'a'), place('c', 'b'), place('d', null)];
  expect(tree(list, 'b').map((one) => one.place.id)).toEqual(['a', 'd']);
});

it('reads ranges with full-width digits and dashes, and names the line that is none', () => {
  expect(rangesIn('１００-200\n\n 300 — 400 ')).toEqual([
    { first: 100, last: 200 },
    { first: 300, last: 400 },
  ]);
  expect(rangesIn('100-200\nabc')).toBe(2);
  expect(rangesIn('9-3')).toBe(1);
  expect(rangesIn('')).toEqual([]);
});

it('shows what was stocked, not what is out', () => {
  const serials = [
    { from: 500, to: 600, state: 'stock' },
    { from: 1, to: 9, state: 'stock' },
    { from: 2, to: 3, state: 'dispatched' },
  ];
  expect(rangesOf({ serials })).toBe('1-9\n500-600');
});
