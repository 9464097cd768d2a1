/** What waits or was refused, in the reader's words: what it is, what stands in it, and which parts a person may mend. */
import { say, title } from '../i18n/say';
import { kindOf, type Entry, type Subjects } from './me';

type Made = Pick<Entry, 'path' | 'body'>;

/** "Field report", "Decision". */
export const kindWords = (entry: Made): string =>
  say.t.outbox.kinds[kindOf(entry)] ?? say.t.outbox.kinds['other'] ?? '';

/** What it speaks of and what a person typed or chose in it, for recognising it in a list; empty when there is nothing to tell. */
export function gist({ path, body }: Made, known: Subjects): string {
  const chosen = choice(kindOf({ path }), body);
  const typed = ['text', 'title', 'reason', 'value', 'count', 'note'].map((key) => said(body[key])).find(Boolean);
  return [subjectOf({ path }, known), chosen, typed].filter(Boolean).join(' · ');
}

/** What it is about, where that stands in its address: the checklist's item, the alert. */
function subjectOf({ path }: Pick<Entry, 'path'>, known: Subjects): string {
  const id = /\/(?:items|alerts)\/([^/]+)\//.exec(path)?.[1];
  return title(id === undefined ? null : known.get(id));
}

/** The fields of a refused entry that a person may mend: what was typed, not what the phone wrote. */
export function editable(body: Record<string, unknown>): { key: string; value: string; number: boolean }[] {
  return Object.keys(say.t.refused.fields).flatMap((key): { key: string; value: string; number: boolean }[] => {
    const value = body[key];
    if (typeof value === 'number') return [{ key, value: String(value), number: true }];
    return typeof value === 'string' && !CODES.has(value) ? [{ key, value, number: false }] : [];
  });
}

const CODES: ReadonlySet<unknown> = new Set(['done', 'not_done', 'not_applicable']);
const said = (value: unknown): string =>
  typeof value === 'number' ? String(value) : typeof value === 'string' && !CODES.has(value) ? value : '';

function choice(kind: string, body: Record<string, unknown>): string {
  const { t } = say;
  const word = (from: object, key: unknown): string => (from as Record<string, string>)[String(key)] ?? '';
  switch (kind) {
    case 'answers':
      return word(t.alerts, body['kind']);
    case 'movements':
      return word(t.supplies.move, body['kind']);
    case 'decisions':
      return word(t.incidents.decided, body['kind']);
    case 'reports':
      return word(t.reports.types, body['type']);
    case 'duties':
      return body['kind'] === 'on' ? t.people.on_duty : t.people.off_duty;
    case 'marks':
      return body['value'] === 'done'
        ? t.checklists.done
        : body['value'] === 'not_done'
          ? t.checklists.not_done
          : body['value'] === 'not_applicable'
            ? t.checklists.not_applicable
            : '';
    default:
      return '';
  }
}
