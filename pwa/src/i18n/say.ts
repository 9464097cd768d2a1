/** The words in the language spoken now, and the small rules of saying times, spans and two-language titles in it. */
import { locale, words, type Locale } from './locale.svelte';
import { UNITS } from './units';
import type { Words } from './zh';

export type { Locale };
export type Titled = { zh?: string | null; en?: string | null } | string | null | undefined;

export const say = {
  get locale(): Locale {
    return locale();
  },
  get t(): Words {
    return words();
  },
};

/** A title of the server's in the chosen language, in the other when that one is missing. */
export function title(of: Titled): string {
  if (!of) return '';
  if (typeof of === 'string') return of;
  return (say.locale === 'zh' ? of.zh || of.en : of.en || of.zh) ?? '';
}

/** A unit of measure as people write it; plans name some of them in English. */
export const unit = (of: string | null | undefined): string => (of ? (UNITS[say.locale][of] ?? of) : '');

const two = (n: number): string => String(n).padStart(2, '0');

/** `10:03`, with the date when it is not today, and the year when it is another. */
export function time(at: string | number | Date | null | undefined, now: number = Date.now()): string {
  if (at === null || at === undefined || at === '') return '';
  const moment = new Date(at);
  if (Number.isNaN(moment.getTime())) return '';
  const clock = `${two(moment.getHours())}:${two(moment.getMinutes())}`;
  const today = new Date(now);
  if (moment.toDateString() === today.toDateString()) return clock;
  const year = moment.getFullYear() === today.getFullYear() ? null : moment.getFullYear();
  return say.t.time.date(year, moment.getMonth() + 1, moment.getDate(), clock);
}

export function date(at: string | null | undefined): string {
  if (!at) return '';
  const moment = new Date(at);
  return say.t.time.full_date(moment.getFullYear(), moment.getMonth() + 1, moment.getDate());
}

/** How long ago, coarse: people act on minutes. */
export function ago(at: string | null | undefined, now: number): string {
  if (!at) return '';
  const minutes = Math.floor((now - new Date(at).getTime()) / 60_000);
  if (minutes < 1) return say.t.time.now;
  if (minutes < 60) return say.t.time.minutes_ago(minutes);
  if (minutes < 48 * 60) return say.t.time.hours_ago(Math.floor(minutes / 60));
  return say.t.time.days_ago(Math.floor(minutes / 1440));
}

/** `12 分 30 秒`: a span in whole seconds. */
export function duration(seconds: number): string {
  const left = Math.max(0, Math.round(seconds));
  return say.t.time.duration(
    Math.floor(left / 86_400),
    Math.floor(left / 3600) % 24,
    Math.floor(left / 60) % 60,
    left % 60,
  );
}

/** A span to the minute, for lists. */
export function span(seconds: number): string {
  const minutes = Math.max(0, Math.round(seconds / 60));
  return say.t.time.short(Math.floor(minutes / 60), minutes % 60);
}

/** `14:59`, `1:02:03`: the digits of a countdown. */
export function countdown(seconds: number): string {
  const left = Math.max(0, Math.floor(seconds));
  const hours = Math.floor(left / 3600);
  const rest = `${hours ? two(Math.floor(left / 60) % 60) : Math.floor(left / 60)}:${two(left % 60)}`;
  return hours ? `${hours}:${rest}` : rest;
}
