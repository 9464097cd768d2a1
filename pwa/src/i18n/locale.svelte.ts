/** Which language the app speaks now. */
export type Locale = 'zh' | 'en';

const chosen = $state<{ locale: Locale }>({ locale: 'zh' });

export function locale(): Locale {
  return chosen.locale;
}

export function speak(next: Locale): void {
  chosen.locale = next;
  if (typeof document !== 'undefined') document.documentElement.lang = next === 'zh' ? 'zh-CN' : 'en';
}
