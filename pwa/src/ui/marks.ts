/** The three marks of what a person made on this phone, the moment before them, and the last when command did not take it. */
export type Mark = 'saving' | 'saved' | 'received' | 'seen' | 'refused';

/** The mark a folded document carries by itself: not yet kept, only on this phone, known to the server, or shown to a commander. */
export function markFrom(doc: {
  pending?: boolean;
  saving?: boolean;
  seen_at?: string | null;
  answer_seen_at?: string | null;
}): Mark {
  if (doc.saving) return 'saving';
  if (doc.pending) return 'saved';
  return doc.seen_at || doc.answer_seen_at ? 'seen' : 'received';
}
