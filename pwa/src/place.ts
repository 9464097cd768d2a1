/** Where the person was, kept so that a page the camera or the system ended opens there again. */
import { parse } from './routes';

const KEY = 'tocsin.place';
const STILL_MS = 10 * 60_000;
/** Screens on which work may have been under way. */
const WORK = new Set(['report', 'checklist', 'tally', 'review']);

export function rememberPlace(hash: string, now: number = Date.now()): void {
  try {
    localStorage.setItem(KEY, JSON.stringify({ hash, at: now }));
  } catch {
    // Without storage the app simply starts at Now.
  }
}

/** Called when somebody leaves the phone or another person takes it. */
export function forgetPlace(): void {
  localStorage.removeItem(KEY);
}

/** The address to go back to when the app was started afresh within ten minutes of being ended at work; else null. */
export function placeBefore(hash: string, now: number = Date.now()): string | null {
  if (parse(hash).name !== 'now') return null;
  try {
    const { hash: was, at } = JSON.parse(localStorage.getItem(KEY) ?? '{}') as { hash?: string; at?: number };
    return was && at !== undefined && now - at < STILL_MS && WORK.has(parse(was).name) ? was : null;
  } catch {
    return null;
  }
}
