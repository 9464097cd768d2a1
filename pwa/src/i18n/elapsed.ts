/** Time since the start of a rehearsal: `15:00`, `2:00:00`, `2 天 2:00:00`. */
import { desk } from './desk';
import { countdown } from './say';

export function elapsed(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const days = Math.floor(whole / 86_400);
  return days ? desk.t.day(days, countdown(whole % 86_400)) : countdown(whole);
}
