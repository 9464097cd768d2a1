/** Reports the plan requires: what counts as missing and what is sent. */
import { expect, test } from 'vitest';
import type { Plan } from '../types';
import { fieldTitle, missing, reportRules, texts } from './plan-reports';

const words = (text: string) => ({ zh: text, en: text });
const plan = {
  rules: {
    reports: [
      {
        key: 'repair',
        title: words('repair'),
        to: words('leaders'),
        fields: [
          { key: 'time', title: words('Time'), kind: 'time' },
          { key: 'cause', title: words('Cause') },
          { key: 'other', title: words('Other'), required: false },
        ],
      },
    ],
  },
} as unknown as Plan;
const rule = reportRules(plan)[0]!;

test('a field is required text unless the plan says otherwise', () => {
  expect(rule.fields.map(({ kind, required }) => [kind, required])).toEqual([
    ['time', true],
    ['text', true],
    ['text', false],
  ]);
  expect(reportRules(undefined)).toEqual([]);
});

test('required fields with nothing but spaces are missing', () => {
  expect(missing(rule, { cause: ' ' }).map((one) => one.key)).toEqual(['time', 'cause']);
  expect(missing(rule, { time: '2026-11-22T10:03', cause: 'x' })).toEqual([]);
});

test('only filled fields of the report are sent, as text', () => {
  expect(texts(rule, { time: '2026-11-22T10:03', cause: ' x ', other: '', foreign: 'y' })).toEqual({
    time: '2026-11-22 10:03',
    cause: 'x',
  });
});

test('a field is called what the plan calls it', () => {
  expect(fieldTitle(plan, 'cause')).toEqual(words('Cause'));
  expect(fieldTitle(plan, 'unheard-of')).toBeNull();
});
