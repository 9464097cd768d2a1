/** The board counts people, not messages, and an answer counts as delivered and opened. */
import { describe, expect, it } from 'vitest';
import type { Alert, Recipient } from '../types';
import { answerCurve, funnels } from './board';

const at = (minute: number): string => `2026-11-22T08:${String(minute).padStart(2, '0')}:00.000Z`;
const alert = (id: string, team: string | null, minute: number): Alert => ({
  id,
  incident: 'i',
  order: null,
  team,
  title: { zh: '', en: '' },
  body: { zh: '', en: '' },
  level: null,
  critical: false,
  read_back: false,
  drill: false,
  answers: [],
  clause: null,
  issued_at: at(minute),
  expires_at: at(59),
  status: 'open',
  place: null,
});
const told = (id: string, person: string, over: Partial<Recipient> = {}): Recipient => ({
  id,
  alert: 'a',
  person,
  team: 'security',
  told_at: at(1),
  delivered_at: null,
  opened_at: null,
  answered_at: null,
  answer: null,
  eta_minutes: null,
  reason: null,
  channels: [],
  silent: false,
  ...over,
});

describe('the funnel of a team', () => {
  it('counts an answer as delivered and opened', () => {
    const people = [
      told('1', 'p1', { answer: 'received', answered_at: at(2) }),
      told('2', 'p2', { delivered_at: at(1) }),
      told('3', 'p3'),
    ];
    expect(funnels(people, [alert('a', 'security', 1)], undefined)).toMatchObject([
      {
        team: 'security',
        told: 3,
        delivered: 2,
        opened: 1,
        answered: 1,
        silent: 2,
        silent_people: ['p2', 'p3'],
        by_answer: { received: 1 },
      },
    ]);
  });
  it('counts a person once, by the newest alert', () => {
    const people = [told('1', 'p1', { answer: 'received', answered_at: at(2) }), told('2', 'p1', { alert: 'b' })];
    expect(funnels(people, [alert('a', 'security', 1), alert('b', 'security', 5)], undefined)).toMatchObject([
      { told: 1, answered: 0, silent_people: ['p1'] },
    ]);
  });
  it('takes the team from the alert when the line names none', () => {
    expect(funnels([told('1', 'p1', { team: null })], [alert('a', 'it', 1)], undefined)[0]?.team).toBe('it');
  });
  it('falls back to the numbers when people are not visible', () => {
    const teams = [
      { team: 'it', told: 4, delivered: 3, opened: 2, answered: 1, by_answer: { received: 1 }, silent: 3 },
    ];
    expect(funnels([], [], { id: 'i', incident: 'i', teams })).toMatchObject([
      { team: 'it', told: 4, answered: 1, silent_people: [] },
    ]);
  });
});

describe('the answer curve', () => {
  it('rises by one per answer, in order of time, from the first told', () => {
    const people = [
      told('1', 'p1', { answer: 'received', answered_at: at(4) }),
      told('2', 'p2', { answer: 'received', answered_at: at(2) }),
      told('3', 'p3'),
    ];
    expect(answerCurve(people)).toEqual([
      {
        team: 'security',
        told: 3,
        points: [
          { at: 0, answered: 0 },
          { at: 60, answered: 1 },
          { at: 180, answered: 2 },
        ],
      },
    ]);
  });
  it('is empty before anyone was told', () => {
    expect(answerCurve([told('1', 'p1', { told_at: null })])).toEqual([]);
  });
});
