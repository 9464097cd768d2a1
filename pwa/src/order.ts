/** Order of times and ids as text. Not by the rules of a language: those take a slow phone tens of milliseconds to load. */

/** Compares for `sort`; what is missing comes first. */
export function byText(a: string | null | undefined, b: string | null | undefined): number {
  const [one, other] = [a ?? '', b ?? ''];
  return one < other ? -1 : one > other ? 1 : 0;
}
