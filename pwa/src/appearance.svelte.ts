/** Language, theme, text size and saving of data on this phone: applied before the first screen, kept when chosen. */
import { locale, speak } from './i18n/locale.svelte';
import { firstLocale, keep, kept, type Locale, type Theme } from './kept';
import { chooseSaver, type Saver } from './thrift';

export type { Theme };
export const SIZES = [1, 1.15, 1.3, 1.5, 1.75, 2];

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
    return locale();
  },
  set locale(next: Locale) {
    // Without a network and without the app's own files its words cannot come: then the language stays.
    speak(next).then(
      () => apply(),
      () => undefined,
    );
  },
};

/** Takes up what was chosen; resolves when the words of the language are there. */
export async function restoreAppearance(): Promise<void> {
  const before = kept();
  look.theme = before.theme ?? 'system';
  look.size = SIZES.includes(before.size ?? 0) ? (before.size ?? 1) : 1;
  look.saver = before.saver ?? 'auto';
  dark?.addEventListener('change', () => show());
  // The page itself says the colours of a theme that follows the system.
  show(look.theme !== 'system');
  await speak(firstLocale());
}

function apply(): void {
  show();
  keep({ ...look, locale: locale() });
}

function show(colours = true): void {
  const root = document.documentElement;
  root.dataset['theme'] = look.theme === 'system' ? (dark?.matches ? 'dark' : 'light') : look.theme;
  chooseSaver(look.saver);
  root.style.setProperty('--type', String(look.size));
  const surface = colours ? getComputedStyle(root).getPropertyValue('--surface').trim() : '';
  if (surface)
    document.querySelectorAll('meta[name="theme-color"]').forEach((one) => one.setAttribute('content', surface));
}
