/** Which screen stands at which address; every one but Now is loaded when first opened. */
import type { RouteName } from '../routes';

type Loader = () => Promise<{ default: unknown }>;

export const pages: Partial<Record<RouteName, Loader>> = {
  sign_in: () => import('../people/SignIn.svelte'),
  enrol: () => import('../people/Enrol.svelte'),
  first_steps: () => import('../me/FirstSteps.svelte'),
  alert: () => import('../alerts/AlertPage.svelte'),
  incidents: () => import('../incidents/IncidentList.svelte'),
  incident: () => import('./IncidentPage.svelte'),
  order: () => import('../incidents/OrderPage.svelte'),
  checklist: () => import('../checklists/ChecklistPage.svelte'),
  report: () => import('../field-reports/ReportForm.svelte'),
  field_report: () => import('../field-reports/ReportPage.svelte'),
  tally: () => import('../field-reports/TallyPage.svelte'),
  supplies: () => import('../supplies/SuppliesPage.svelte'),
  request: () => import('../supplies/RequestPage.svelte'),
  notice: () => import('../notices/NoticePage.svelte'),
  review: () => import('../reviews/ReviewPage.svelte'),
  board: () => import('../board/BoardPage.svelte'),
  plans: () => import('../plans/PlanList.svelte'),
  plan: () => import('../plans/PlanPage.svelte'),
  library: async () => ({ default: (await import('../plans/desk')).LibraryPage }),
  library_plan: async () => ({ default: (await import('../plans/desk')).LibraryPlan }),
  plan_editor: async () => ({ default: (await import('../plans/desk')).EditorPage }),
  simulator: async () => ({ default: (await import('../plans/desk')).SimulatorPage }),
  people: () => import('../people/PeoplePage.svelte'),
  person: () => import('../people/PersonPage.svelte'),
  staff: () => import('../people/StaffPage.svelte'),
  staff_import: () => import('../people/ImportPage.svelte'),
  staff_teams: () => import('../people/TeamsPage.svelte'),
  staff_person: () => import('../people/StaffPerson.svelte'),
  me: () => import('../me/MePage.svelte'),
  push: () => import('../me/PushPage.svelte'),
  outbox: () => import('../me/OutboxPage.svelte'),
  refused: () => import('../me/RefusedPage.svelte'),
};
