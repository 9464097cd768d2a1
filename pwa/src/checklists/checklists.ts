/** Checklists: every item's state folded from its marks, why an item is locked, and marking one. */
import { stamp } from '../clock';
import { holds, known, type Known } from '../conditions';
import { draftOf, dropDraft, keepDraft } from '../drafts';
import { say, title, unit as unitWord } from '../i18n/say';
import { recordTogether, type Fact as Made } from '../outbox';
import { all, get, watch } from '../rows';
import { whoIsIn } from '../self';
import type { Checklist, Id, Incident, Item, Mark, PhotoRef } from '../types';
import type { Readable } from 'svelte/store';
import { byText } from '../order';

export interface ItemState {
  item: Item;
  marks: Mark[];
  /** The last mark by (occurred_at, id). */
  current: Mark | undefined;
  /** Two people disagree and nobody has confirmed since. */
  contested: boolean;
  done: boolean;
  /** Items that must be done first. */
  waits_for: Item[];
  locked: boolean;
}

export interface ChecklistView {
  checklist: Checklist;
  incident: Incident | undefined;
  items: ItemState[];
  done: number;
}

export const NOT_DONE = 'not_done';
export const NOT_APPLICABLE = 'not_applicable';
const TYPES = ['checklist', 'item', 'mark', 'incident', 'fact'] as const;

export function checklistOf(id: Id): Readable<ChecklistView | null | undefined> {
  return watch(async () => {
    const checklist = await get('checklist', id);
    if (!checklist) return null;
    const [items, marks, facts, incident] = await Promise.all([
      all('item'),
      all('mark'),
      all('fact'),
      get('incident', checklist.incident),
    ]);
    return folded(checklist, items, marks, known(facts, checklist.incident), incident);
  }, TYPES);
}

/** Checklists of one incident, or of every open one; mine are those this phone was given. */
export function checklists(incident?: Id): Readable<ChecklistView[] | undefined> {
  return watch(async () => {
    const [lists, items, marks, facts, incidents] = await Promise.all([
      all('checklist'),
      all('item'),
      all('mark'),
      all('fact'),
      all('incident'),
    ]);
    const byId = new Map(incidents.map((one) => [one.id, one]));
    return lists
      .filter((one) => incident === undefined || one.incident === incident)
      .sort((a, b) => byText(a.made_at, b.made_at))
      .map((one) => folded(one, items, marks, known(facts, one.incident), byId.get(one.incident)));
  }, TYPES);
}

/** The last mark stands; it is contested while it, or one before it, overrode another value without having seen it. */
export function settle(marks: readonly Mark[]): { current: Mark | undefined; contested: boolean } {
  let current: Mark | undefined;
  let contested = false;
  for (const mark of inOrder(marks)) {
    if (current === undefined || mark.based_on === current.id) contested = false;
    else if (mark.value !== current.value) contested = true;
    current = mark;
  }
  return { current, contested };
}

/** `facts` are what happened (true) and what was measured (its last value) in the incident. */
export function folded(
  checklist: Checklist,
  items: readonly Item[],
  marks: readonly Mark[],
  facts: Known,
  incident?: Incident,
): ChecklistView {
  const own = items
    .filter((one) => one.checklist === checklist.id && holds(one.when ?? null, facts) !== false)
    .sort((a, b) => a.position - b.position);
  const settled = own.map((item) => {
    const ofItem = inOrder(marks.filter((mark) => mark.item === item.id));
    const { current, contested } = settle(ofItem);
    return {
      item,
      marks: ofItem,
      current,
      contested,
      done: current !== undefined && current.value !== NOT_DONE && !contested,
    };
  });
  const isDone = new Map(settled.map((one) => [one.item.id, one.done]));
  const states = settled.map((one, n): ItemState => {
    const before = new Set(one.item.requires);
    const previous = checklist.ordered ? settled[n - 1] : undefined;
    if (previous) before.add(previous.item.id);
    const waits_for = own.filter((item) => before.has(item.id) && !isDone.get(item.id));
    return { ...one, waits_for, locked: waits_for.length > 0 || one.item.locked_until !== null };
  });
  return { checklist, incident, items: states, done: states.filter((one) => one.done).length };
}

export type BoundsCheck = { ok: true; value: number } | { ok: false; why: 'not_a_number' | 'outside'; value?: number };

/** A measured value as typed: full-width digits and a comma are understood. */
export function measured(item: Item, typed: string): BoundsCheck {
  const plain = typed.trim().normalize('NFKC').replace(',', '.').replace('。', '.');
  const value = Number(plain);
  if (plain === '' || !Number.isFinite(value)) return { ok: false, why: 'not_a_number' };
  if ((item.min !== null && value < item.min) || (item.max !== null && value > item.max))
    return { ok: false, why: 'outside', value };
  return { ok: true, value };
}

export interface MarkDetails {
  note?: string | undefined;
  reason?: string | undefined;
  photo?: PhotoRef | undefined;
}

/** An item and the mark that stood when the tap was made. */
export interface Markable {
  item: Item;
  current: Pick<Mark, 'id'> | undefined;
}

/** Marks an item, naming the mark it was based on, so that a disagreement comes to light. Its picture is kept with it or not at all. */
export async function mark(state: Markable, value: string | number, details: MarkDetails = {}): Promise<Id> {
  const at = stamp();
  const { item, current } = state;
  const pictured = details.photo ? [await photoReport(item, details.photo, at)] : [];
  const said: Record<string, unknown> = { value };
  if (typeof value === 'number' && item.unit) said['unit'] = item.unit;
  if (details.note) said['note'] = details.note;
  if (details.reason) said['reason'] = details.reason;
  if (details.photo) said['photo'] = details.photo.id;
  if (current) said['based_on'] = current.id;
  const marked: Made = {
    path: `/items/${item.id}/marks/{id}`,
    draft: draftKey(item),
    body: { ...said, occurred_at: at },
    optimistic: {
      type: 'mark',
      id: '{id}',
      doc: { note: null, based_on: null, ...said, item: item.id, by: whoIsIn(), occurred_at: at },
    },
  };
  return await recordTogether([...pictured, marked]);
}

/** A picture travels with a report, which everybody at the incident sees; the mark then names it. */
async function photoReport(item: Item, photo: PhotoRef, at: string): Promise<Made> {
  const incident = item.incident ?? (await get('checklist', item.checklist))?.incident;
  const body = {
    ...(incident ? { incident } : {}),
    ...{ chain: 'first', type: 'status', text: title(item.title), photos: [photo], occurred_at: at },
  };
  const empty = { previous: null, place: null, position: null, counts: {}, fields: {}, struck: null };
  return {
    path: '/reports/{id}',
    body,
    photos: [photo.id],
    optimistic: {
      type: 'report',
      id: '{id}',
      doc: { ...empty, ...body, photos: [{ ...photo, state: 'waiting' }], by: whoIsIn() },
    },
  };
}

const draftKey = (item: Item): string => `mark:${item.id}`;

/** What is being typed into an item, kept until it is marked. */
export function keepTyped(item: Item, typed: string): Promise<void> {
  return typed === '' ? dropDraft(draftKey(item)) : keepDraft(draftKey(item), typed);
}

export const typedBefore = (item: Item): Promise<string | undefined> => draftOf<string>(draftKey(item));

function inOrder(marks: readonly Mark[]): Mark[] {
  return [...marks].sort((a, b) => byText(a.occurred_at, b.occurred_at) || byText(a.id, b.id));
}

/** `0～25 %`: the bounds of a number as people read them; empty when there are none. */
export function bounds(item: Item): string {
  const unit = unitWord(item.unit);
  if (item.min !== null && item.max !== null) return say.t.checklists.between(String(item.min), String(item.max), unit);
  if (item.min !== null) return say.t.checklists.at_least(String(item.min), unit);
  if (item.max !== null) return say.t.checklists.at_most(String(item.max), unit);
  return '';
}
