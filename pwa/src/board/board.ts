/** What a commander watches: how far each team has been told and has answered, who is silent, and what waits for a decision. */
import { stamp } from '../clock';
import { record } from '../outbox';
import { all, watch } from '../rows';
import type {
  Alert,
  AnswerKind,
  Board,
  Checklist,
  Entry,
  Id,
  Incident,
  Item,
  Limit,
  Mark,
  Proposal,
  Recipient,
  Report,
  SupplyRequest,
} from '../types';
import { byUrgency } from '../ui/limits';
import type { Readable } from 'svelte/store';

export interface TeamFunnel {
  team: Id;
  /** Everybody it was for, told or not yet. */
  asked: number;
  told: number;
  delivered: number;
  opened: number;
  answered: number;
  by_answer: Partial<Record<AnswerKind, number>>;
  /** People told who have not answered, longest waiting first; empty when only numbers are known. */
  silent_people: Id[];
  silent: number;
  checklist: { done: number; all: number } | null;
}

export interface BoardView {
  incident: Incident;
  limits: Limit[];
  teams: TeamFunnel[];
  recipients: Recipient[];
  proposals: Proposal[];
  reports: Report[];
  requests: SupplyRequest[];
}

const CLOSED = new Set(['ended', 'reviewed', 'dismissed']);
const TYPES = [
  'incident',
  'limit',
  'board',
  'alert',
  'recipient',
  'proposal',
  'report',
  'request',
  'checklist',
  'item',
  'mark',
] as const;

export function boardOf(id: Id): Readable<BoardView | null | undefined> {
  return watch(async () => {
    const incident = (await all('incident')).find((one) => one.id === id);
    if (!incident) return null;
    const [limits, boards, alerts, recipients, proposals, reports, requests, checklists, items, marks] =
      await Promise.all([
        all('limit'),
        all('board'),
        all('alert'),
        all('recipient'),
        all('proposal'),
        all('report'),
        all('request'),
        all('checklist'),
        all('item'),
        all('mark'),
      ]);
    const ofIncident = new Set(alerts.filter((one) => one.incident === id).map((one) => one.id));
    const told = recipients.filter((one) => ofIncident.has(one.alert));
    return {
      incident,
      limits: byUrgency(limits.filter((one) => one.incident === id)),
      teams: withChecklists(
        funnels(
          told,
          alerts,
          boards.find((one) => one.incident === id),
        ),
        checklists.filter((one) => one.incident === id),
        items,
        marks,
        incident.teams,
      ),
      recipients: told,
      proposals: proposals.filter((one) => one.incident === id && one.status === 'open'),
      reports: reports
        .filter((one) => one.incident === id && !one.struck)
        .sort((a, b) => (b.occurred_at ?? '').localeCompare(a.occurred_at ?? '')),
      requests: requests.filter((one) => one.incident === id),
    };
  }, TYPES);
}

/** Open incidents with the limit that comes next. */
export function openIncidents(): Readable<{ incident: Incident; next: Limit | undefined }[] | undefined> {
  return watch(async () => {
    const [list, limits] = await Promise.all([all('incident'), all('limit')]);
    const rank = (one: Incident): number =>
      ({ red: 0, orange: 1, yellow: 2, blue: 3 })[one.level?.colour ?? 'blue'] + (one.level ? 0 : 1);
    return list
      .filter((one) => !CLOSED.has(one.status))
      .sort((a, b) => rank(a) - rank(b) || b.started_at.localeCompare(a.started_at))
      .map((incident) => ({
        incident,
        next: byUrgency(limits.filter((one) => one.incident === incident.id && one.status === 'running'))[0],
      }));
  }, ['incident', 'limit']);
}

/**
 * Each person once per team, by the furthest they have come on that team's newest alert; where people are not visible
 * the numbers of the board row stand.
 */
export function funnels(
  recipients: readonly Recipient[],
  alerts: readonly Alert[],
  board: Board | undefined,
): TeamFunnel[] {
  const issued = new Map(alerts.map((one) => [one.id, one]));
  const latest = new Map<string, Recipient>();
  for (const one of recipients) {
    const team = one.team ?? issued.get(one.alert)?.team ?? '';
    const key = `${team}:${one.person}`;
    const before = latest.get(key);
    const newer = !before || (issued.get(one.alert)?.issued_at ?? '') >= (issued.get(before.alert)?.issued_at ?? '');
    if (newer) latest.set(key, one.team === team ? one : { ...one, team });
  }
  const byTeam = new Map<Id, Recipient[]>();
  for (const one of latest.values()) byTeam.set(one.team ?? '', [...(byTeam.get(one.team ?? '') ?? []), one]);
  if (byTeam.size === 0) {
    return (board?.teams ?? []).map((one) => ({
      ...one,
      team: one.team ?? '',
      asked: one.asked ?? one.told,
      silent_people: [],
      checklist: null,
    }));
  }
  return [...byTeam].map(([team, people]) => funnel(team, people));
}

function funnel(team: Id, people: Recipient[]): TeamFunnel {
  const by_answer: Partial<Record<AnswerKind, number>> = {};
  for (const one of people) if (one.answer) by_answer[one.answer] = (by_answer[one.answer] ?? 0) + 1;
  // An answer proves that the phone had it and that it was looked at, even when those receipts are still on their way.
  const opened = people.filter((one) => one.opened_at || one.answer);
  const delivered = people.filter((one) => one.delivered_at || one.opened_at || one.answer);
  const waiting = people.filter((one) => !one.answer && !one.excused_at);
  return {
    team,
    asked: people.length,
    told: people.filter((one) => one.told_at || one.delivered_at || one.answer).length,
    delivered: delivered.length,
    opened: opened.length,
    answered: people.filter((one) => one.answer).length,
    by_answer,
    silent: waiting.length,
    silent_people: waiting.sort((a, b) => (a.told_at ?? '').localeCompare(b.told_at ?? '')).map((one) => one.person),
    checklist: null,
  };
}

function withChecklists(
  teams: TeamFunnel[],
  checklists: readonly Checklist[],
  items: readonly Item[],
  marks: readonly Mark[],
  involved: readonly Id[],
): TeamFunnel[] {
  const missing = involved
    .filter((id) => !teams.some((one) => one.team === id))
    .map((team): TeamFunnel => ({
      team,
      asked: 0,
      told: 0,
      delivered: 0,
      opened: 0,
      answered: 0,
      by_answer: {},
      silent: 0,
      silent_people: [],
      checklist: null,
    }));
  const last = new Map<Id, Mark>();
  for (const mark of marks) {
    const before = last.get(mark.item);
    if (!before || (mark.occurred_at ?? '') >= (before.occurred_at ?? '')) last.set(mark.item, mark);
  }
  return [...teams, ...missing].map((one) => {
    const own = new Set(checklists.filter((list) => list.team === one.team).map((list) => list.id));
    const todo = items.filter((item) => own.has(item.checklist));
    const done = todo.filter((item) => {
      const mark = last.get(item.id);
      return mark !== undefined && mark.value !== 'not_done';
    });
    return { ...one, checklist: todo.length ? { done: done.length, all: todo.length } : null };
  });
}

export interface CurvePoint {
  /** Seconds since the first person was told. */
  at: number;
  answered: number;
}

/** How many had answered by when, one line per team; starts at zero when the first was told. */
export function answerCurve(recipients: readonly Recipient[]): { team: Id; told: number; points: CurvePoint[] }[] {
  const start = Math.min(...recipients.flatMap((one) => (one.told_at ? [Date.parse(one.told_at)] : [])));
  if (!Number.isFinite(start)) return [];
  const byTeam = new Map<Id, Recipient[]>();
  for (const one of recipients) byTeam.set(one.team ?? '', [...(byTeam.get(one.team ?? '') ?? []), one]);
  return [...byTeam].map(([team, people]) => {
    const times = people
      .flatMap((one) => (one.answered_at && one.answer ? [(Date.parse(one.answered_at) - start) / 1000] : []))
      .sort((a, b) => a - b);
    return {
      team,
      told: people.length,
      points: [{ at: 0, answered: 0 }, ...times.map((at, n) => ({ at: Math.max(0, at), answered: n + 1 }))],
    };
  });
}

/** The middle time from told to answered in seconds; null before anyone answered. */
export function median(recipients: readonly Recipient[]): number | null {
  const times = recipients
    .flatMap((one) =>
      one.answered_at && one.told_at && one.answer ? [Date.parse(one.answered_at) - Date.parse(one.told_at)] : [],
    )
    .sort((a, b) => a - b);
  const middle = times[Math.floor(times.length / 2)];
  return middle === undefined ? null : Math.round(middle / 1000);
}

/** The newest line first. */
export function timelineOf(incident: Id): Readable<Entry[] | undefined> {
  return watch(
    async () =>
      (await all('entry'))
        .filter((one) => one.incident === incident)
        .sort((a, b) => (b.seq ?? Infinity) - (a.seq ?? Infinity)),
    ['entry'],
  );
}

/** Tells reporters and those who answered that a commander's screen has shown it; each once. */
export async function noteSeen(kind: 'reports' | 'recipients', id: Id): Promise<void> {
  if (noted.has(id)) return;
  noted.add(id);
  const at = stamp();
  const seen =
    kind === 'reports'
      ? ({ type: 'report', doc: { seen_at: at } } as const)
      : ({ type: 'recipient', doc: { answer_seen_at: at } } as const);
  await record({ path: `/${kind}/${id}/sightings/{id}`, body: { occurred_at: at }, optimistic: { ...seen, id } });
}

const noted = new Set<string>();
