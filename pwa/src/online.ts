/** What works only with the network: asked of the server at once, never queued. */
import { call, Offline, Refused } from './api';
import { say } from './i18n/say';
import { sync } from './sync';
import type { Clause, Id, Instant, Words } from './types';

/** Shuts a device out; its data is cleared at its next contact. Raises `Offline` or `Refused`. */
export async function revokeDevice(device: Id): Promise<void> {
  await call('DELETE', `/devices/${device}`);
  await sync();
}

/** Whether the incident's record is whole; `broken_at` is the first entry that disagrees. Raises `Offline` or `Refused`. */
export async function verifyRecord(incident: Id): Promise<{ intact: boolean; broken_at: number | null }> {
  return await call('GET', `/incidents/${incident}/verification`);
}

/** Whether no answer came at all, so that it may still come. */
export const isOffline = (error: unknown): boolean => error instanceof Offline;
/** Whether it did not come within the time, although there is a network. */
export const timedOut = (error: unknown): boolean => error instanceof Offline && error.timedOut;

/** What stands in the way, as a sentence for the person. */
export class Hindrance extends Error {
  override name = 'Hindrance';
}

/** Why something that needs the network did not happen, as a sentence; errors of another kind are raised again. */
export function whyNotNow(error: unknown): string {
  if (error instanceof Offline) return error.timedOut ? say.t.errors.silent : say.t.errors.online_only;
  if (error instanceof Refused) return error.detail || error.title || say.t.errors.again;
  if (error instanceof Hindrance) return error.message;
  throw error;
}

/** Why it was not kept: a sentence for the screen, and one for each field that is wrong. */
export interface Problem {
  said: string;
  fields: Record<string, string>;
}

/** Errors of another kind are raised again. */
export function problemOf(error: unknown): Problem {
  const fields =
    error instanceof Refused
      ? Object.fromEntries(error.errors.map((one) => [one.path.split('.')[0]!, one.message]))
      : {};
  return { said: whyNotNow(error), fields };
}

/** Something that comes round: a drill or a quiet-day duty a plan asks for, or a drill the law asks for. */
export interface Coming {
  plan: string;
  plan_title: Words;
  kind: 'drill' | 'duty' | 'law';
  key: string;
  title: Words;
  teams: Id[];
  every: { every: number; unit: string };
  last_at: Instant | null;
  due_at: Instant | null;
  overdue: boolean;
  clause: Clause | null;
}

/** What is due, the next first. Raises `Offline` or `Refused`. */
export async function calendar(): Promise<Coming[]> {
  return (await call<{ items: Coming[] }>('GET', '/drills/calendar')).items;
}
