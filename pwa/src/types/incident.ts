/** Rows of an incident's spaces: the incident itself, decisions, limits, reports, orders, checklists, alerts, paper work. */

import type { Id, Instant, Words, FromFact, Folded, Level, Clause, Position, PhotoRef } from './basics';

export type IncidentStatus =
  'reported' | 'verified' | 'warning' | 'activated' | 'restored' | 'ended' | 'reviewed' | 'dismissed';

export interface Incident extends FromFact, Folded {
  id: Id;
  plan: string | null;
  plan_version: number | null;
  title: string;
  status: IncidentStatus;
  level: Level | null;
  drill: boolean;
  place: Id | null;
  started_at: Instant;
  activated_at: Instant | null;
  restored_at: Instant | null;
  ended_at: Instant | null;
  teams: Id[];
  revision?: Id | null;
  trigger?: string | null;
  text?: string | null;
  position?: Position | null;
  version?: number;
}

export type DecisionKind =
  | 'verify'
  | 'dismiss'
  | 'activate'
  | 'decline'
  | 'level'
  | 'fallback'
  | 'evacuate'
  | 'restore'
  | 'end'
  | 'resume'
  | 'extend_limit'
  | 'pause_limit'
  | 'resume_limit'
  | 'end_limit'
  | 'stand_down'
  | 'revise';

export interface Decision extends FromFact, Folded {
  id: Id;
  incident: Id;
  kind: DecisionKind;
  /** What it was about: a level of a scale, a limit, a team. */
  subject: { [about: string]: string | number | boolean } | null;
  reason: string | null;
  note?: string | null;
}

export interface Limit {
  id: Id;
  incident: Id;
  key: string;
  title: Words;
  clause: Clause | null;
  owner_team: Id | null;
  started_at: Instant;
  due_at: Instant;
  length_seconds: number;
  status: 'running' | 'met' | 'passed' | 'cancelled' | 'paused';
  ended_at: Instant | null;
  fired_at: Instant | null;
  paused_at?: Instant | null;
  consequence: Words | null;
  /** A clock that begins something by itself instead of a time somebody has to keep. */
  timer: boolean;
}

export interface Report extends FromFact, Folded {
  id: Id;
  incident: Id | null;
  chain: 'first' | 'continued' | 'final';
  previous: Id | null;
  type: string;
  place: Id | null;
  position: Position | null;
  text: string | null;
  counts: Record<string, number>;
  fields: Record<string, string>;
  photos: (PhotoRef & { state: 'waiting' | 'delivered' | 'refused' })[];
  struck: { reason: string; by: Id; at: Instant } | null;
  seen_at?: Instant | null;
  late?: boolean;
}

export interface Tally extends FromFact, Folded {
  id: Id;
  incident: Id | null;
  place: Id;
  kind: 'in' | 'out' | 'present' | 'density';
  count: number;
  window_seconds: number | null;
}

export interface Proposal {
  id: Id;
  incident: Id;
  /** The decision it asks for. */
  kind: string;
  scale: string | null;
  level: string | null;
  title: Words;
  reason: Words;
  clause: Clause | null;
  team: Id | null;
  status: 'open' | 'taken' | 'set_aside';
  made_at: Instant;
}

export type RequestState =
  'requested' | 'approved' | 'dispatched' | 'in_transit' | 'received' | 'short' | 'returned' | 'declined' | 'cancelled';

export interface SupplyRequest extends FromFact, Folded {
  id: Id;
  incident: Id | null;
  supply: Id;
  quantity: number;
  for_team: Id;
  to_place: Id | null;
  note: string | null;
  state: RequestState;
  sent: number;
  received: number;
  contested: boolean;
  used?: number;
  void?: number;
  returned?: number;
  /** Received and not yet used, void or returned. */
  open?: number;
}

export type MovementKind =
  | 'approved'
  | 'declined'
  | 'dispatched'
  | 'in_transit'
  | 'received'
  | 'short'
  | 'returned'
  | 'used'
  | 'void'
  | 'cancelled';

export interface Movement extends FromFact, Folded {
  id: Id;
  request: Id;
  kind: MovementKind;
  quantity: number | null;
  serial_from: number | null;
  serial_to: number | null;
  carrier: string | null;
  note: string | null;
  accepted: boolean;
}

export interface Notice extends FromFact, Folded {
  id: Id;
  incident: Id;
  channel: string;
  wording: Words;
  eta: Instant | null;
  kind: 'warning' | 'notice' | 'update' | 'correction' | 'all_clear' | 'press';
  state: 'draft' | 'approved' | 'published';
  approved_by: Id | null;
  key?: string | null;
  previous?: Id | null;
  approved_at?: Instant | null;
  published_by?: Id | null;
  published_at?: Instant | null;
  clause?: Clause | null;
}

export interface Mode extends FromFact, Folded {
  id: Id;
  incident: Id;
  tier: string;
  to: 'manual' | 'normal';
  title?: Words;
  note?: string | null;
}

export interface BackEntry extends FromFact, Folded {
  id: Id;
  incident: Id;
  tier: string;
  title: string;
  /** The rule of the plan that opened it; null for one people opened. */
  key: string | null;
  quantity: number;
  remaining: number;
  /** When somebody said how much there is; null while nobody has. */
  counted_at: Instant | null;
  due_at: Instant | null;
}

export interface Review extends Folded {
  id: Id;
  incident: Id;
  due_at: Instant | null;
  status: 'draft' | 'signed';
  signed_by?: Id | null;
  signed_at?: Instant | null;
  sections: { key: string; title: Words; text: string; filled: boolean }[];
  outcomes: { limit: Id; title?: Words; result: 'met' | 'late' | 'unmet'; by_seconds: number | null }[];
  figures?: { asked: number; answered: number; median_answer_seconds: number | null };
  actions: { id: Id; title: string; owner?: Id | null; due?: Instant | null; done_at?: Instant | null }[];
  clause?: Clause | null;
  made_at?: Instant;
}

/** One line of an incident's timeline. */
export interface Entry extends FromFact, Folded {
  id: Id;
  incident: Id;
  seq: number;
  kind: string;
  text: Words;
  hash: string;
  refs?: Record<string, string | number | boolean>;
}

/** Numbers only: how far each team's people have been told and have answered. */
export interface Board {
  id: Id;
  incident: Id;
  teams: {
    team: Id | null;
    asked?: number;
    told: number;
    delivered: number;
    opened: number;
    answered: number;
    by_answer: Record<string, number>;
    silent: number;
  }[];
}

export interface Order extends FromFact, Folded {
  id: Id;
  incident: Id;
  team: Id | null;
  title: Words;
  text: Words;
  critical: boolean;
  read_back: boolean;
  clause: Clause | null;
  alert: Id;
  checklist: Id | null;
  kind: 'plan' | 'manual';
  issued_at: Instant;
  key?: string | null;
  status?: string;
  due_at?: Instant | null;
}

export interface Checklist {
  id: Id;
  incident: Id;
  team: Id;
  key: string;
  title: Words;
  ordered: boolean;
  status?: string;
  clause?: Clause | null;
  made_at?: Instant;
}

/** A condition of the plan over measures and facts. */
export interface Condition {
  op: 'all' | 'any' | 'not' | '<' | '<=' | '>' | '>=' | '=' | '!=' | 'flag' | 'fact';
  name?: string;
  value?: string | number | boolean | null;
  parts?: Condition[];
}
/** Something that happened or was measured: `service.restored`, `gas.lel_percent` with its value. */
export interface Fact extends FromFact, Folded {
  id: Id;
  incident: Id;
  key: string;
  value: string | number | boolean | null;
  unit: string | null;
  note: string | null;
}
export interface Item {
  id: Id;
  checklist: Id;
  position: number;
  kind: 'tick' | 'number' | 'text' | 'choice' | 'photo' | 'signature';
  title: Words;
  unit: string | null;
  min: number | null;
  max: number | null;
  choices: { key: string; title: Words }[] | null;
  safety_critical: boolean;
  /** Whether it may be marked as not applicable. */
  not_applicable?: boolean;
  requires: Id[];
  /** The condition under which the item is asked at all. */
  when?: Condition | null;
  locked_until: { words: Words; clause?: Clause | null } | null;
  prohibits?: Words | null;
  clause: Clause | null;
  incident?: Id;
  key?: string;
}

export interface Mark extends FromFact, Folded {
  id: Id;
  item: Id;
  value: string | number;
  unit?: string | null;
  note: string | null;
  reason?: string | null;
  based_on: Id | null;
  photo?: Id | null;
}

export type AnswerKind = 'received' | 'on_my_way' | 'on_scene' | 'cannot' | 'need_help';

export interface Recipient extends Folded {
  id: Id;
  alert: Id;
  person: Id;
  team: Id | null;
  told_at: Instant | null;
  delivered_at: Instant | null;
  opened_at: Instant | null;
  answered_at: Instant | null;
  answer: AnswerKind | null;
  eta_minutes: number | null;
  reason: string | null;
  channels: string[];
  silent?: boolean;
  answer_seen_at?: Instant | null;
  /** Went off duty unanswered: no longer asked, and not among the silent. */
  excused_at?: Instant | null;
  incident?: Id;
  /** The answer fact that counts now, and whose it is when given by radio. */
  answer_id?: Id | null;
  answer_received_at?: Instant | null;
  answered_by?: Id | null;
}

export interface Alert extends FromFact {
  id: Id;
  incident: Id;
  order: Id | null;
  team: Id | null;
  title: Words;
  body: Words;
  level: Level | null;
  critical: boolean;
  read_back: boolean;
  drill: boolean;
  answers: AnswerKind[];
  clause: Clause | null;
  issued_at: Instant;
  expires_at: Instant;
  status: 'open' | 'ended';
  place: Id | null;
}
