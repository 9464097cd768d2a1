/** Which language the app speaks now, and its words. */
import { loadWords, type Locale } from '../kept';
import type { Words } from './zh';

export type { Locale };

let wanted: Locale = 'zh';
let spoken = $state.raw<{ locale: Locale; words: Words | null }>({ locale: 'zh', words: null });

export function locale(): Locale {
  return spoken.locale;
}

/** The words of the language spoken now; nothing asks before the first `speak` has ended. */
export function words(): Words {
  if (!spoken.words) throw new Error('no language is spoken yet');
  return spoken.words;
}

/** Resolves when the app speaks it; of several calls the last one stands. */
export async function speak(next: Locale): Promise<void> {
  wanted = next;
  const words = await loadWords[next]();
  if (wanted !== next) return;
  spoken = { locale: next, words };
  if (typeof document !== 'undefined') document.documentElement.lang = next === 'zh' ? 'zh-CN' : 'en';
}
