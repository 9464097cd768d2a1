/** Builds the app into server/web, where the server serves it; `npm run dev` proxies the API to a running server. */
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

import { fetchEarly, inSteps } from './build/firstScreen.ts';
import { offlineShell } from './build/offlineShell.ts';

const server = `http://127.0.0.1:${process.env['PORT'] ?? '8463'}`;

export default defineConfig({
  plugins: [svelte(), fetchEarly(['app', 'first']), offlineShell({ worker: 'src/sw.ts' })],
  build: {
    outDir: '../server/web',
    emptyOutDir: true,
    target: ['es2022', 'chrome107', 'safari16.4', 'firefox115'],
    assetsInlineLimit: 0,
    sourcemap: false,
    // A screen's parts lie in the worker's cache; hints for each of them cost a slow phone more than they save.
    modulePreload: {
      polyfill: false,
      resolveDependencies: (_, files, { hostType }) => (hostType === 'html' ? files : []),
    },
    cssCodeSplit: false,
    // What several screens share comes in one file: at a cold start each file more costs a look into the worker's cache.
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            ...inSteps(import.meta.dirname, {
              start: ['src/main.ts'],
              first: ['src/app.ts'],
              later: ['src/later.ts'],
              arriving: ['src/people/SignIn.svelte'],
              below: ['src/pages/NowBelow.svelte', 'src/pages/Duty.svelte'],
            }),
            { name: 'shared', minShareCount: 3, test: (id) => !id.includes('/i18n/') },
          ],
        },
      },
      // On a slow machine it would tell whoever starts Tocsin how long its parts took.
      checks: { bundlerTimings: false },
    },
  },
  server: { host: '127.0.0.1', proxy: { '/api': { target: server, changeOrigin: false } } },
  test: {
    environment: 'node',
    include: ['src/**/*.test.ts', 'build/**/*.test.ts'],
    setupFiles: ['build/testSetup.ts'],
    restoreMocks: true,
    testTimeout: 10_000,
    maxWorkers: 2,
  },
});
