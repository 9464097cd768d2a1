/** Serial ranges count both ends, and what was issued equals used plus void plus returned. */
import { describe, expect, it } from 'vitest';
import type { Movement, Supply } from '../types';
import { amount, balance, freeRange, rangeSize } from './supplies';

const moved = (kind: Movement['kind'], over: Partial<Movement> = {}): Movement => ({
  id: kind,
  request: 'r',
  kind,
  quantity: null,
  serial_from: null,
  serial_to: null,
  carrier: null,
  note: null,
  accepted: true,
  ...over,
});

describe('a range of serial numbers', () => {
  it('counts both ends', () => {
    expect(rangeSize(1001, 1500)).toBe(500);
    expect(rangeSize(7, 7)).toBe(1);
  });
  it('refuses one that runs backwards or is no whole number', () => {
    expect(rangeSize(10, 9)).toBeNull();
    expect(rangeSize(1.5, 9)).toBeNull();
    expect(rangeSize(-1, 9)).toBeNull();
  });
  it('goes before a quantity that says otherwise', () => {
    expect(amount(moved('dispatched', { quantity: 3, serial_from: 1, serial_to: 10 }))).toBe(10);
    expect(amount(moved('dispatched', { quantity: 3 }))).toBe(3);
  });
});

describe('the balance', () => {
  const issued = moved('dispatched', { serial_from: 1001, serial_to: 1100 });
  it('closes when everything is accounted for', () => {
    const rest = [
      moved('used', { serial_from: 1001, serial_to: 1080 }),
      moved('void', { quantity: 2 }),
      moved('returned', { quantity: 18 }),
    ];
    expect(balance([issued, ...rest])).toEqual({ issued: 100, used: 80, spoiled: 2, returned: 18, open: 0 });
  });
  it('says what is open, and what is too many', () => {
    expect(balance([issued, moved('used', { quantity: 60 })]).open).toBe(40);
    expect(balance([issued, moved('used', { quantity: 101 })]).open).toBe(-1);
  });
  it('leaves out what the server did not apply', () => {
    expect(balance([issued, moved('used', { quantity: 60, accepted: false })]).used).toBe(0);
  });
});

describe('proposing free numbers', () => {
  const tickets: Supply = {
    id: 's',
    title: { zh: '', en: '' },
    unit: { zh: '张', en: 'tickets' },
    place: null,
    quantity: 500,
    minimum: 0,
    serial: true,
    serials: [
      { from: 1, to: 500, state: 'stock' },
      { from: 1, to: 100, state: 'dispatched' },
      { from: 121, to: 200, state: 'dispatched' },
      { from: 1, to: 100, state: 'received' },
    ],
    expires_at: null,
  };
  it('starts at the first free one', () => {
    expect(freeRange(tickets, 20)).toEqual({ from: 101, to: 120 });
    expect(freeRange(tickets, 50)).toEqual({ from: 201, to: 250 });
  });
  it('proposes nothing when they do not suffice', () => {
    expect(freeRange(tickets, 301)).toBeNull();
    expect(freeRange(tickets, 0)).toBeNull();
  });
});
