/** When something reached the server long after it happened, both times are told. */
import { say, time } from '../i18n/say';

const LATE_MS = 60_000;

export function arrivedLate(happened: string | null | undefined, arrived: string | null | undefined): boolean {
  return !!happened && !!arrived && Date.parse(arrived) - Date.parse(happened) > LATE_MS;
}

/** `10:03`, or `10:03 发生，10:41 收到` when it came late. */
export function bothTimes(
  happened: string | null | undefined,
  arrived: string | null | undefined,
  now: number,
): string {
  return arrivedLate(happened, arrived)
    ? say.t.common.happened_arrived(time(happened, now), time(arrived, now))
    : time(happened, now);
}
