/** The shapes that travel between phone and server, and which document a feed row of each type holds. */

import type {
  Incident,
  Decision,
  Fact,
  Limit,
  Report,
  Tally,
  Proposal,
  SupplyRequest,
  Movement,
  Notice,
  Mode,
  BackEntry,
  Review,
  Entry,
  Board,
  Order,
  Checklist,
  Item,
  Mark,
  Recipient,
  Alert,
} from './types/incident';
import type { Drill, Inject } from './types/drill';
import type {
  Organisation,
  Person,
  Team,
  Membership,
  Duty,
  Contact,
  Place,
  Plan,
  Reading,
  Supply,
  Device,
  Reachability,
  Refusal,
  Shortfall,
} from './types/organisation';

export type * from './types/basics';
export type * from './types/drill';
export type * from './types/organisation';
export type * from './types/incident';
export type * from './types/wire';

/** The document a feed row of each type holds. */
export interface Docs {
  organisation: Organisation;
  person: Person;
  team: Team;
  membership: Membership;
  duty: Duty;
  contact: Contact;
  place: Place;
  plan: Plan;
  reading: Reading;
  supply: Supply;
  incident: Incident;
  decision: Decision;
  fact: Fact;
  limit: Limit;
  report: Report;
  tally: Tally;
  proposal: Proposal;
  request: SupplyRequest;
  movement: Movement;
  notice: Notice;
  mode: Mode;
  back_entry: BackEntry;
  review: Review;
  entry: Entry;
  board: Board;
  order: Order;
  checklist: Checklist;
  item: Item;
  mark: Mark;
  recipient: Recipient;
  alert: Alert;
  device: Device;
  reachability: Reachability;
  shortfall: Shortfall;
  refusal: Refusal;
  drill: Drill;
  inject: Inject;
}

export type RowType = keyof Docs;
