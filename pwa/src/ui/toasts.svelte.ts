/** Short words at the bottom of the screen after a tap, with a way back while it still makes sense. */

export interface Toast {
  id: number;
  text: string;
  /** Called when the person takes it back. */
  undo?: (() => void) | undefined;
  /** Milliseconds of phone time at which it leaves. */
  until: number;
}

export const UNDO_MS = 5000;
let next = 1;
const shown = $state<{ list: Toast[] }>({ list: [] });

export const toasts = {
  get list(): Toast[] {
    return shown.list;
  },
};

export function toast(text: string, undo?: () => void): void {
  const one: Toast = { id: next++, text, undo, until: Date.now() + UNDO_MS };
  shown.list = [...shown.list.slice(-1), one];
  setTimeout(() => dismiss(one.id), UNDO_MS);
}

export function dismiss(id: number): void {
  shown.list = shown.list.filter((one) => one.id !== id);
}
