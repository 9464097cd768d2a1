/** What stands on this phone alone: what waits to be sent, what was refused, its devices, and how the app looks. */
import { pending, refused, sendAgain, throwAway, type Entry } from '../outbox';
import { all, watch } from '../rows';
import type { Device, Id, Words } from '../types';
import type { Readable } from 'svelte/store';

export { myDuty, setDuty } from '../people/people';
export { pending, refused, sendAgain, throwAway };
export { bringBack, exported, exportedOne, NotOurFile } from '../taken';
export type { Entry, TrayEntry } from '../outbox';

export const devices = (): Readable<Device[]> => watch(async () => all('device'), ['device'], []);

/** The kind of fact by its address: `…/alerts/1/answers/2` is `answers`. */
export function kindOf(entry: Pick<Entry, 'path'>): string {
  const parts = entry.path.split('/');
  return parts[parts.length - 2] ?? 'other';
}

/** What facts speak of, by id: the title of each item of a checklist and the words of each alert on this phone. */
export type Subjects = ReadonlyMap<Id, Words>;
export const subjects = (): Readable<Subjects> =>
  watch<Subjects>(
    async () => {
      const [items, alerts] = await Promise.all([all('item'), all('alert')]);
      return new Map([...items, ...alerts].map(({ id, title }) => [id, title]));
    },
    ['item', 'alert'],
    new Map(),
  );

export function mended(
  body: Record<string, unknown>,
  fields: readonly { key: string; value: string; number: boolean }[],
): Record<string, unknown> {
  const next = { ...body };
  for (const { key, value, number } of fields) {
    if (value.trim() === '') delete next[key];
    else next[key] = number ? Number(value.normalize('NFKC')) : value;
  }
  return next;
}

/** Drafts of reviews still to be signed, for those who may see them. */
export const reviewsDue = (): Readable<{ id: Id; incident: Id; title: string }[]> =>
  watch(
    async () => {
      const incidents = await all('incident');
      return (await all('review'))
        .filter((one) => one.status === 'draft')
        .map(({ id, incident }) => ({
          id,
          incident,
          title: incidents.find((one) => one.id === incident)?.title ?? '',
        }));
    },
    ['review', 'incident'],
    [],
  );

/** Hands a text to the person as a file. */
export function saveFile(name: string, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
