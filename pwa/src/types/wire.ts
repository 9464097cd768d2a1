/** The messages between phone and server: problems, batches, changes, pushes. */

import type { Id, Instant, Colour } from './basics';

export interface Problem {
  type?: string;
  title: string;
  status: number;
  code: string;
  detail?: string;
  errors?: FieldError[];
  request_id?: string;
}

export interface FieldError {
  path: string;
  code: string;
  message: string;
}

export interface BatchItem {
  id: Id;
  seq: number;
  method: 'PUT';
  path: string;
  body: Record<string, unknown>;
}

export interface BatchResult {
  id: Id;
  status: 'applied' | 'duplicate' | 'conflict' | 'refused' | 'retry_later';
  http: number;
  code?: string | null;
  message?: string | null;
  errors?: FieldError[] | null;
  body?: unknown;
}

export interface BatchAnswer {
  server_time: Instant;
  epoch: string;
  results: BatchResult[];
}

export interface FeedRow {
  type: string;
  id: Id;
  version: number;
  op: 'put' | 'del';
  doc: Record<string, unknown> | null;
}

export interface ChangesAnswer {
  epoch: string;
  server_time: Instant;
  spaces: { id: string; to: number; more: boolean; reset?: boolean; rows: FeedRow[] }[];
  drop: string[];
}

/** What a push message carries for this product, inside or instead of a declarative notification. */
export interface PushHead {
  delivery: Id;
  /** null for what is about no alert, such as a test push. */
  alert: Id | null;
  recipient: Id | null;
  incident: Id | null;
  person: Id;
  /** `canary` only asks for a receipt; `roster` is about too few on duty. */
  kind?: string;
  level: Colour | 'none';
  drill: boolean;
  critical: boolean;
  sent_at: Instant;
  expires_at: Instant;
  locale: 'zh' | 'en';
  receipt_token: string;
  answer_token?: string;
}

export interface PushPayload {
  web_push?: number;
  notification?: {
    title: string;
    body?: string;
    tag?: string;
    lang?: string;
    dir?: 'ltr' | 'rtl' | 'auto';
    navigate?: string;
    silent?: boolean;
    require_interaction?: boolean;
    app_badge?: number;
    actions?: { action: string; title: string; navigate?: string }[];
  };
  tocsin?: PushHead;
}
