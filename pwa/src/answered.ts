/** The notification that stands for an answer given by a button: what has become of it so far. */

import { spoken } from './spoken';
import type { AnswerKind, Id, PushHead } from './types';

/** About an alert that awaits this person's answer. */
export type Answerable = PushHead & { alert: Id; recipient: Id };
interface Waits {
  id: Id;
  kind: AnswerKind;
}
interface Pictures {
  icon?: string;
  badge?: string;
}

/** Title and options; `waits` is the answer's id while the server does not have it. */
export function answered(
  head: Answerable,
  kind: AnswerKind,
  body: string,
  { icon, badge }: Pictures,
  waits?: Id,
): [string, NotificationOptions] {
  // Also over a head that waited: what has arrived waits no more.
  const data = { ...head, waits: waits ? { id: waits, kind } : undefined };
  const pictures = { ...(icon ? { icon } : {}), ...(badge ? { badge } : {}) };
  return [spoken(head.locale).answers[kind], { body, tag: head.alert, ...pictures, silent: true, data }];
}

/** Says of what was told to be kept on this phone that it has arrived; every page and the worker hear which has. */
export async function renewAnswers(
  registration: ServiceWorkerRegistration,
  arrived: readonly { id: Id }[],
): Promise<void> {
  for (const shown of await registration.getNotifications()) {
    const head = shown.data as (Answerable & { waits?: Waits }) | null;
    if (!head?.waits || !arrived.some(({ id }) => id === head.waits?.id)) continue;
    const body = spoken(head.locale).reached;
    await registration.showNotification(...answered(head, head.waits.kind, body, shown));
  }
}
