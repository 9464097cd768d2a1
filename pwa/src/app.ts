/** Shows the first screen from the phone's own store; what needs a network, or nobody waits for, begins after it stands. */

import { mount } from 'svelte';
import App from './App.svelte';
import { restoreAppearance } from './appearance.svelte';
import { afterPaint } from './painted.svelte';
import { note } from './status';
import { startSession, storeIsBack } from './who';

const LOOK_AGAIN_MS = 5_000;

const spoken = restoreAppearance();
let keeps = true;
try {
  await startSession();
} catch {
  keeps = false;
  // Private mode, or an old tab that does not let go: the app opens and says so instead of staying blank.
  note({ storeUnavailable: true });
  setInterval(() => void storeIsBack().then((back) => back && location.reload()), LOOK_AGAIN_MS);
}
await spoken;
mount(App, { target: document.getElementById('app')! });
await afterPaint();
// A phone that keeps nothing has nothing to send and nowhere to put what comes.
if (keeps) void import('./later').then(({ startLater }) => startLater());
else void import('./updates').then(({ startWorker }) => startWorker());
