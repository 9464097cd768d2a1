/** Language, theme and text size of this phone: kept in the browser, applied before the first screen. */
import { say, type Locale } from './i18n/say';

export type Theme = 'system' | 'light' | 'dark';
export const SIZES = [1, 1.15, 1.3, 1.5, 1.75, 2];

const KEY = 'tocsin.appearance';
const look = $state<{ theme: Theme; size: number }>({ theme: 'system', size: 1 });
const dark = typeof matchMedia === 'undefined' ? null : matchMedia('(prefers-color-scheme: dark)');

export const appearance = {
  get theme(): Theme {
    return look.theme;
  },
  set theme(theme: Theme) {
    look.theme = theme;
    apply();
  },
  get size(): number {
    return look.size;
  },
  set size(size: number) {
    look.size = size;
    apply();
  },
  get locale(): Locale {
    return say.locale;
  },
  set locale(locale: Locale) {
    say.locale = locale;
    apply();
  },
};

/** Reads what was chosen; a new phone follows its own language, Chinese when it is neither. */
export function restoreAppearance(): void {
  const kept = read();
  look.theme = kept.theme ?? 'system';
  look.size = SIZES.includes(kept.size ?? 0) ? (kept.size ?? 1) : 1;
  say.locale = kept.locale ?? (navigator.language.startsWith('en') ? 'en' : 'zh');
  dark?.addEventListener('change', apply);
  apply(false);
}

function apply(keep: unknown = true): void {
  const root = document.documentElement;
  root.dataset['theme'] = look.theme === 'system' ? (dark?.matches ? 'dark' : 'light') : look.theme;
  root.style.setProperty('--type', String(look.size));
  const surface = getComputedStyle(root).getPropertyValue('--surface').trim();
  if (surface)
    document.querySelectorAll('meta[name="theme-color"]').forEach((one) => one.setAttribute('content', surface));
  if (keep !== true) return;
  try {
    localStorage.setItem(KEY, JSON.stringify({ theme: look.theme, size: look.size, locale: say.locale }));
  } catch {
    // Private mode: the choice lasts as long as the page.
  }
}

function read(): { theme?: Theme; size?: number; locale?: Locale } {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? '{}') as { theme?: Theme; size?: number; locale?: Locale };
  } catch {
    return {};
  }
}
