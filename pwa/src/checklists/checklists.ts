/** Checklists: every item's state folded from its marks, why an item is locked, and marking one. */
import { stamp } from '../clock';
import { record } from '../outbox';
import { all, get, watch } from '../rows';
import { whoIsIn } from '../self';
import type { Checklist, Entry, Id, Incident, Item, Mark } from '../types';
import type { Readable } from 'svelte/store';

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
  /** A measured fact that must exist first. */
  waits_for_fact: Item['locked_until'];
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
const TYPES = ['checklist', 'item', 'mark', 'incident', 'entry'] as const;

export function checklistOf(id: Id): Readable<ChecklistView | null | undefined> {
  return watch(async () => {
    const checklist = await get('checklist', id);
    if (!checklist) return null;
    const [items, marks, entries, incident] = await Promise.all([
      all('item'),
      all('mark'),
      all('entry'),
      get('incident', checklist.incident),
    ]);
    return folded(checklist, items, marks, factsIn(entries, checklist.incident), incident);
  }, TYPES);
}

/** Checklists of one incident, or of every open one; mine are those this phone was given. */
export function checklists(incident?: Id): Readable<ChecklistView[] | undefined> {
  return watch(async () => {
    const [lists, items, marks, entries, incidents] = await Promise.all([
      all('checklist'),
      all('item'),
      all('mark'),
      all('entry'),
      all('incident'),
    ]);
    const known = new Map(incidents.map((one) => [one.id, one]));
    return lists
      .filter((one) => incident === undefined || one.incident === incident)
      .map((one) => folded(one, items, marks, factsIn(entries, one.incident), known.get(one.incident)));
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

export function folded(
  checklist: Checklist,
  items: readonly Item[],
  marks: readonly Mark[],
  facts: ReadonlySet<string>,
  incident?: Incident,
): ChecklistView {
  const own = items.filter((one) => one.checklist === checklist.id).sort((a, b) => a.position - b.position);
  const settled = own.map((item) => {
    const ofItem = inOrder(marks.filter((mark) => mark.item === item.id));
    const { current, contested } = settle(ofItem);
    const marked = current !== undefined && current.value !== NOT_DONE;
    return { item, marks: ofItem, current, contested, done: marked && !(contested && item.safety_critical) };
  });
  const isDone = new Map(settled.map((one) => [one.item.id, one.done]));
  const states = settled.map((one, n): ItemState => {
    const before = new Set(one.item.requires);
    const previous = checklist.ordered ? settled[n - 1] : undefined;
    if (previous) before.add(previous.item.id);
    const waits_for = own.filter((item) => before.has(item.id) && !isDone.get(item.id));
    const until = one.item.locked_until;
    const waits_for_fact = until && !facts.has(until.fact) ? until : null;
    return { ...one, waits_for, waits_for_fact, locked: waits_for.length > 0 || waits_for_fact !== null };
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
  photo?: Id | undefined;
}

/** Marks an item, naming the mark it was based on, so that a disagreement comes to light. */
export function mark(state: ItemState, value: string | number, details: MarkDetails = {}): Promise<Id> {
  const at = stamp();
  const { item, current } = state;
  const said: Record<string, unknown> = { value };
  if (typeof value === 'number' && item.unit) said['unit'] = item.unit;
  if (details.note) said['note'] = details.note;
  if (details.reason) said['reason'] = details.reason;
  if (details.photo) said['photo'] = details.photo;
  if (current) said['based_on'] = current.id;
  return record({
    path: `/items/${item.id}/marks/{id}`,
    body: { ...said, occurred_at: at },
    ...(details.photo ? { photos: [details.photo] } : {}),
    optimistic: {
      type: 'mark',
      id: '{id}',
      doc: { note: null, based_on: null, ...said, item: item.id, by: whoIsIn(), occurred_at: at },
    },
  });
}

function inOrder(marks: readonly Mark[]): Mark[] {
  return [...marks].sort(
    (a, b) => (a.occurred_at ?? '').localeCompare(b.occurred_at ?? '') || a.id.localeCompare(b.id),
  );
}

/** The keys of facts the timeline of an incident already has. */
function factsIn(entries: readonly Entry[], incident: Id): ReadonlySet<string> {
  return new Set(
    entries.flatMap((one) => (one.incident === incident && one.refs?.['fact_key'] ? [one.refs['fact_key']] : [])),
  );
}
