/** Starts the app: the store and the person first, the first screen from them, and only then anything that needs a network. */

import { mount } from 'svelte';
import App from './App.svelte';
import { startLive } from './live';
import { tidyPhotos } from './photos';
import { confirmSession, startSession } from './session';
import { note } from './status';
import { startTriggers } from './triggers';
import { startWorker } from './updates';

const TIDY_AFTER_MS = 10_000;

try {
  await startSession();
} catch {
  // Private mode, or an old tab that does not let go: the app opens and says so instead of staying blank.
  note({ storeUnavailable: true });
}
mount(App, { target: document.getElementById('app')! });
startTriggers();
startLive();
void confirmSession();
void startWorker();
// Reads every kept picture, so it waits until the first screen has stood for a while.
setTimeout(() => void tidyPhotos(), TIDY_AFTER_MS);
