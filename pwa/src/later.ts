/** Everything a page does that its first screen does not wait for: sending, catching up, the stream, the worker. */

import { hear } from './changes';
import { finishErasing } from './erase';
import { startLive } from './live';
import { loadRest } from './memory';
import { tidyPhotos } from './photos';
import { confirmSession } from './session';
import { startTriggers } from './triggers';
import { startWorker } from './updates';
import { lookAgain, me } from './who';

const TIDY_AFTER_MS = 10_000;

export function startLater(): void {
  // Again after every sign-in.
  me.subscribe(() => void loadRest());
  void finishErasing();
  startTriggers();
  startLive();
  void confirmSession();
  // Asked in vain at the start: asked again as soon as there is somebody to ask.
  hear((change) => {
    if (change.back) void confirmSession();
  });
  addEventListener('online', () => void confirmSession());
  void startWorker();
  // Back from the browser's memory of pages: nothing of somebody who has left meanwhile is shown, not even for a moment.
  addEventListener('pageshow', (event) => {
    if (!event.persisted) return;
    document.documentElement.hidden = true;
    void lookAgain().finally(() => (document.documentElement.hidden = false));
  });
  // Reads every kept picture, so it waits until the first screen has stood for a while.
  setTimeout(() => void tidyPhotos(), TIDY_AFTER_MS);
}
