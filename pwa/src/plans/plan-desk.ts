/** What is done with plans at a desk, online only: the library, versions, checking and saving a text, rehearsing it, approving. */
import { call, Refused } from '../api';
import { dropDraft, draftOf, keepDraft } from '../drafts';
import { desk } from '../i18n/desk';
import { newId } from '../ids';
import { Hindrance, isOffline, whyNotNow } from '../online';
import { sync } from '../sync';
import type { Id, Instant, Words } from '../types';
import { draftKey, keyOf, NEW, raiseVersion, SKELETON, versionOf, type PlanDraft } from './source';
export { whyNotNow as whyNot } from '../online';
import type { Step } from '../tellable';
import type { Rehearsal } from './rehearsal';

export type Rules = Record<string, unknown>;

export interface Brief {
  id: Id;
  key: string;
  title: Words;
  category: string;
  status: string;
  /** The version in use; null while none is approved. */
  version: number | null;
  newest_version: number | null;
}
export interface Version {
  id: Id;
  version: number;
  status: string;
  by: Id | null;
  created_at: Instant;
  approved_by: Id | null;
  approved_at: Instant | null;
  /** Why it is in use without a second person: “demo”, or what was written at the first set-up. */
  approved_because: string | null;
}
export interface PlanFile extends Omit<Brief, 'version'> {
  version: number;
  text: string;
  rules: Rules;
  versions: Version[];
}
export interface Book {
  key: string;
  file: string;
  source: string;
  version: number;
  title: Words;
  category: string;
  scope: Words;
  variant_of: string | null;
  /** How the plan of this key stands here; null when it was never taken over. */
  status: string | null;
}
export interface OpenBook {
  key: string;
  text: string;
  rules: Rules;
  version: number;
}
export interface Finding {
  code: string;
  zh: string;
  en: string;
  /** From 1; 0 is the text as a whole. */
  line: number;
  column: number;
  path: string;
  nearest: string | null;
  severity: 'error' | 'warning' | 'hint';
  proposal_zh: string;
  proposal_en: string;
}
export interface Checked {
  findings: Finding[];
  /** null while the text has faults. */
  rules: Rules | null;
}
export interface Saved {
  key: string;
  version: number;
  status: string;
  /** False when the server knew this version with the same rules already. */
  fresh: boolean;
  /** The text as saved: its version may have been raised. */
  text: string;
}

/** Raises `Offline` or `Refused`, as everything here that asks the server. */
export async function inUse(): Promise<Brief[]> {
  return (await call<{ plans: Brief[] }>('GET', '/plans')).plans;
}

export async function library(): Promise<Book[]> {
  return (await call<{ plans: Book[] }>('GET', '/plans/library')).plans;
}

export async function openBook(key: string): Promise<OpenBook> {
  return await call<OpenBook>('GET', `/plans/library/${encodeURIComponent(key)}`);
}

/** A plan with its versions and one version's text: the one asked for, else the one in use. */
export async function planFile(key: string, version?: number): Promise<PlanFile> {
  const asked = version === undefined ? '' : `?version=${version}`;
  return await call<PlanFile>('GET', `/plans/${encodeURIComponent(key)}${asked}`);
}

/** The newest text of a plan: its last version here, else the library's. */
export async function newestText(key: string): Promise<{ text: string; version: number }> {
  try {
    const file = await planFile(key);
    const last = Math.max(...file.versions.map((one) => one.version));
    return last === file.version ? file : await planFile(key, last);
  } catch (error) {
    if (error instanceof Refused && error.status === 404) return await openBook(key);
    throw error;
  }
}

export async function check(text: string): Promise<Checked> {
  return await call<Checked>('POST', '/plans/check', { body: { text } });
}

/** Keeps the text as a draft version; where its number is taken, under the next free one. */
export async function save(text: string): Promise<Saved> {
  try {
    return await sendText(text);
  } catch (error) {
    if (!(error instanceof Refused) || !['version_taken', 'version_lower'].includes(error.code)) throw error;
    const known = await planFile(keyOf(text) ?? '');
    const next = Math.max(versionOf(text) ?? 0, ...known.versions.map((one) => one.version)) + 1;
    return await sendText(raiseVersion(text, next));
  }
}

export async function approve(key: string, version: number): Promise<void> {
  const path = `/plans/${encodeURIComponent(key)}/revisions/${version}/approvals/${newId()}`;
  await call('PUT', path, { body: {} });
  await sync();
}

export async function rehearse(
  what: { plan: string } | { text: string },
  steps: readonly Step[],
  untilSeconds: number,
): Promise<Rehearsal> {
  return await call<Rehearsal>('POST', '/plans/simulations', {
    body: {
      ...what,
      steps: steps.map(({ at_seconds, key, value }) => ({
        at_seconds,
        key,
        ...(value === undefined ? {} : { value }),
      })),
      until_seconds: untilSeconds,
    },
  });
}

/** The rules and text to rehearse: the version in use, else the library's; with `typed`, the text kept on this device. */
export async function rulesToRehearse(key: string, typed: boolean): Promise<{ text: string; rules: Rules }> {
  if (typed) {
    const text = (await unsaved(key))?.text ?? (key === NEW ? SKELETON : (await newestText(key)).text);
    const { rules } = await check(text);
    if (rules) return { text, rules };
    throw new Hindrance(desk.t.faults_to_rehearse);
  }
  const own = (await inUse()).find((one) => one.key === key);
  return own && own.version !== null ? await planFile(key, own.version) : await openBook(key);
}

/** What was typed and not saved yet, kept on this device. */
export async function unsaved(key: string): Promise<PlanDraft | undefined> {
  return await draftOf<PlanDraft>(draftKey(key));
}

export async function keepUnsaved(key: string, draft: PlanDraft): Promise<void> {
  await keepDraft(draftKey(key), draft);
}

export async function dropUnsaved(key: string): Promise<void> {
  await dropDraft(draftKey(key));
}

/** How many books each category has, the fullest first. */
export function countByCategory(books: readonly Book[]): [string, number][] {
  const counted = new Map<string, number>();
  for (const one of books) counted.set(one.category, (counted.get(one.category) ?? 0) + 1);
  return [...counted].sort((a, b) => b[1] - a[1]);
}

/** The worst finding of each line. */
export function worstByLine(findings: readonly Finding[]): ReadonlyMap<number, Finding['severity']> {
  const found = new Map<number, Finding['severity']>();
  for (const one of findings) if (one.line && found.get(one.line) !== 'error') found.set(one.line, one.severity);
  return found;
}

/** Why what was typed could not be checked or saved; it stays on this device when no answer comes. */
export function whyNotKept(error: unknown): string {
  return isOffline(error) ? `${whyNotNow(error)} ${desk.t.kept_here}` : whyNotNow(error);
}

/** Which findings a refusal carries. */
export function findingsOf(error: unknown): Finding[] {
  return error instanceof Refused && error.code === 'plan_invalid'
    ? (error.errors as unknown as Finding[]).filter((one) => typeof one.line === 'number')
    : [];
}

async function sendText(text: string): Promise<Saved> {
  const answer = await call<{ key: string; version: number; status: string }>('POST', '/plans', { body: { text } });
  await sync();
  const known = await planFile(answer.key, answer.version);
  return { ...answer, fresh: known.text === text, text };
}
