/** How this person wants the app on this phone to look and speak, as the browser keeps it. */
import type { Words } from './i18n/zh';
import type { Saver } from './thrift';

export type Locale = 'zh' | 'en';
export type Theme = 'system' | 'light' | 'dark';
export interface Kept {
  theme?: Theme;
  size?: number;
  saver?: Saver;
  locale?: Locale;
}
const KEY = 'tocsin.appearance';

export function kept(): Kept {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? '{}') as Kept;
  } catch {
    return {};
  }
}

/** In private mode the choice lasts as long as the page. */
export function keep(all: Kept): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(all));
  } catch {
    // The look is right until the page is closed.
  }
}

/** The language chosen here; a new phone follows its own, Chinese when it is neither. */
export function firstLocale(): Locale {
  return kept().locale ?? (navigator.language.startsWith('en') ? 'en' : 'zh');
}

/** The words of one language; a phone fetches those of the other only when asked to. */
export const loadWords: Record<Locale, () => Promise<Words>> = {
  zh: async () => (await import('./i18n/zh')).zh,
  en: async () => (await import('./i18n/en')).en,
};
