/** What changed between two texts, line by line. */

export interface DiffLine {
  kind: 'same' | 'added' | 'removed';
  text: string;
  /** Line numbers from 1 in the old and the new text; null where the line is not in it. */
  before: number | null;
  after: number | null;
}
export interface Hunk {
  /** How many unchanged lines are left out before this one. */
  skipped: number;
  lines: DiffLine[];
}

/** Above this many edits the exact answer is not worth its time: the rest counts as replaced. */
const MOST_EDITS = 1500;

/** The shortest list of lines to remove and add (Myers 1986, O(ND)); unchanged ends are cut off first. */
export function differences(before: string, after: string): DiffLine[] {
  const a = before.split('\n');
  const b = after.split('\n');
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const result: DiffLine[] = [];
  const same = (i: number, j: number): void => {
    result.push({ kind: 'same', text: a[i]!, before: i + 1, after: j + 1 });
  };
  for (let n = 0; n < head; n++) same(n, n);
  for (const [i, j] of path(a.slice(head, a.length - tail), b.slice(head, b.length - tail))) {
    if (i !== null && j !== null) same(i + head, j + head);
    else if (i !== null) result.push({ kind: 'removed', text: a[i + head]!, before: i + head + 1, after: null });
    else if (j !== null) result.push({ kind: 'added', text: b[j + head]!, before: null, after: j + head + 1 });
  }
  for (let n = tail; n > 0; n--) same(a.length - n, b.length - n);
  return result;
}

/** Only what changed, with so many unchanged lines around it. */
export function hunks(lines: readonly DiffLine[], around = 2): Hunk[] {
  const found: Hunk[] = [];
  let last = -1;
  lines.forEach((line, n) => {
    if (line.kind === 'same') return;
    const from = Math.max(last + 1, n - around);
    const to = Math.min(lines.length - 1, n + around);
    const open = found.at(-1);
    if (open && from <= last + 1) open.lines.push(...lines.slice(last + 1, to + 1));
    else found.push({ skipped: from - last - 1, lines: lines.slice(from, to + 1) });
    last = to;
  });
  return found;
}

type Pair = [number | null, number | null];

function path(a: string[], b: string[]): Pair[] {
  const [n, m] = [a.length, b.length];
  if (n === 0) return b.map((_, j): Pair => [null, j]);
  if (m === 0) return a.map((_, i): Pair => [i, null]);
  const most = Math.min(n + m, MOST_EDITS);
  // reached[k + most + 1] is how far into `a` the furthest path on diagonal k has come.
  const reached = new Int32Array(2 * most + 3);
  const trace: Int32Array[] = [];
  for (let d = 0; d <= most; d++) {
    trace.push(reached.slice(most + 1 - d - 1, most + 1 + d + 2));
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && reached[most + k]! < reached[most + 2 + k]!);
      let i = down ? reached[most + 2 + k]! : reached[most + k]! + 1;
      let j = i - k;
      while (i < n && j < m && a[i] === b[j]) [i, j] = [i + 1, j + 1];
      reached[most + 1 + k] = i;
      if (i >= n && j >= m) return back(trace, n, m);
    }
  }
  return [...a.map((_, i): Pair => [i, null]), ...b.map((_, j): Pair => [null, j])];
}

function back(trace: readonly Int32Array[], n: number, m: number): Pair[] {
  const found: Pair[] = [];
  let [i, j] = [n, m];
  for (let d = trace.length - 1; d >= 0; d--) {
    const reached = trace[d]!;
    const at = (k: number): number => reached[k + d + 1]!;
    const k = i - j;
    const down = k === -d || (k !== d && at(k - 1) < at(k + 1));
    const from = down ? at(k + 1) : at(k - 1);
    const fromJ = from - (down ? k + 1 : k - 1);
    while (i > from && j > fromJ && i > 0 && j > 0 && (d === 0 || i > (down ? from : from + 1))) found.push([--i, --j]);
    if (d > 0) found.push(down ? [null, --j] : [--i, null]);
  }
  return found.reverse();
}
