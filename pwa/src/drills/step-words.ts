/** What people call a fact or measure of a script, and its value. */
import { desk } from '../i18n/desk';
import { title, unit as unitWord } from '../i18n/say';
import type { Told } from '../tellable';

export function stepName(told: readonly Told[], key: string): string {
  const one = told.find((other) => other.key === key);
  return one?.title ? title(one.title) : (desk.t.facts[key] ?? key);
}

export function stepValue(
  told: readonly Told[],
  key: string,
  value: string | number | boolean | null,
  unit?: string | null,
): string {
  if (value === null || value === true) return '';
  if (value === false) return desk.t.no;
  const option = told.find((one) => one.key === key)?.options.find((one) => one.key === value);
  return option ? title(option.title) : `${value}${unit ? ` ${unitWord(unit)}` : ''}`;
}
