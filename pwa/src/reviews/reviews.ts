/** The after-action review: how limits were kept, its sections, the improvements it asks for, and signing it. */
import { stamp } from '../clock';
import { say } from '../i18n/say';
import { record } from '../outbox';
import { all, watch } from '../rows';
import { whoIsIn } from '../self';
import type { Id, Incident, Limit, Review, Words } from '../types';
import type { Readable } from 'svelte/store';

export interface ReviewView {
  review: Review;
  incident: Incident | undefined;
  outcomes: { limit: Limit | undefined; result: 'met' | 'late' | 'unmet'; by_seconds: number | null; title?: Words }[];
}

const TYPES = ['review', 'incident', 'limit'] as const;

/** By the incident it belongs to; null when there is none yet. */
export function reviewOf(incident: Id): Readable<ReviewView | null | undefined> {
  return watch(async () => {
    const [list, incidents, limits] = await Promise.all([all('review'), all('incident'), all('limit')]);
    const review = list.find((one) => one.incident === incident || one.id === incident);
    if (!review) return null;
    return {
      review,
      incident: incidents.find((one) => one.id === review.incident),
      outcomes: review.outcomes.map((one) => ({ ...one, limit: limits.find((limit) => limit.id === one.limit) })),
    };
  }, TYPES);
}

/** Every review I may see, the one due first on top. */
export function reviews(): Readable<{ review: Review; incident: Incident | undefined }[]> {
  return watch(
    async () => {
      const incidents = await all('incident');
      return (await all('review'))
        .sort((a, b) => (a.due_at ?? '').localeCompare(b.due_at ?? ''))
        .map((review) => ({ review, incident: incidents.find((one) => one.id === review.incident) }));
    },
    TYPES,
    [],
  );
}

/** Where the review lies as a Word document in the language spoken now. */
export const documentOf = (incident: Id): string => `/api/v1/reviews/${incident}/document?lang=${say.locale}`;

export const leftEmpty = (review: Review): number => review.sections.filter((one) => !one.text.trim()).length;

export function writeSection(review: Review, key: string, text: string): Promise<Id> {
  const sections = review.sections.map((one) => (one.key === key ? { ...one, text, filled: false } : one));
  return record({
    path: `/reviews/${review.incident}/sections/{id}`,
    body: { section: key, text, occurred_at: stamp() },
    optimistic: { type: 'review', id: review.id, doc: { sections } },
  });
}

export function addAction(
  review: Review,
  action: { title: string; owner?: Id | undefined; due?: string | undefined },
): Promise<Id> {
  const said = Object.fromEntries(Object.entries(action).filter(([, value]) => value !== undefined && value !== ''));
  return record({
    path: `/reviews/${review.incident}/actions/{id}`,
    body: { ...said, occurred_at: stamp() },
    optimistic: { type: 'review', id: review.id, doc: { actions: [...review.actions, { id: '', ...said }] } },
  });
}

export function sign(review: Review): Promise<Id> {
  return record({
    path: `/reviews/${review.incident}/signatures/{id}`,
    body: { occurred_at: stamp() },
    optimistic: { type: 'review', id: review.id, doc: { status: 'signed', signed_by: whoIsIn() } },
  });
}
