/** Public notices: drafted, approved once, published by one spokesperson, corrected or lifted. */
import { now, stamp } from '../clock';
import { record } from '../outbox';
import { all, get, watch } from '../rows';
import { whoIsIn } from '../self';
import type { Id, Incident, Me, Notice, Plan, Words } from '../types';
import type { Readable } from 'svelte/store';

export const CHANNELS = ['screen', 'poster', 'broadcast', 'site', 'account', 'sms', 'hotline', 'in_person'];

export function notices(incident: Id): Readable<Notice[] | undefined> {
  return watch(
    async () =>
      (await all('notice'))
        .filter((one) => one.incident === incident)
        .sort((a, b) => (b.occurred_at ?? '').localeCompare(a.occurred_at ?? '')),
    ['notice'],
  );
}

export function noticeOf(id: Id): Readable<{ notice: Notice; incident: Incident | undefined } | null | undefined> {
  return watch(async () => {
    const notice = await get('notice', id);
    return notice ? { notice, incident: await get('incident', notice.incident) } : null;
  }, ['notice', 'incident']);
}

export interface NewNotice {
  incident: Id;
  channel: string;
  wording: Words;
  kind: Notice['kind'];
  eta?: string | undefined;
  previous?: Id | undefined;
}

export function draft({ incident, ...notice }: NewNotice): Promise<Id> {
  const at = stamp();
  const said = Object.fromEntries(Object.entries(notice).filter(([, value]) => value !== undefined && value !== ''));
  return record({
    path: `/incidents/${incident}/notices/{id}`,
    body: { ...said, occurred_at: at },
    optimistic: {
      type: 'notice',
      id: '{id}',
      doc: { eta: null, ...said, incident, state: 'draft', approved_by: null, by: whoIsIn(), occurred_at: at },
    },
  });
}

const ETA = '{eta}';

/** Whether its words have a gap for the time things are expected back. */
export const asksForEta = (notice: Pick<Notice, 'wording' | 'eta'>): boolean =>
  !notice.eta && Object.values(notice.wording).some((text: string) => text.includes(ETA));

/** What stands in the gap while the time is not known, in the language of the wording around it. */
export const GAP = { zh: '（时间待定）', en: '(time to be given)' };

/** The wording with its gap filled, by a time or by what stands for one not yet known. */
export const filled = (text: string, eta: string): string => text.replaceAll(ETA, eta);

/** The next moment at which a clock shows this `HH:MM`, after `from` (ms); null when it is no time. */
export function nextAt(clock: string, from: number): Date | null {
  const [hours = NaN, minutes = NaN] = clock.split(':').map(Number);
  const at = new Date(from);
  at.setHours(hours, minutes, 0, 0);
  if (Number.isNaN(at.getTime())) return null;
  if (at.getTime() < from) at.setDate(at.getDate() + 1);
  return at;
}

/** Approves the wording; `clock` (`HH:MM`) fills its gap for the time things are expected back. */
export function approve(notice: Notice, clock?: string): Promise<Id> {
  const eta = clock ? (nextAt(clock, now())?.toISOString() ?? null) : null;
  const known =
    clock && eta
      ? { eta, wording: { zh: filled(notice.wording.zh, clock), en: filled(notice.wording.en, clock) } }
      : {};
  return record({
    path: `/notices/${notice.id}/approvals/{id}`,
    body: { ...(eta ? { eta } : {}), occurred_at: stamp() },
    optimistic: { type: 'notice', id: notice.id, doc: { state: 'approved', approved_by: whoIsIn(), ...known } },
  });
}

export function publish(notice: Notice, note?: string): Promise<Id> {
  return record({
    path: `/notices/${notice.id}/publications/{id}`,
    body: { ...(note ? { note } : {}), occurred_at: stamp() },
    optimistic: { type: 'notice', id: notice.id, doc: { state: 'published' } },
  });
}

/** Drafts come from communications or command; the server decides. */
export const mayDraft = (who: Me | null): boolean =>
  who?.person.role === 'commander' || (who?.memberships.some((one) => one.kind === 'communications') ?? false);

/** The wording the plan prepared for this kind of notice; empty when it has none. */
export function wordingOf(plan: Plan | undefined, kind: Notice['kind']): Words {
  const rules = (plan?.rules['notices'] ?? []) as { kind?: string; text: Words }[];
  return rules.find((one) => (one.kind ?? 'notice') === kind)?.text ?? { zh: '', en: '' };
}
