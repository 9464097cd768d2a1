/** An item's state is the fold of its marks; a safety-critical item in dispute is never done. */
import { describe, expect, it, vi } from 'vitest';
import type { Checklist, Item, Mark } from '../types';
import { holds } from '../conditions';
import { waiting } from '../queue';
import { freshPhone } from '../testing/phone';
import { folded, mark as markItem, measured, settle } from './checklists';

const list: Checklist = {
  id: 'c',
  incident: 'i',
  team: 't',
  key: 'k',
  title: { zh: '', en: '' },
  ordered: false,
  status: 'open',
};
const item = (id: string, over: Partial<Item> = {}): Item => ({
  id,
  checklist: 'c',
  position: Number(id.slice(1)),
  kind: 'tick',
  title: { zh: id, en: id },
  unit: null,
  min: null,
  max: null,
  choices: null,
  safety_critical: false,
  requires: [],
  locked_until: null,
  clause: null,
  ...over,
});
const mark = (id: string, value: string | number, based_on: string | null, minute: number, of = 'i1'): Mark => ({
  id,
  item: of,
  value,
  note: null,
  based_on,
  occurred_at: `2026-11-22T08:${String(minute).padStart(2, '0')}:00.000Z`,
});

describe('the last mark', () => {
  it('wins by time, not by arrival', () => {
    const { current } = settle([mark('b', 'done', 'a', 2), mark('a', 'not_done', null, 1)]);
    expect(current?.id).toBe('b');
  });
  it('wins by id when the times are equal', () => {
    expect(settle([mark('b', 'done', null, 1), mark('a', 'done', null, 1)]).current?.id).toBe('b');
  });
});

describe('contested', () => {
  const offline = [mark('a', 'done', null, 1), mark('b', 'not_done', null, 2)];
  it('when another value was set without knowing the first', () => {
    expect(settle(offline).contested).toBe(true);
  });
  it('not when both say the same', () => {
    expect(settle([mark('a', 'done', null, 1), mark('b', 'done', null, 2)]).contested).toBe(false);
  });
  it('not when the second knew the first', () => {
    expect(settle([mark('a', 'done', null, 1), mark('b', 'not_done', 'a', 2)]).contested).toBe(false);
  });
  it('until someone confirms, having seen the latest', () => {
    expect(settle([...offline, mark('c', 'done', 'b', 3)]).contested).toBe(false);
    expect(settle([...offline, mark('c', 'done', 'a', 3)]).contested).toBe(true);
  });
  it('never counts as done', () => {
    const marks = [mark('a', 'not_done', null, 1), mark('b', 'done', null, 2)];
    expect(folded(list, [item('i1', { safety_critical: true })], marks, new Map()).done).toBe(0);
    expect(folded(list, [item('i1')], [...marks, mark('c', 'done', 'b', 3)], new Map()).done).toBe(1);
  });
});

describe('locks', () => {
  it('wait for the items they require', () => {
    const items = [item('i1'), item('i2', { requires: ['i1'] })];
    expect(folded(list, items, [], new Map()).items[1]?.locked).toBe(true);
    expect(folded(list, items, [mark('a', 'done', null, 1)], new Map()).items[1]?.locked).toBe(false);
  });
  it('wait for the one before in an ordered list', () => {
    const view = folded(
      { ...list, ordered: true },
      [item('i1'), item('i2'), item('i3')],
      [mark('a', 'done', null, 1)],
      new Map(),
    );
    expect(view.items.map((one) => one.locked)).toEqual([false, false, true]);
  });
  it('hold while an interlock does', () => {
    const items = [item('i1', { locked_until: { words: { zh: '先切断气源', en: 'Cut the gas first' } } })];
    expect(folded(list, items, [], new Map()).items[0]?.locked).toBe(true);
  });
});

describe('a condition', () => {
  const cause = { op: '=', name: 'cause', value: 'network' } as const;
  it('leaves an item out only when it is known not to hold', () => {
    const items = [item('i1', { when: cause })];
    expect(folded(list, items, [], new Map()).items).toHaveLength(1);
    expect(folded(list, items, [], new Map([['cause', 'network']])).items).toHaveLength(1);
    expect(folded(list, items, [], new Map([['cause', 'power']])).items).toHaveLength(0);
  });
  it('reckons in three values', () => {
    const hot = { op: '>', name: 'temperature', value: 40 } as const;
    const known = new Map<string, string | number>([['cause', 'network']]);
    expect(holds({ op: 'all', parts: [cause, hot] }, known)).toBeNull();
    expect(holds({ op: 'any', parts: [cause, hot] }, known)).toBe(true);
    expect(holds({ op: 'not', parts: [cause] }, known)).toBe(false);
    expect(holds(hot, new Map([['temperature', 40]]))).toBe(false);
    expect(holds({ op: 'fact', name: 'service.restored' }, known)).toBe(false);
  });
});

describe('a measured value', () => {
  const gas = item('i1', { kind: 'number', min: 0, max: 25 });
  it('is read in full-width digits and with a comma', () => {
    expect(measured(gas, ' １２，５')).toEqual({ ok: true, value: 12.5 });
  });
  it('is refused when it is no number', () => {
    expect(measured(gas, '')).toEqual({ ok: false, why: 'not_a_number' });
    expect(measured(gas, '1 2')).toEqual({ ok: false, why: 'not_a_number' });
  });
  it('is held up outside its bounds, on both sides', () => {
    expect(measured(gas, '25').ok).toBe(true);
    expect(measured(gas, '25.1')).toEqual({ ok: false, why: 'outside', value: 25.1 });
    expect(measured(gas, '-1')).toEqual({ ok: false, why: 'outside', value: -1 });
  });
});

it('keeps a mark and the picture that proves it by one transaction', async () => {
  const { phone } = await freshPhone();
  const writes = vi.spyOn(IDBDatabase.prototype, 'transaction');
  const state = folded(list, [item('i1', { kind: 'photo', incident: 'i' })], [], new Map()).items[0]!;
  const photo = { id: 'p1', sha256: 'x', size: 3, mime: 'image/jpeg' };
  const id = await markItem(state, 'done', { photo });
  const strict = writes.mock.calls.filter(([, mode, how]) => mode === 'readwrite' && how?.durability === 'strict');
  expect(strict).toHaveLength(1);
  expect(
    (await waiting(phone)).map(({ path, photos, body }) => [path.split('/')[3], photos, body['photo'] ?? null]),
  ).toEqual([
    ['reports', ['p1'], null],
    ['items', [], 'p1'],
  ]);
  expect((await waiting(phone))[1]?.id).toBe(id);
});
