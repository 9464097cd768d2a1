/** What a limit says at a moment: how much is left, how full its bar is, how urgent it looks. */
import type { Limit } from '../types';
import { byText } from '../order';

export interface LimitAt {
  /** Whole seconds, rounded up, so that 0:00 shows only when it is due. */
  seconds: number;
  /** 1 full to 0 empty. */
  fraction: number;
  tone: 'calm' | 'soon' | 'passed' | 'over';
}

export function limitAt(limit: Limit, now: number): LimitAt {
  const due = Date.parse(limit.due_at);
  const length = Math.max(1, limit.length_seconds) * 1000;
  // The hour of a step the plan takes anyway is no failure when it has come.
  if (limit.timer && limit.status === 'passed') return { seconds: 0, fraction: 0, tone: 'over' };
  if (limit.status === 'met' || limit.status === 'cancelled') return { seconds: 0, fraction: 0, tone: 'over' };
  // A paused limit shows what was left when it stopped.
  const at = limit.status === 'paused' && limit.paused_at ? Date.parse(limit.paused_at) : now;
  const left = due - at;
  if (limit.status === 'passed' || left <= 0) return { seconds: 0, fraction: 0, tone: 'passed' };
  const fraction = Math.min(1, left / length);
  return { seconds: Math.ceil(left / 1000), fraction, tone: fraction < 0.25 ? 'soon' : 'calm' };
}

/** Whether it is the time one order gives, of which there are many, and not a limit of the plan. */
export const ofAnOrder = (limit: Limit): boolean => limit.key.startsWith('order-');

/** Those that still matter first, by due time; the plan's own before the times of its many orders. */
export function byUrgency(all: readonly Limit[]): Limit[] {
  // What began by itself is no time that somebody missed.
  const limits = all.filter((one) => !(one.timer && one.status === 'passed'));
  const order = { running: 0, passed: 0, paused: 3, met: 4, cancelled: 5 };
  const ofOrders = { running: 1, passed: 2, paused: 3, met: 4, cancelled: 5 };
  const rank = (one: Limit): number => (ofAnOrder(one) ? ofOrders : order)[one.status];
  return [...limits].sort((a, b) => rank(a) - rank(b) || byText(a.due_at, b.due_at));
}
