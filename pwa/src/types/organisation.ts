/** Rows of the organisation's own space: people, teams, duty, places, plans, supplies, phone numbers, devices. */

import type { Id, Instant, Words, Role, TeamRole } from './basics';

export interface Me {
  person: {
    id: Id;
    name: string;
    username: string;
    role: Role;
    locale: 'zh' | 'en';
    theme?: string | null;
    phone?: string | null;
  };
  organisation: { id: Id; name: Words; timezone: string; demo: boolean };
  memberships: { team: Id; kind: string; role: TeamRole }[];
  device: { id: Id; name: string; subscribed: boolean };
  epoch: string;
  schema: number;
  vapid_public_key: string;
  spaces: string[];
  rights: string[];
}

export interface Organisation {
  id: Id;
  name: Words;
  timezone: string;
  demo: boolean;
  settings: Record<string, unknown>;
}

export interface Person {
  id: Id;
  name: string;
  role: Role;
  active: boolean;
  reachable: string;
}

export interface Team {
  id: Id;
  kind: string;
  title: Words;
  rank?: number;
  active?: boolean;
  /** How many must be on duty at least, by post or `any`. */
  strength?: Record<string, number>;
}

/** How it stands with one person and one channel; without a row for push the phone is new and not proven. */
export interface Reachability {
  id: Id;
  person: Id;
  channel: string;
  word: 'reachable' | 'unproven' | 'dead';
  why:
    | 'receipt'
    | 'never_proven'
    | 'silent'
    | 'long_ago'
    | 'gone'
    | 'quarantined'
    | 'no_device'
    | 'accepted'
    | 'refused'
    | 'bad_address'
    | 'failed';
  since: Instant;
  proven_at: Instant | null;
}

/** A shift below the minimum of its team. */
export interface Shortfall {
  id: Id;
  team: Id;
  post: TeamRole | 'any';
  wanted: number;
  present: number;
  since: Instant;
}

export interface Membership {
  id: Id;
  person: Id;
  team: Id;
  role: TeamRole;
  rank: number;
}

export interface Duty {
  id: Id;
  person: Id;
  team: Id;
  kind: 'on' | 'off';
  starts_at: Instant;
  ends_at: Instant | null;
  note?: string | null;
}

export interface Contact {
  id: Id;
  person: Id;
  phone: string;
}

export interface Place {
  id: Id;
  parent: Id | null;
  kind: 'site' | 'area' | 'gate' | 'hall' | 'room' | 'point';
  title: Words;
  lat: number | null;
  lon: number | null;
  plan_pin: { x: number; y: number } | null;
  floor_plan: FloorPlan | null;
  capacity: number | null;
  code: string;
}

export interface Plan {
  id: Id;
  key: string;
  version: number;
  title: Words;
  category: string;
  status: 'draft' | 'approved' | 'retired';
  teams?: string[];
  /** The approved revision as data; its inner shape belongs to the plan language. */
  rules: Record<string, unknown>;
  revision?: Id;
  revision_status?: string;
  written_by?: Id | null;
  approved_by?: Id | null;
  approved_at?: Instant | null;
}

/** That a person has read a version of a plan. */
export interface Reading {
  id: Id;
  revision: Id;
  plan: Id;
  person: Id;
  occurred_at: Instant;
  pending?: boolean;
}

export interface SerialRange {
  from: number;
  to: number;
  state: string;
}

export interface Supply {
  id: Id;
  title: Words;
  unit: Words;
  place: Id | null;
  quantity: number;
  minimum: number;
  serial: boolean;
  serials: SerialRange[];
  expires_at: Instant | null;
  key?: string;
}

export interface Device {
  id: Id;
  name: string;
  subscribed: boolean;
  last_receipt_at: Instant | null;
  last_seen_at: Instant;
}

export interface Refusal {
  id: Id;
  path: string;
  code: string;
  message: string;
  at: Instant;
}

/** A drawing in its own units; pins are fractions of its width and height. */
export interface FloorPlan {
  width: number;
  height: number;
  shapes: FloorShape[];
  /** The picture it is drawn on, by name; its size is then in pixels. */
  picture?: Id;
}

export interface FloorShape {
  kind: 'path' | 'rect' | 'water';
  d?: string;
  x?: number;
  y?: number;
  w?: number;
  h?: number;
  label?: Words;
}
