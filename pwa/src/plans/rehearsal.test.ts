/** The slider's grouping, the picture at a moment, and what a plan may be told. */
import { expect, it } from 'vitest';
import { tellable } from '../tellable';
import { moments, pictureAt, shownHappenings, type Happening } from './rehearsal';

const START = '2026-11-22T08:00:00.000Z';
const words = (zh: string) => ({ zh, en: zh });
const one = (seconds: number, kind: string, rule: string, due: number | null = null): Happening => ({
  at: new Date(Date.parse(START) + seconds * 1000).toISOString(),
  seconds,
  kind,
  rule,
  to: [],
  words: words(rule),
  clause: null,
  due: due === null ? null : new Date(Date.parse(START) + due * 1000).toISOString(),
});
const RUN = [
  one(0, 'fact', 'incident.reported'),
  one(0, 'limit_started', 'restore', 900),
  one(59, 'limit_started', 'report', 3600),
  one(60, 'fact', 'cause.found'),
  one(900, 'limit_passed', 'restore'),
  one(900, 'alert', 'restore'),
];

it('groups by whole minutes in order, whatever order they come in', () => {
  const found = moments([...RUN].reverse());
  expect(found.map(({ minute, seconds, happenings }) => [minute, seconds, happenings.length])).toEqual([
    [0, 59, 3],
    [1, 60, 1],
    [15, 900, 2],
  ]);
});

it('shows only what has happened by the moment, the latest first, with the limits that still run', () => {
  const all = moments(RUN);
  expect(pictureAt(all, START, -1)).toEqual({ moments: [], count: 0, running: [], level: null });
  expect(pictureAt(all, START, 1).running.map(({ rule, due }) => [rule, due])).toEqual([
    ['restore', 900],
    ['report', 3600],
  ]);
  const end = pictureAt(all, START, 2);
  expect(end.count).toBe(6);
  expect(end.moments.map(({ minute }) => minute)).toEqual([15, 1, 0]);
  expect(end.running.map(({ rule }) => rule)).toEqual(['report']);
});

it('stops every clock when the incident is dismissed and names the last level set', () => {
  const all = moments([...RUN, one(1000, 'level_set', 'scale.red'), one(1200, 'fact', 'incident.dismissed')]);
  const end = pictureAt(all, START, 99);
  expect(end.running).toEqual([]);
  expect(end.level?.rule).toBe('scale.red');
});

it('leaves out the facts that rules make of themselves, and no other', () => {
  const made = [
    one(0, 'fact', 'order.repair.issued'),
    one(0, 'fact', 'report.sent'),
    one(0, 'order', 'order.x.issued'),
  ];
  expect(shownHappenings(made).map(({ kind, rule }) => [kind, rule])).toEqual([
    ['fact', 'report.sent'],
    ['order', 'order.x.issued'],
  ]);
});

it('offers the facts a plan speaks of, its measures but those that count themselves, levels and signs', () => {
  const rules = {
    facts: [{ key: 'backup.selling', title: words('备用') }],
    limits: [{ key: 'restore', starts: ['incident.reported'], ends: ['fault.cleared'] }],
    measures: [
      { key: 'queue', title: words('排队'), unit: 'people' },
      { key: 'cause', title: words('原因'), kind: 'choice', options: [{ key: 'power', title: words('停电') }] },
      { key: 'minutes', title: words('时长'), kind: 'elapsed', unit: 'min' },
    ],
    scales: [
      {
        key: 'crowd',
        levels: [{ key: 'red', title: words('红'), alternatives: [{ key: 'crush', words: words('踩踏') }] }],
      },
    ],
    end: {
      conditions: [
        { key: 'calm', words: words('秩序正常') },
        { key: 'back', when: { op: 'fact' } },
      ],
    },
  };
  const known = ['incident.reported', 'fault.cleared', 'plan.activated', 'data.lost'];
  expect(tellable(rules, known).map(({ key, kind, group }) => `${group} ${kind} ${key}`)).toEqual([
    'facts fact incident.reported',
    'facts fact fault.cleared',
    'facts fact plan.activated',
    'facts fact backup.selling',
    'measures number queue',
    'measures choice cause',
    'levels fact level.crowd.red',
    'judged flag crush',
    'judged flag calm',
  ]);
});
