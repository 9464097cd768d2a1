/** Places stand by their pins, reports on their places, and no name covers another. */
import { expect, it } from 'vitest';
import type { Place, Report } from '../types';
import { labelled, laidOut } from './floor-plan';

const place = (id: string, over: Partial<Place> = {}): Place => ({
  id,
  parent: null,
  kind: 'gate',
  title: { zh: id, en: id },
  lat: null,
  lon: null,
  plan_pin: null,
  floor_plan: null,
  capacity: null,
  code: id,
  ...over,
});
const report = (id: string, over: Partial<Report>): Report => ({
  id,
  incident: 'i',
  chain: 'first',
  previous: null,
  type: 'fault',
  place: null,
  position: null,
  text: null,
  counts: {},
  fields: {},
  photos: [],
  struck: null,
  ...over,
});

it('sets places by their pins and reports on their places', () => {
  const spots = laidOut([place('a', { plan_pin: { x: 0.2, y: 0.7 } })], [report('r', { place: 'a' })], 'a');
  expect(spots).toEqual([{ id: 'a', title: { zh: 'a', en: 'a' }, x: 0.2, y: 0.7, here: true, reports: ['r'] }]);
});

it('falls back to coordinates, north at the top', () => {
  const places = [place('n', { lat: 31, lon: 120 }), place('s', { lat: 30, lon: 121 })];
  const spots = laidOut(places, [report('r', { position: { lat: 30.5, lon: 120.5 } })], null);
  expect(spots.map(({ id, x, y }) => [id, x, y])).toEqual([
    ['n', 0, 0],
    ['s', 1, 1],
    ['r', 0.5, 0.5],
  ]);
});

it('leaves out a name that would cover another, never that of the incident', () => {
  const places = [place('b', { plan_pin: { x: 0.5, y: 0.5 } }), place('a', { plan_pin: { x: 0.52, y: 0.51 } })];
  expect([...labelled(laidOut(places, [], 'a'), () => 4)]).toEqual(['a']);
});
