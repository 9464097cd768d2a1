/** Both languages say everything, and neither says nothing. */
import { expect, it } from 'vitest';
import { enDesk } from './desk-en';
import { zhDesk } from './desk-zh';
import { enDrills } from './drills-en';
import { zhDrills } from './drills-zh';
import { en as enApp } from './en';
import { enOffice } from './office-en';
import { zhOffice } from './office-zh';
import { enStaff } from './staff-en';
import { zhStaff } from './staff-zh';
import { zh as zhApp } from './zh';

const zh = { ...zhApp, desk: zhDesk, drills: zhDrills, staff: zhStaff, office: zhOffice };
const en = { ...enApp, desk: enDesk, drills: enDrills, staff: enStaff, office: enOffice };

type Leaf = [path: string, value: unknown];

function leaves(value: unknown, path = ''): Leaf[] {
  if (typeof value !== 'object' || value === null) return [[path, value]];
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, path ? `${path}.${key}` : key));
}

const said = (value: unknown): unknown =>
  typeof value === 'function' ? (value as (...all: unknown[]) => unknown)(1, 1, 1, 1) : value;

it('has the same keys, of the same kind, in both', () => {
  const kinds = (words: unknown): string[] => leaves(words).map(([path, value]) => `${path}: ${typeof value}`);
  expect(kinds(en).sort()).toEqual(kinds(zh).sort());
});

it.each([
  ['zh', zh],
  ['en', en],
])('leaves nothing empty in %s', (_, words) => {
  const empty = leaves(words).filter(
    ([, value]) => typeof said(value) !== 'string' || String(said(value)).trim() === '',
  );
  expect(empty.map(([path]) => path)).toEqual([]);
});

it('ends no sentence with an exclamation mark and uses full-width punctuation in Chinese', () => {
  const all = [...leaves(zh), ...leaves(en)].map(([path, value]) => [path, String(said(value))] as const);
  expect(all.filter(([, text]) => /[!！]/.test(text))).toEqual([]);
  const chinese = leaves(zh).map(([path, value]) => [path, String(said(value))] as const);
  expect(chinese.filter(([, text]) => /[\u4e00-\u9fff][,;?()]|[\u4e00-\u9fff]\.(\s|$)/.test(text))).toEqual([]);
});
