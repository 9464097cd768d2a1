/** The kit list, requests and their movements, and the balance of serial numbers. */
import { stamp } from '../clock';
import { record } from '../outbox';
import { all, get, watch } from '../rows';
import { whoIsIn } from '../self';
import type { Id, Incident, Movement, MovementKind, RequestState, Supply, SupplyRequest } from '../types';
import type { Readable } from 'svelte/store';
import { byText } from '../order';

export interface RequestView {
  request: SupplyRequest;
  supply: Supply | undefined;
  movements: Movement[];
}

export const supplies = (): Readable<Supply[] | undefined> => watch(async () => all('supply'), ['supply']);

/** Requests of one incident or all, the newest first. */
export function requests(incident?: Id): Readable<RequestView[] | undefined> {
  return watch(async () => {
    const [list, movements, kit] = await Promise.all([all('request'), all('movement'), all('supply')]);
    return list
      .filter((one) => incident === undefined || one.incident === incident)
      .sort((a, b) => byText(b.occurred_at, a.occurred_at))
      .map((request) => viewOf(request, movements, kit));
  }, ['request', 'movement', 'supply']);
}

export function requestOf(id: Id): Readable<(RequestView & { incident: Incident | undefined }) | null | undefined> {
  return watch(async () => {
    const request = await get('request', id);
    if (!request) return null;
    const [movements, kit] = await Promise.all([all('movement'), all('supply')]);
    const incident = request.incident ? await get('incident', request.incident) : undefined;
    return { ...viewOf(request, movements, kit), incident };
  }, ['request', 'movement', 'supply', 'incident']);
}

function viewOf(request: SupplyRequest, movements: Movement[], kit: Supply[]): RequestView {
  return {
    request,
    supply: kit.find((one) => one.id === request.supply),
    movements: movements
      .filter((one) => one.request === request.id)
      .sort((a, b) => byText(a.occurred_at, b.occurred_at)),
  };
}

/** What may happen next to a request, the expected step first; the server decides who may. */
export function nextMoves(state: RequestState): MovementKind[] {
  switch (state) {
    case 'requested':
      return ['approved', 'declined', 'cancelled'];
    case 'approved':
      return ['dispatched', 'cancelled'];
    case 'dispatched':
      return ['received', 'short', 'in_transit'];
    case 'in_transit':
      return ['received', 'short'];
    case 'received':
    case 'short':
      return ['used', 'void', 'returned'];
    default:
      return [];
  }
}

/** Numbers of a range, both ends counted; null when the range runs backwards or its ends are not whole numbers. */
export function rangeSize(from: number, to: number): number | null {
  if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to) || from < 0 || to < from) return null;
  return to - from + 1;
}

export interface Balance {
  issued: number;
  used: number;
  spoiled: number;
  returned: number;
  /** issued − (used + void + returned): above zero not yet accounted for, below zero too many. */
  open: number;
}

/** Issued = used + void + returned, from accepted movements. */
export function balance(movements: readonly Movement[]): Balance {
  const sum = (...kinds: MovementKind[]): number =>
    movements
      .filter((one) => one.accepted !== false && kinds.includes(one.kind))
      .reduce((total, one) => total + amount(one), 0);
  const issued = sum('dispatched');
  const used = sum('used');
  const spoiled = sum('void');
  const returned = sum('returned');
  return { issued, used, spoiled, returned, open: issued - used - spoiled - returned };
}

/** How many of a movement: its serial range, else its quantity. */
export function amount(movement: Pick<Movement, 'quantity' | 'serial_from' | 'serial_to'>): number {
  if (movement.serial_from !== null && movement.serial_to !== null) {
    const size = rangeSize(movement.serial_from, movement.serial_to);
    if (size !== null) return size;
  }
  return movement.quantity ?? 0;
}

/** The first free numbers of a supply that make `quantity`; numbers already out are passed over. */
export function freeRange(supply: Supply, quantity: number): { from: number; to: number } | null {
  if (quantity < 1) return null;
  const out = supply.serials.filter((one) => one.state === 'dispatched').sort((a, b) => a.from - b.from);
  for (const held of supply.serials.filter((one) => one.state === 'stock').sort((a, b) => a.from - b.from)) {
    let from = held.from;
    for (const one of out) {
      if (one.to < from || one.from > held.to) continue;
      if (one.from - from >= quantity) break;
      from = one.to + 1;
    }
    if (held.to - from + 1 >= quantity) return { from, to: from + quantity - 1 };
  }
  return null;
}

export interface NewRequest {
  supply: Id;
  quantity: number;
  for_team: Id;
  incident?: Id | undefined;
  to_place?: Id | undefined;
  note?: string | undefined;
}

export function ask(request: NewRequest): Promise<Id> {
  const at = stamp();
  const said = Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined && value !== ''));
  return record({
    path: '/requests/{id}',
    body: { ...said, occurred_at: at },
    optimistic: {
      type: 'request',
      id: '{id}',
      doc: {
        incident: null,
        to_place: null,
        note: null,
        ...said,
        state: 'requested',
        sent: 0,
        received: 0,
        contested: false,
        by: whoIsIn(),
        occurred_at: at,
      },
    },
  });
}

export interface MovementDetails {
  quantity?: number | undefined;
  serial_from?: number | undefined;
  serial_to?: number | undefined;
  carrier?: string | undefined;
  note?: string | undefined;
}

const STATE_AFTER: Partial<Record<MovementKind, RequestState>> = {
  approved: 'approved',
  declined: 'declined',
  dispatched: 'dispatched',
  in_transit: 'in_transit',
  received: 'received',
  short: 'short',
  returned: 'returned',
  cancelled: 'cancelled',
};

export function move(request: SupplyRequest, kind: MovementKind, details: MovementDetails = {}): Promise<Id> {
  const at = stamp();
  const said = Object.fromEntries(Object.entries(details).filter(([, value]) => value !== undefined && value !== ''));
  const after: Record<string, unknown> = {};
  const state = STATE_AFTER[kind];
  if (state) after['state'] = state;
  if (kind === 'dispatched') after['sent'] = request.sent + (details.quantity ?? 0);
  if (kind === 'received' || kind === 'short') after['received'] = request.received + (details.quantity ?? 0);
  return record({
    path: `/requests/${request.id}/movements/{id}`,
    body: { kind, ...said, occurred_at: at },
    optimistic: [
      {
        type: 'movement',
        id: '{id}',
        doc: {
          quantity: null,
          serial_from: null,
          serial_to: null,
          carrier: null,
          note: null,
          ...said,
          request: request.id,
          kind,
          accepted: true,
          by: whoIsIn(),
          occurred_at: at,
        },
      },
      { type: 'request', id: request.id, doc: after },
    ],
  });
}

/** Incidents a request may belong to. */
export const openIncidents = (): Readable<Incident[]> =>
  watch(
    async () => (await all('incident')).filter((one) => !['ended', 'reviewed', 'dismissed'].includes(one.status)),
    ['incident'],
    [],
  );

/** Steps that name an amount; for numbered goods its first and last number. */
export const COUNTED: ReadonlySet<MovementKind> = new Set([
  'dispatched',
  'received',
  'short',
  'used',
  'void',
  'returned',
]);

/** Numbers to start from: free ones when dispatching, those sent when receiving, those not yet accounted for after that. */
export function proposedRange(
  kind: MovementKind,
  request: SupplyRequest,
  supply: Supply,
  movements: readonly Movement[],
): { from: number; to: number } | null {
  if (kind === 'dispatched') return freeRange(supply, request.quantity - request.sent || request.quantity);
  const sent = movements.filter((one) => one.kind === 'dispatched' && one.accepted && one.serial_from !== null).at(-1);
  if (!sent || sent.serial_from === null || sent.serial_to === null) return null;
  if (kind === 'received' || kind === 'short') return { from: sent.serial_from, to: sent.serial_to };
  const closed = movements.filter((one) => ['used', 'void', 'returned'].includes(one.kind) && one.accepted);
  const from = closed.reduce((next, one) => Math.max(next, (one.serial_to ?? -1) + 1), sent.serial_from);
  return from <= sent.serial_to ? { from, to: sent.serial_to } : null;
}
