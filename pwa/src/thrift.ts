/** Saving data: on a slow or metered link photos are made smaller, and others' pictures wait until somebody taps them. */

export type Saver = 'auto' | 'on' | 'off';
interface Link {
  saveData?: boolean;
  effectiveType?: string;
}

let chosen: Saver = 'auto';

/** What the person chose on this phone; `auto` goes by the link. */
export function chooseSaver(saver: Saver): void {
  chosen = saver;
}

/** Whether to save data now. Browsers that say nothing about the link count as fast. */
export function saving(): boolean {
  if (chosen !== 'auto') return chosen === 'on';
  const link = typeof navigator === 'undefined' ? undefined : (navigator as { connection?: Link }).connection;
  return link?.saveData === true || ['slow-2g', '2g', '3g'].includes(link?.effectiveType ?? '');
}
