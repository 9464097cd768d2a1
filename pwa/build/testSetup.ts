/** Before every unit test: an IndexedDB in memory, and a failure for anything written to console.error or console.warn. */
import 'fake-indexeddb/auto';
import { beforeEach, vi } from 'vitest';

// Node has no reportError; what the app reports is a failure here, as an unhandled rejection.
vi.stubGlobal('reportError', (error: unknown) => {
  throw error;
});
vi.stubGlobal('__BUILD__', { version: 'test', files: [] });

beforeEach(() => {
  for (const level of ['error', 'warn'] as const) {
    vi.spyOn(console, level).mockImplementation((...words: unknown[]) => {
      throw new Error(`console.${level}: ${words.map(String).join(' ')}`);
    });
  }
});
