/** The three marks of what a person made on this phone, and the fourth when command did not take it. */
export type Mark = 'saved' | 'received' | 'seen' | 'refused';

/** The mark a folded document carries by itself: only on this phone, known to the server, or shown to a commander. */
export function markFrom(doc: { pending?: boolean; seen_at?: string | null; answer_seen_at?: string | null }): Mark {
  if (doc.pending) return 'saved';
  return doc.seen_at || doc.answer_seen_at ? 'seen' : 'received';
}
