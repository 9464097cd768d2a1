/** Rows of drills: the drill itself with its score, and its script. */

import type { Folded, FromFact, Id, Instant, Words } from './basics';

export interface Score {
  met: number;
  late: number;
  unmet: number;
  answers: { asked: number; answered: number; median_answer_seconds: number | null };
  limits: { key: string; title: Words; result: 'met' | 'late' | 'unmet'; by_seconds: number | null }[];
}

export interface Drill extends FromFact, Folded {
  id: Id;
  /** The id of its plan; its key while the drill is only on this phone. */
  plan: string;
  rule: string | null;
  title: string;
  scheduled_at: Instant;
  announced: boolean;
  /** How many times faster than written the limits run. */
  speed: number;
  /** The only teams it reaches; null for every one. */
  participants: Id[] | null;
  scenario: string;
  risk_check: string;
  status: 'planned' | 'running' | 'done' | 'off';
  incident: Id | null;
  started_at: Instant | null;
  finished_at: Instant | null;
  observations: string | null;
  weak_points: string[];
  score: Score | null;
}

export interface Inject extends Folded {
  id: Id;
  drill: Id;
  /** Of the plan's time, after the start. */
  at_seconds: number;
  key: string;
  value: string | number | boolean | null;
  unit: string | null;
  note: string | null;
  due_at: Instant | null;
  status: 'waiting' | 'applied' | 'skipped';
  applied_at: Instant | null;
  by: Id;
}
