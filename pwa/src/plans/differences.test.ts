/** Line differences rebuild both texts and are as short as they can be. */
import { expect, it } from 'vitest';
import { differences, hunks, type DiffLine } from './differences';

const text = (lines: DiffLine[], not: DiffLine['kind']): string =>
  lines
    .filter((one) => one.kind !== not)
    .map((one) => one.text)
    .join('\n');
const edits = (lines: DiffLine[]): number => lines.filter((one) => one.kind !== 'same').length;

it('says nothing of equal texts', () => {
  expect(edits(differences('a\nb', 'a\nb'))).toBe(0);
  expect(hunks(differences('a\nb', 'a\nb'))).toEqual([]);
});

it('finds a changed, an added and a removed line with their numbers', () => {
  const found = differences('a\nb\nc\nd', 'a\nB\nc\nd\ne');
  expect(found.filter((one) => one.kind !== 'same')).toEqual([
    { kind: 'removed', text: 'b', before: 2, after: null },
    { kind: 'added', text: 'B', before: null, after: 2 },
    { kind: 'added', text: 'e', before: null, after: 5 },
  ]);
});

it('rebuilds both texts whatever changed, with the fewest edits', () => {
  let seed = 7;
  const random = (n: number): number => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;
  for (let round = 0; round < 300; round++) {
    const a = Array.from({ length: random(12) }, () => 'abc'[random(3)]!);
    const b = Array.from({ length: random(12) }, () => 'abc'[random(3)]!);
    const found = differences(a.join('\n'), b.join('\n'));
    expect(text(found, 'added')).toBe(a.join('\n'));
    expect(text(found, 'removed')).toBe(b.join('\n'));
    const [x, y] = [a.length ? a : [''], b.length ? b : ['']];
    expect(edits(found)).toBe(x.length + y.length - 2 * common(x, y));
  }
});

it('counts two texts that share nothing as replaced, in good time', () => {
  const a = Array.from({ length: 20_000 }, (_, n) => `a${n}`).join('\n');
  const b = Array.from({ length: 20_000 }, (_, n) => `b${n}`).join('\n');
  const began = performance.now();
  expect(edits(differences(a, b))).toBe(40_000);
  expect(performance.now() - began).toBeLessThan(2000);
});

it('groups changes that stand close together and says how much is left out', () => {
  const a = Array.from({ length: 30 }, (_, n) => String(n));
  const b = a.map((one) => (one === '5' || one === '8' || one === '25' ? `${one}!` : one));
  const found = hunks(differences(a.join('\n'), b.join('\n')), 2);
  expect(found.map((one) => [one.skipped, one.lines.length])).toEqual([
    [3, 10],
    [12, 6],
  ]);
});

function common(a: string[], b: string[]): number {
  const row = new Array<number>(b.length + 1).fill(0);
  for (const x of a) {
    let before = 0;
    b.forEach((y, j) => {
      const above = row[j + 1]!;
      row[j + 1] = x === y ? before + 1 : Math.max(above, row[j]!);
      before = above;
    });
  }
  return row.at(-1)!;
}
