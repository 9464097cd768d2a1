/** Language, theme, text size and saving of data on this phone: kept in the browser, applied before the first screen. */
import { say, type Locale } from './i18n/say';
import { chooseSaver, type Saver } from './thrift';

export type Theme = 'system' | 'light' | 'dark';
export const SIZES = [1, 1.15, 1.3, 1.5, 1.75, 2];

interface Kept {
  theme?: Theme;
  size?: number;
  saver?: Saver;
  locale?: Locale;
}
const KEY = 'tocsin.appearance';
const look = $state<{ theme: Theme; size: number; saver: Saver }>({ theme: 'system', size: 1, saver: 'auto' });
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
  get saver(): Saver {
    return look.saver;
  },
  set saver(saver: Saver) {
    look.saver = saver;
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
  look.saver = kept.saver ?? 'auto';
  say.locale = kept.locale ?? (navigator.language.startsWith('en') ? 'en' : 'zh');
  dark?.addEventListener('change', apply);
  apply(false);
}

function apply(keep: unknown = true): void {
  const root = document.documentElement;
  root.dataset['theme'] = look.theme === 'system' ? (dark?.matches ? 'dark' : 'light') : look.theme;
  chooseSaver(look.saver);
  root.style.setProperty('--type', String(look.size));
  const surface = getComputedStyle(root).getPropertyValue('--surface').trim();
  if (surface)
    document.querySelectorAll('meta[name="theme-color"]').forEach((one) => one.setAttribute('content', surface));
  if (keep !== true) return;
  try {
    localStorage.setItem(KEY, JSON.stringify({ ...look, locale: say.locale } satisfies Kept));
  } catch {
    // Private mode: the choice lasts as long as the page.
  }
}

function read(): Kept {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? '{}') as Kept;
  } catch {
    return {};
  }
}
