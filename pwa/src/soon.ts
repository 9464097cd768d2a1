/** Work that may wait until what just changed stands on the screen. */

/** Runs `work` after the next frame; at once where nothing is painted. */
export function afterFrame(work: () => void): void {
  if (typeof document === 'undefined' || document.visibilityState === 'hidden') setTimeout(work);
  else requestAnimationFrame(() => setTimeout(work));
}
