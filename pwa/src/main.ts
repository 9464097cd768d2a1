/** Starts the app: the store and the person first, the first screen from them, and only then anything that needs a network. */

import { mount } from 'svelte';
import App from './App.svelte';
import { startLive } from './live';
import { tidyPhotos } from './photos';
import { confirmSession, lookAgain, startSession, storeIsBack } from './session';
import { note } from './status';
import { startTriggers } from './triggers';
import { startWorker } from './updates';

const TIDY_AFTER_MS = 10_000;
const LOOK_AGAIN_MS = 5_000;

try {
  await startSession();
} catch {
  // Private mode, or an old tab that does not let go: the app opens and says so instead of staying blank.
  note({ storeUnavailable: true });
  setInterval(() => void storeIsBack().then((back) => back && location.reload()), LOOK_AGAIN_MS);
}
mount(App, { target: document.getElementById('app')! });
startTriggers();
startLive();
void confirmSession();
void startWorker();
// Back from the browser's memory of pages: nothing of somebody who has left meanwhile is shown, not even for a moment.
addEventListener('pageshow', (event) => {
  if (!event.persisted) return;
  document.documentElement.hidden = true;
  void lookAgain().finally(() => (document.documentElement.hidden = false));
});
// Reads every kept picture, so it waits until the first screen has stood for a while.
setTimeout(() => void tidyPhotos(), TIDY_AFTER_MS);
