/** The screens for work on plans at a desk, loaded together when the first of them is opened. */
export { default as EditorPage } from './EditorPage.svelte';
export { default as LibraryPage } from './LibraryPage.svelte';
export { default as LibraryPlan } from './LibraryPlan.svelte';
export { default as SimulatorPage } from './SimulatorPage.svelte';
export { default as Versions } from './Versions.svelte';
