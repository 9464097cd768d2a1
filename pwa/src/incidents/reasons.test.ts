/** A reason is asked before sending whenever the server would ask for it. */
import { describe, expect, it } from 'vitest';
import type { BackEntry, Decision, Fact, Incident, Plan, Proposal } from '../types';
import { heldBack, stillOpen, whyReason } from './reasons';

const clause = { ref: '1', words: { zh: '一', en: 'one' } };
const words = { zh: '词', en: 'word' };
const level = (key: string, rank: number) => ({ key, rank, title: words, action: words, clause });
const plan = {
  rules: {
    scales: [{ key: 'crowd', title: words, levels: [level('red', 1), level('yellow', 3)] }],
    end: {
      words,
      clause,
      conditions: [
        { key: 'restored', words, clause, when: { op: 'fact', name: 'service.restored' } },
        { key: 'calm', words, clause },
      ],
    },
    interlocks: [{ locks: ['decision.restore'], needs: { op: 'fact', name: 'gas.off' }, words, clause }],
  },
} as unknown as Plan;
const fact = (key: string, value: Fact['value'] = null): Fact =>
  ({ id: key, key, value, incident: 'i', occurred_at: '2026-11-23T02:00:00Z' }) as Fact;
const view = (more: {
  facts?: Fact[];
  decisions?: Decision[];
  proposed?: Proposal[];
  back_entries?: BackEntry[];
  incident?: Partial<Incident>;
}) => ({
  plan,
  facts: more.facts ?? [],
  decisions: more.decisions ?? [],
  proposed: more.proposed ?? [],
  back_entries: more.back_entries ?? [],
  incident: { id: 'i', drill: false, activated_at: '2026-11-23T02:00:00Z', ...more.incident } as Incident,
});

describe('a level', () => {
  const red = [fact('level.set', 'crowd.red')];
  it('needs a reason to be lowered, none to be raised', () => {
    expect(whyReason(view({ facts: red }), 'level', 'crowd/yellow')).toBe('lowering');
    expect(whyReason(view({ facts: [fact('level.set', 'crowd.yellow')] }), 'level', 'crowd/red')).toBeNull();
    expect(whyReason(view({}), 'level', 'crowd/yellow')).toBeNull();
  });
  it('counts what this phone has decided and not sent yet', () => {
    const mine = { pending: true, kind: 'level', subject: { scale: 'crowd', level: 'red' } } as unknown as Decision;
    expect(whyReason(view({ decisions: [mine] }), 'level', 'crowd/yellow')).toBe('lowering');
  });
  it('needs one to differ from what the plan proposes', () => {
    const proposed = [{ scale: 'crowd', level: 'red' } as Proposal];
    expect(whyReason(view({ proposed }), 'level', 'crowd/yellow')).toBe('differs');
    expect(whyReason(view({ proposed }), 'level', 'crowd/red')).toBeNull();
  });
});

describe('the end', () => {
  it('needs a reason while paper work is not counted or not entered', () => {
    const facts = [fact('service.restored'), fact('calm', true)];
    const line = (remaining: number, counted_at: string | null) => [{ remaining, counted_at } as BackEntry];
    expect(whyReason(view({ facts, back_entries: line(0, null) }), 'end', null)).toBe('ledger_open');
    expect(whyReason(view({ facts, back_entries: line(2, '2026-11-23T02:00:00Z') }), 'end', null)).toBe('ledger_open');
    expect(whyReason(view({ facts, back_entries: line(0, '2026-11-23T02:00:00Z') }), 'end', null)).toBeNull();
  });
  it('needs a reason while a condition is open, once the plan is active', () => {
    const one = view({ facts: [fact('service.restored')] });
    expect(stillOpen(one).map((found) => found.key)).toEqual(['calm']);
    expect(whyReason(one, 'end', null)).toBe('end_open');
    expect(whyReason(view({ facts: one.facts, incident: { activated_at: null } }), 'end', null)).toBeNull();
    expect(whyReason(view({ facts: [fact('service.restored'), fact('calm')] }), 'end', null)).toBeNull();
  });
});

it('says what an interlock wants, and asks why only in a drill', () => {
  expect(heldBack(view({}), 'restore')).toHaveLength(1);
  expect(whyReason(view({}), 'restore', null)).toBeNull();
  expect(whyReason(view({ incident: { drill: true } }), 'restore', null)).toBe('interlock');
  expect(heldBack(view({ facts: [fact('gas.off')] }), 'restore')).toHaveLength(0);
});

it('is asked for what always needs one', () => {
  expect(whyReason(view({}), 'stand_down', null)).toBe('always');
  expect(whyReason(view({}), 'verify', null)).toBeNull();
});
