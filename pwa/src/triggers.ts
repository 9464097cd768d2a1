/** What makes an open page sync: start, focus, being seen, the network's return, a sign-in, and a beat every 30 seconds. */

import { hear } from './changes';
import { networkBack } from './flush';
import { startKnocking } from './knock';
import { pending } from './outbox';
import { note } from './status';
import { sync } from './sync';
import { forgetLink } from './uploads';

const EVERY_MS = 30_000;
const LAST_WORD_MS = 1_000;

/** Starts them; returns how to stop them. */
export function startTriggers(): () => void {
  const now = () => void sync();
  const online = () => {
    networkBack();
    forgetLink();
    now();
  };
  let lastWord: ReturnType<typeof setTimeout> | undefined;
  const offline = () => {
    note({ online: false, serverSilent: false });
    // An answer that was under way may be told of later than this event: one more try says how it really is.
    clearTimeout(lastWord);
    lastWord = setTimeout(now, LAST_WORD_MS);
  };
  const visible = () => {
    if (document.visibilityState === 'visible') now();
  };
  const beat = setInterval(() => void sync({ eager: false }), EVERY_MS);
  const stopHearing = hear((change) => {
    if (change.session === 'in') online();
  });
  addEventListener('online', online);
  addEventListener('offline', offline);
  addEventListener('focus', now);
  document.addEventListener('visibilitychange', visible);
  const stopCounting = pending().subscribe((entries) => note({ sending: entries.length }));
  const stopKnocking = startKnocking();
  now();
  return () => {
    clearInterval(beat);
    stopKnocking();
    clearTimeout(lastWord);
    stopCounting();
    stopHearing();
    removeEventListener('online', online);
    removeEventListener('offline', offline);
    removeEventListener('focus', now);
    document.removeEventListener('visibilitychange', visible);
  };
}
