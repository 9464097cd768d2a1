/** Whether what is on the screen belongs to a drill; every screen of a drill says so in the line at the top. */
const shown = $state({ count: 0 });

export const drillOnScreen = {
  get shown(): boolean {
    return shown.count > 0;
  },
};

export function showDrill(): () => void {
  shown.count += 1;
  return () => {
    shown.count -= 1;
  };
}
