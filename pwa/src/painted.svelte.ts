/** Whether the first screen stands: until then nothing is done that it does not need. */

/** A page that is not looked at paints nothing; it goes on all the same. */
const LONGEST_MS = 1_000;
let stands = $state(false);

export const painted = {
  get yet(): boolean {
    return stands;
  },
};

/** Resolves once what was just put on the page has been painted; from then on `painted.yet` is true. */
export function afterPaint(): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stands = true;
      resolve();
    };
    const timer = setTimeout(done, LONGEST_MS);
    requestAnimationFrame(() => {
      // After the frame's own work.
      setTimeout(() => {
        clearTimeout(timer);
        done();
      });
    });
  });
}
